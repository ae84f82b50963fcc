"""The notices of the board, as an app of Django."""
