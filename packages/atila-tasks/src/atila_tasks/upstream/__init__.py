"""Other servers: their aliases, their interfaces, and the choice of a member."""
