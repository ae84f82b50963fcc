"""Reports about requests: logs, metrics, health."""
