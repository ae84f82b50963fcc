"""Starts a worker, which runs the jobs; as many as you like may run, on any host.

On SIGTERM it finishes the jobs that it has begun.
"""

import logging

from jobs import HEARTBEAT, queue

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    queue.run_worker(
        concurrency=4,
        update_heartbeat_interval=HEARTBEAT,
        stalled_worker_timeout=3 * HEARTBEAT,
    )
