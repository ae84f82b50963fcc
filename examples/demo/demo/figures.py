"""What this server's own metrics say, of all its workers together."""

import math
import os
import time
from itertools import pairwise

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

DURATIONS = "http_server_request_duration_seconds"
LASTING = ("/live", "/chat/events", "/chat/socket")
"""Routes that stay open: how long says nothing of how fast the server answers."""


class Sample:
    """The counts of one moment."""

    def __init__(self):
        self.time = time.monotonic()
        self.requests = self.seconds = 0.0
        self.buckets = {}
        self.gauges = {}
        for family in registry().collect():
            for name, labels, value, *_ in family.samples:
                self._add(name, labels, value)

    def _add(self, name, labels, value):
        if not name.startswith(DURATIONS):
            if name.startswith(("atila_", "http_server_active")) and not labels:
                self.gauges[name] = value
        elif labels.get("http_route") not in LASTING:
            if name.endswith("_count"):
                self.requests += value
            elif name.endswith("_sum"):
                self.seconds += value
            elif name.endswith("_bucket"):
                bound = float(labels["le"])
                self.buckets[bound] = self.buckets.get(bound, 0.0) + value

    def since(self, before):
        """Requests per second and latencies in ms between two moments; None for no request."""
        count = self.requests - before.requests
        return {
            "rate": round(count / (self.time - before.time), 1),
            "mean": round((self.seconds - before.seconds) / count * 1000, 2) if count else None,
            "slow": self._quantile(before, 0.95, count),
            "total": int(self.requests),
            "active": int(self.gauges.get("http_server_active_requests", 0)),
            "streams": int(self.gauges.get("atila_open_event_streams", 0)),
            "sockets": int(self.gauges.get("atila_open_websockets", 0)),
        }

    def _quantile(self, before, share, count):
        """In ms, as Prometheus' histogram_quantile: even within a bucket."""
        bounds = sorted(self.buckets)
        reached = [self.buckets[each] - before.buckets.get(each, 0.0) for each in bounds]
        wanted = share * count
        for (low, below), (high, upto) in pairwise(
            [(0.0, 0.0), *zip(bounds, reached, strict=True)]
        ):
            if count and upto >= wanted and upto > below:
                high = low if math.isinf(high) else high
                part = (wanted - below) / (upto - below)
                return round((low + (high - low) * part) * 1000, 2)
        return None


def registry():
    """Of one process its own; of several, the sum of the files in which each keeps its numbers."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)
    return together
