"""Tasks: one, several, masked, mapped; how they are waited for and what came of them."""
