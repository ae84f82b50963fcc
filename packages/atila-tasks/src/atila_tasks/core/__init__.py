"""Tasks: single, grouped, masked, mapped; waiting for them, and their results."""
