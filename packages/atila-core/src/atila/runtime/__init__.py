"""The resources of a process: threads, the loop, shared state; knows no HTTP."""
