"""Tokens that the app issues and checks: JWT, one-time passwords, one-time tokens."""
