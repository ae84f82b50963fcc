"""From a path to a route and back; from a signature to its parameters."""
