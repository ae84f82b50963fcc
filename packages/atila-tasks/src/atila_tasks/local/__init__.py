"""Tasks of this machine: threads, processes, programs, and producers of streams."""
