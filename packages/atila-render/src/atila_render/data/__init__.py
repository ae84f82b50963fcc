"""Values as JSON or XML."""
