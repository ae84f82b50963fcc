"""The same two pages on each framework, with rows of one PostgreSQL server."""
