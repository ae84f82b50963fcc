"""`atila.json_logs`: log messages as lines of JSON; see `atila.monitoring.json_logs`."""

from atila.monitoring.json_logs import JSONFormatter

__all__ = ["JSONFormatter"]
