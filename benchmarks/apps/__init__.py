"""The same three pages, once per framework, each written the way its own manual shows."""
