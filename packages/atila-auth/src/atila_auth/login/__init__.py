"""Identifies the client and checks its permissions: schemes, users, passwords."""
