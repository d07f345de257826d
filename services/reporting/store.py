"""All SQL of reporting, schema `reporting` only. Every function takes the caller's connection."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting.models import (
    FIGURES,
    AnyFigures,
    Fact,
    FactKind,
    FactRow,
    Period,
    Report,
    ReportState,
    SalesRow,
    SoldLine,
    TopRow,
)
from shared.db.pool import Connection

ADD_LINES = """
    -- Keep what was sold; a line that is known stays as it is.
    INSERT INTO reporting.order_lines
        (order_id, line, vendor_id, product_id, title, quantity, unit_minor, currency, placed_at)
    SELECT * FROM unnest(
        $1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[],
        $6::int[], $7::bigint[], $8::text[], $9::timestamptz[]
    )
    ON CONFLICT (order_id, line) DO NOTHING
"""
ADD_CANCELLATION = """
    -- An order was taken back; the first telling counts.
    INSERT INTO reporting.cancellations (order_id, cancelled_at) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
ADD_FACT = """
    -- Count an event once.
    INSERT INTO reporting.facts (event_id, kind, happened_at, vendor_id, subject_id, label)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (event_id) DO NOTHING
"""
SNAPSHOT = """
    -- Let all that follows in this transaction see one moment.
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY
"""
MOMENT = """
    -- The moment that this transaction sees.
    SELECT now()
"""
SALES = """
    -- Sales of a time span by day and currency, with the sums over each: a null day is the whole span, a null currency
    -- all currencies (where money has no sum). One vendor's, or with $4 null everybody's.
    SELECT (l.placed_at AT TIME ZONE $3)::date AS day, l.currency,
           count(DISTINCT l.order_id) AS orders,
           sum(l.quantity)::bigint AS units,
           sum(l.quantity * l.unit_minor)::bigint AS gross,
           count(DISTINCT l.order_id) FILTER (WHERE c.order_id IS NOT NULL) AS cancelled_orders,
           coalesce(sum(l.quantity) FILTER (WHERE c.order_id IS NOT NULL), 0)::bigint AS cancelled_units,
           coalesce(sum(l.quantity * l.unit_minor) FILTER (WHERE c.order_id IS NOT NULL), 0)::bigint AS cancelled
    FROM reporting.order_lines l
    LEFT JOIN reporting.cancellations c USING (order_id)
    WHERE l.placed_at >= $1 AND l.placed_at < $2 AND ($4::uuid IS NULL OR l.vendor_id = $4)
    GROUP BY GROUPING SETS ((1, 2), (1), (2), ())
    HAVING count(*) > 0
    ORDER BY 1, 2
"""
TOP_PRODUCTS = """
    -- The products with the most units sold and not cancelled, each with its money by currency.
    WITH kept AS (
        SELECT l.product_id, l.title, l.quantity, l.unit_minor, l.currency, l.placed_at
        FROM reporting.order_lines l
        WHERE l.placed_at >= $1 AND l.placed_at < $2 AND ($3::uuid IS NULL OR l.vendor_id = $3)
          AND NOT EXISTS (SELECT FROM reporting.cancellations c WHERE c.order_id = l.order_id)
    ), top AS (
        SELECT product_id, sum(quantity)::bigint AS units, (array_agg(title ORDER BY placed_at DESC))[1] AS title
        FROM kept GROUP BY product_id ORDER BY units DESC, product_id LIMIT $4
    )
    SELECT top.product_id, top.title, top.units, kept.currency, sum(kept.quantity * kept.unit_minor)::bigint AS net
    FROM top JOIN kept USING (product_id)
    GROUP BY top.product_id, top.title, top.units, kept.currency
    ORDER BY top.units DESC, top.product_id, kept.currency
"""
FACT_COUNTS = """
    -- How often each thing happened in a time span, by day.
    SELECT (happened_at AT TIME ZONE $3)::date AS day, kind, label, count(*) AS count
    FROM reporting.facts
    WHERE happened_at >= $1 AND happened_at < $2
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""
ADD_REPORT = """
    -- Ask for a report that nobody asked for yet; no row back if there is one.
    INSERT INTO reporting.reports
        (id, type, vendor_id, period_from, period_to, time_zone, state, round, requested_at, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, 'pending', 1, $7, $8)
    ON CONFLICT (type, vendor_id, period_from, period_to) DO NOTHING
    RETURNING *
