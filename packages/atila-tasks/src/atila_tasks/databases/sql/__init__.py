"""SQL statements, their bound parameters, and their rows."""
