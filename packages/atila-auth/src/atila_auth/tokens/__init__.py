"""Tokens that we hand out and check: JWT, one-time passwords, one-time tokens."""