"""
LOCK_REPORT = """
    -- The report of a type, scope and period, for this transaction alone.
    SELECT * FROM reporting.reports
    WHERE type = $1 AND vendor_id IS NOT DISTINCT FROM $2::uuid AND period_from = $3 AND period_to = $4
    FOR UPDATE
"""
ASK_AGAIN = """
    -- Have it built once more; figures it has stay until then.
    UPDATE reporting.reports
    SET state = 'pending', round = round + 1, requested_at = $2, request_id = $3, time_zone = $4, error = NULL
    WHERE id = $1
    RETURNING *
"""
FIND_REPORT = """
    -- One report.
    SELECT * FROM reporting.reports WHERE id = $1
"""
LIST_OF_VENDOR = """
    -- A page of a vendor's reports, newest first, without their figures.
    SELECT id, type, vendor_id, period_from, period_to, time_zone, state, round, requested_at, request_id, job_id,
           NULL::jsonb AS figures, figures_at, error
    FROM reporting.reports WHERE vendor_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
"""
LIST_OF_ALL = """
    -- A page of everybody's reports, newest first, without their figures.
    SELECT id, type, vendor_id, period_from, period_to, time_zone, state, round, requested_at, request_id, job_id,
           NULL::jsonb AS figures, figures_at, error
    FROM reporting.reports WHERE id < $1 ORDER BY id DESC LIMIT $2
"""
REPLACE_FIGURES = """
    -- Put figures in, unless younger ones are there or this job has done so already: then no row back.
    UPDATE reporting.reports
    SET figures = $2, figures_at = $3, job_id = $4, time_zone = $5, state = 'ready', error = NULL
    WHERE id = $1 AND (figures_at IS NULL OR figures_at < $3) AND job_id IS DISTINCT FROM $4
    RETURNING round
"""
MARK_FAILED = """
    -- The job of its last asking failed for good.
    UPDATE reporting.reports SET state = 'failed', error = $3
    WHERE id = $1 AND request_id = $2 AND state = 'pending'
