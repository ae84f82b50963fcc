"""Changes to other frameworks, by the names that the specification has for them."""
