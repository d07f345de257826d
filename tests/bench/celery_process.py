"""Celery in a process of its own: `python -m tests.bench.celery_process BROKER RESULTS work PROCESSES|send N`.

Set as its documentation advises for jobs that must not be lost and are short: acknowledged after the work, published
with confirms, taken ahead a hundred at a time, nothing sent that monitoring alone would read.
"""

import sys
import time

from celery import Celery

QUIET = ("--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")
TEXT = "x" * 900


def make_app(broker_url: str, results_url: str) -> Celery:
    """An application whose one task does nothing and leaves its result in PostgreSQL."""
    app = Celery("bench", broker=broker_url, backend=results_url.replace("postgresql:", "db+postgresql+psycopg2:"))
    app.conf.update(
        broker_transport_options={"confirm_publish": True},
        broker_connection_retry_on_startup=True,
        task_acks_late=True,
        worker_prefetch_multiplier=100,
    )
    app.task(_nothing, name="nothing")
    return app


def _nothing(text: str) -> None:
    """The task."""


def main(broker_url: str, results_url: str, role: str, what: str) -> None:
    """Work in so many processes until terminated, or send so many tasks and first print the time."""
    app = make_app(broker_url, results_url)
    if role == "work":
        app.worker_main(["worker", *QUIET, "--concurrency", what])
    else:
        print(time.time(), flush=True)
        for _ in range(int(what)):
            app.send_task("nothing", (TEXT,))


if __name__ == "__main__":
    main(*sys.argv[1:])