"""

NEWEST = UUID(int=(1 << 128) - 1)
"""A position above every id: the start of a list."""


async def add_lines(conn: Connection, lines: Sequence[SoldLine]) -> None:
    """Keep what was sold. Safe to repeat."""
    await conn.execute(
        ADD_LINES,
        [line.order_id for line in lines],
        [line.line for line in lines],
        [line.vendor_id for line in lines],
        [line.product_id for line in lines],
        [line.title for line in lines],
        [line.quantity for line in lines],
        [line.unit_minor for line in lines],
        [line.currency for line in lines],
        [line.placed_at for line in lines],
    )


async def add_cancellation(conn: Connection, order_id: UUID, cancelled_at: datetime) -> None:
    """Note that an order was taken back, known or not. Safe to repeat."""
    await conn.execute(ADD_CANCELLATION, order_id, cancelled_at)


async def add_facts(conn: Connection, facts: Iterable[Fact]) -> None:
    """Count events. Safe to repeat."""
    await conn.executemany(
        ADD_FACT,
        [
            (fact.event_id, fact.kind.value, fact.happened_at, fact.vendor_id, fact.subject_id, fact.label)
            for fact in facts
        ],
    )


async def begin_snapshot(conn: Connection) -> datetime:
    """Make the transaction that just began see one moment; returns it."""
    await conn.execute(SNAPSHOT)
    moment: datetime = await conn.fetchval(MOMENT)
    return moment


async def sales(conn: Connection, period: Period, vendor_id: UUID | None) -> list[SalesRow]:
    """Sales by day and currency and their sums, of a vendor or of everybody."""
    rows = await conn.fetch(SALES, period.starts_at, period.ends_at, period.zone.key, vendor_id)
    return [SalesRow(**row) for row in rows]


async def top_products(conn: Connection, period: Period, vendor_id: UUID | None, *, limit: int) -> list[TopRow]:
    """The best sold products, a row per currency, best first."""
    rows = await conn.fetch(TOP_PRODUCTS, period.starts_at, period.ends_at, vendor_id, limit)
    return [TopRow(**row) for row in rows]


async def fact_counts(conn: Connection, period: Period) -> list[FactRow]:
    """What else happened, by day."""
    rows = await conn.fetch(FACT_COUNTS, period.starts_at, period.ends_at, period.zone.key)
    return [FactRow(row["day"], FactKind(row["kind"]), row["label"], row["count"]) for row in rows]


async def add_report(conn: Connection, report: Report) -> Report | None:
    """Write a report's first row; None if there is one of its type, scope and period."""
    row = await conn.fetchrow(
        ADD_REPORT,
        report.id,
        report.type,
        report.vendor_id,
        report.period.first,
        report.period.last,
        report.period.zone.key,
        report.requested_at,
        report.request_id,
    )
    return None if row is None else _report(row)


async def lock_report(conn: Connection, report_type: str, vendor_id: UUID | None, period: Period) -> Report | None:
    """The report of a type, scope and period, locked until the transaction ends."""
    row = await conn.fetchrow(LOCK_REPORT, report_type, vendor_id, period.first, period.last)
    return None if row is None else _report(row)


async def ask_again(conn: Connection, report: Report, *, zone: ZoneInfo, at: datetime, request_id: UUID) -> Report:
    """Begin the report's next round."""
    row = await conn.fetchrow(ASK_AGAIN, report.id, at, request_id, zone.key)
    assert row is not None
    return _report(row)


async def find_report(conn: Connection, report_id: UUID) -> Report | None:
    """One report with its figures."""
    row = await conn.fetchrow(FIND_REPORT, report_id)
    return None if row is None else _report(row)


async def list_reports(conn: Connection, *, vendor_id: UUID | None, below: UUID, limit: int) -> list[Report]:
    """A page of a vendor's reports, or of everybody's, without figures."""
    if vendor_id is None:
        rows = await conn.fetch(LIST_OF_ALL, below, limit)
    else:
        rows = await conn.fetch(LIST_OF_VENDOR, vendor_id, below, limit)
    return [_report(row) for row in rows]


async def replace_figures(
    conn: Connection, report: Report, figures: AnyFigures, *, at: datetime, job_id: UUID
) -> int | None:
    """Put figures taken at `at` in; the round they answer, None if they are too old or this job's are there."""
    answered: int | None = await conn.fetchval(
        REPLACE_FIGURES, report.id, figures.model_dump(mode="json"), at, job_id, report.period.zone.key
    )
    return answered


async def mark_failed(conn: Connection, report_id: UUID, *, request_id: UUID, error: str) -> None:
    """Say that a report will not come, if `request_id` is still what asked for it last."""
    await conn.execute(MARK_FAILED, report_id, request_id, error)


def _report(row: Any) -> Report:
    return Report(
        id=row["id"],
        type=row["type"],
        vendor_id=row["vendor_id"],
        period=Period(row["period_from"], row["period_to"], ZoneInfo(row["time_zone"])),
        state=ReportState(row["state"]),
        round=row["round"],
        requested_at=row["requested_at"],
        request_id=row["request_id"],
        job_id=row["job_id"],
        figures=None if row["figures"] is None else FIGURES.validate_python(row["figures"]),
        figures_at=row["figures_at"],
        error=row["error"],
    )
