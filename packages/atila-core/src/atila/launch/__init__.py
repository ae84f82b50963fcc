"""From a script or a command to a running site."""
