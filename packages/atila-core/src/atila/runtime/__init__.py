"""What a process has: threads, the loop, shared state; knows no HTTP."""
