"""PostgreSQL and SQLite with their statements, Redis, MongoDB, and Django's models."""
