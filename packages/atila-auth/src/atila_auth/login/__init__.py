"""Who sends a request, and what they may do: schemes, users, passwords, permissions."""
