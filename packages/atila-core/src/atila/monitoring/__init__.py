"""What is reported about requests: logs, metrics, health."""
