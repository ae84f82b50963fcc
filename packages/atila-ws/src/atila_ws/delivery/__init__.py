"""Messages to connections of any worker and host."""
