"""The jobs of the shop, and the queue in PostgreSQL that keeps them.

A job runs at least once, and has its effect exactly once: the row that it writes has the order as
its key, so a second run writes nothing.
"""

import os

import procrastinate
import psycopg

DATABASE = os.environ.get("DATABASE_URL", "postgresql://localhost/shop")
HEARTBEAT = float(os.environ.get("JOBS_HEARTBEAT", "10"))
"""Seconds between two signs of life of a worker; one that misses three is taken for dead."""

queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=DATABASE))


@queue.task(name="send_receipt", retry=procrastinate.RetryStrategy(max_attempts=5, wait=1))
def send_receipt(order: int) -> None:
    """Write the receipt of an order.

    If it raises, the transaction is rolled back and the job tried again. What leaves the database,
    such as a mail, should carry the order's number, for the other side to know a second one by.
    """
    with psycopg.connect(DATABASE) as db:
        db.execute(
            "INSERT INTO receipts (order_id, text)"
            " SELECT id, 'one ' || item FROM orders WHERE id = %s ON CONFLICT DO NOTHING",
            [order],
        )


@queue.periodic(cron=f"*/{max(1, round(HEARTBEAT))} * * * * *")
@queue.task(name="take_over", queueing_lock="take_over")
async def take_over(timestamp: int) -> None:
    """Put jobs back whose worker has died. Each worker does it, one at a time."""
    for job in await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=3 * HEARTBEAT):
        await queue.job_manager.retry_job(job)
