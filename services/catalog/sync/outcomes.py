"""What a bad run means for its source."""

from datetime import datetime
from typing import Final
from uuid import UUID

from services.catalog.sync import runs_store, store
from services.catalog.sync.models import BAD_RUNS, Run, RunState, next_run
from shared.contracts.events import SyncFailing
from shared.db.outbox import Outbox
from shared.db.pool import Connection

PROBLEM_CHARS: Final = 500


async def end_badly(
    conn: Connection, outbox: Outbox, source_id: UUID, run_id: UUID, problem: str, *, now: datetime
) -> Run | None:
    """End a run as failed, in the caller's transaction; None if it was over, or its source is gone.

    The third bad run in a row is told to the vendor, once until a run is good; each one doubles the wait.
    """
    problem = problem[:PROBLEM_CHARS]
    source = await store.hold(conn, source_id)
    run = await runs_store.finish(conn, run_id, RunState.FAILED, problem=problem)
    if source is None or run is None:
        return None
    failures = source.failures + 1
    is_failing = failures >= BAD_RUNS
    await store.failed(
        conn,
        source.id,
        failures=failures,
        is_failing=is_failing,
        problem=problem,
        next_run_at=next_run(source, failures=failures, now=now),
    )
    if is_failing and not source.is_failing:
        told = SyncFailing(
            vendor_id=source.vendor_id, source_id=source.id, name=source.name, failures=failures, problem=problem
        )
        await outbox.add(conn, told)
    return run
