"""The objects that a user's code configures: application, settings, hooks, events, mounts."""
