"""What a user writes to: the application, its settings, hooks, events and mounts."""
