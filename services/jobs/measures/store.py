"""What the jobs of an hour were: the SQL of the ledger's `measures.recorded`."""

from datetime import datetime
from typing import Any, Final

from shared.contracts.events import Measure
from shared.db.measures import MOST_SECONDS
from shared.db.pool import Connection

MOST_CAUSES: Final = 200
ENDED: Final = """
    -- Jobs that ended in a time span, by type and state; how long they waited for their first attempt and how long the
    -- last one ran. A job that is due later waits from then on. Jobs that were cleared from the history are not there.
    SELECT type, state, count(*) AS ended,
           count(wait_ms) AS waits, coalesce(sum(wait_ms), 0)::bigint AS wait_total,
           min(wait_ms) AS wait_least, max(wait_ms) AS wait_most,
           count(run_ms) AS runs, coalesce(sum(run_ms), 0)::bigint AS run_total,
           min(run_ms)::bigint AS run_least, max(run_ms)::bigint AS run_most
    FROM (
        SELECT type, state, run_ms,
               greatest(0, extract(epoch FROM started_at - CASE
                   WHEN run_at <= started_at THEN greatest(created_at, run_at) ELSE created_at
               END) * 1000)::bigint AS wait_ms
        FROM jobs.jobs
        WHERE state IN ('completed', 'failed', 'cancelled') AND finished_at >= $1 AND finished_at < $2
    ) AS ended
    GROUP BY type, state
    ORDER BY type, state
"""
CAUSES: Final = """
    -- Why jobs failed for good in a time span, most frequent first.
    SELECT type, coalesce(error_class, '') AS error_class, count(*) AS failed
    FROM jobs.jobs WHERE state = 'failed' AND finished_at >= $1 AND finished_at < $2
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $3
"""


async def measures(conn: Connection, begun: datetime, ended: datetime) -> list[Measure]:
    """Jobs by type and state, waiting and run times by type in milliseconds, failures by type and cause."""
    rows = await conn.fetch(ENDED, begun, ended, timeout=MOST_SECONDS)
    return [
        *(Measure(name=f"jobs_{row['state']}", label=row["type"], count=row["ended"]) for row in rows),
        *(_lasting(row, what) for row in rows if row["state"] != "cancelled" for what in ("wait", "run")),
        *(
            Measure(name="job_failures", label=f"{row['type']} {row['error_class']}"[:500], count=row["failed"])
            for row in await conn.fetch(CAUSES, begun, ended, MOST_CAUSES, timeout=MOST_SECONDS)
        ),
    ]


def _lasting(row: Any, what: str) -> Measure:
    return Measure(
        name=f"{row['state']}_{what}_ms",
        label=row["type"],
        count=row[f"{what}s"],
        total=row[f"{what}_total"],
        least=row[f"{what}_least"] or 0,
        most=row[f"{what}_most"] or 0,
    )
