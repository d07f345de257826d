"""All SQL of reporting, schema `reporting` only. Every function takes the caller's connection."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting.models import (
    FIGURES,
    SHORT_CHARS,
    AnyFigures,
    Fact,
    FactKind,
    FactRow,
    HourRow,
    KeptEvent,
    MeasureRow,
    Period,
    PoorProduct,
    Report,
    ReportState,
    SalesRow,
    SoldLine,
    ToldProduct,
    TopRow,
    Vendor,
    VendorFactRow,
    VendorSalesRow,
)
from shared.contracts.envelope import Envelope
from shared.contracts.events import MeasuresRecorded
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
    -- How often each thing happened in a time span, by day; to one vendor, or with $4 null to everybody.
    SELECT (happened_at AT TIME ZONE $3)::date AS day, kind, label, count(*) AS count
    FROM reporting.facts
    WHERE happened_at >= $1 AND happened_at < $2 AND ($4::uuid IS NULL OR vendor_id = $4)
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""
HOURS = """
    -- What was placed in each hour of the day by the clock of a zone, over a time span.
    SELECT extract(hour FROM placed_at AT TIME ZONE $3)::int AS hour,
           count(DISTINCT order_id) AS orders, sum(quantity)::bigint AS units
    FROM reporting.order_lines
    WHERE placed_at >= $1 AND placed_at < $2 AND ($4::uuid IS NULL OR vendor_id = $4)
    GROUP BY 1
    ORDER BY 1
"""
SALES_OF_VENDORS = """
    -- Sales of a time span by vendor and currency; a null currency is all of a vendor's.
    SELECT l.vendor_id, l.currency,
           count(DISTINCT l.order_id) AS orders,
           sum(l.quantity)::bigint AS units,
           count(DISTINCT l.order_id) FILTER (WHERE c.order_id IS NOT NULL) AS cancelled_orders,
           coalesce(sum(l.quantity * l.unit_minor) FILTER (WHERE c.order_id IS NULL), 0)::bigint AS net
    FROM reporting.order_lines l
    LEFT JOIN reporting.cancellations c USING (order_id)
    WHERE l.placed_at >= $1 AND l.placed_at < $2
    GROUP BY GROUPING SETS ((1, 2), (1))
    ORDER BY 1, 2
"""
FACTS_OF_VENDORS = """
    -- How often each thing happened to each vendor in a time span.
    SELECT vendor_id, kind, count(*) AS count
    FROM reporting.facts
    WHERE happened_at >= $1 AND happened_at < $2 AND vendor_id IS NOT NULL AND kind <> 'job.failed'
    GROUP BY 1, 2
"""
MEDIAN_DECISION = """
    -- Half of a time span's decisions took at most so many seconds since the submission they answer.
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM decided.happened_at - submitted.at))
    FROM reporting.facts decided
    CROSS JOIN LATERAL (
        SELECT max(happened_at) AS at FROM reporting.facts
        WHERE subject_id = decided.subject_id AND kind = 'product.submitted' AND happened_at <= decided.happened_at
    ) AS submitted
    WHERE decided.kind IN ('product.approved', 'product.rejected') AND submitted.at IS NOT NULL
      AND decided.happened_at >= $1 AND decided.happened_at < $2 AND ($3::uuid IS NULL OR decided.vendor_id = $3)
"""
LOW_STOCK_DAYS = """
    -- On how many days of a time span at least one product was low for a moment: from each alert to what ended it.
    WITH alerts AS (
        SELECT kind, happened_at AS low_at,
               lead(happened_at, 1, 'infinity')
                   OVER (PARTITION BY subject_id ORDER BY happened_at, event_id) AS ended_at
        FROM reporting.facts
        WHERE kind IN ('stock.low', 'stock.recovered') AND happened_at < $2 AND ($4::uuid IS NULL OR vendor_id = $4)
    )
    SELECT count(DISTINCT day)
    FROM alerts, generate_series(
        date_trunc('day', greatest(low_at, $1) AT TIME ZONE $3),
        (least(ended_at, $2) - interval '1 microsecond') AT TIME ZONE $3,
        interval '1 day'
    ) AS day
    WHERE kind = 'stock.low' AND ended_at > $1
"""
KEEP_VENDOR = """
    -- What a vendor is called and where its days begin, unless something younger is known.
    INSERT INTO reporting.vendors (id, name, time_zone, told_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE
    SET name = EXCLUDED.name, time_zone = EXCLUDED.time_zone, told_at = EXCLUDED.told_at
    WHERE vendors.told_at <= EXCLUDED.told_at
"""
NAME_VENDOR = """
    -- What a vendor was called by the way: the youngest such telling counts, until the vendor has told one itself.
    INSERT INTO reporting.vendors (id, name, told_at, named_at) VALUES ($1, $2, 'epoch', $3)
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, named_at = EXCLUDED.named_at
    WHERE vendors.told_at = 'epoch' AND (vendors.named_at, vendors.name) < (EXCLUDED.named_at, EXCLUDED.name)
"""
VENDORS = """
    -- Every vendor that is known, or one.
    SELECT id, name, time_zone FROM reporting.vendors WHERE $1::uuid IS NULL OR id = $1 ORDER BY id
"""
KEEP_PRODUCT = """
    -- What was last told of a product. Each thing is what the youngest event says that tells of it; 0 is no version.
    INSERT INTO reporting.products AS known (
        id, vendor_id, version, status, title, title_version, pictures, pictures_version,
        description_chars, description_version)
    VALUES ($1, $2, $3, $4, coalesce($5, ''), CASE WHEN $5::text IS NULL THEN 0 ELSE $3 END,
            $6, CASE WHEN $6::int IS NULL THEN 0 ELSE $3 END, $7, CASE WHEN $7::int IS NULL THEN 0 ELSE $3 END)
    ON CONFLICT (id) DO UPDATE SET
        version = greatest(known.version, EXCLUDED.version),
        status = CASE WHEN EXCLUDED.version >= known.version THEN EXCLUDED.status ELSE known.status END,
        title = CASE WHEN EXCLUDED.title_version >= known.title_version AND $5 IS NOT NULL
            THEN EXCLUDED.title ELSE known.title END,
        title_version = greatest(known.title_version, EXCLUDED.title_version),
        pictures = CASE WHEN EXCLUDED.pictures_version >= known.pictures_version AND $6 IS NOT NULL
            THEN EXCLUDED.pictures ELSE known.pictures END,
        pictures_version = greatest(known.pictures_version, EXCLUDED.pictures_version),
        description_chars = CASE WHEN EXCLUDED.description_version >= known.description_version AND $7 IS NOT NULL
            THEN EXCLUDED.description_chars ELSE known.description_chars END,
        description_version = greatest(known.description_version, EXCLUDED.description_version)
"""
KEEP_EVENTS = """
    -- Keep events as they were told, once each.
    INSERT INTO reporting.events (id, type, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
    ON CONFLICT (id) DO NOTHING
"""
KEPT_EVENTS = """
    -- Events in the order they came in.
    SELECT seq, type, body FROM reporting.events WHERE seq > $1 ORDER BY seq LIMIT $2
"""
FORGET_FIGURES = """
    -- All that follows from events; the reports stay.
    WITH lines AS (DELETE FROM reporting.order_lines), cancellations AS (DELETE FROM reporting.cancellations),
        facts AS (DELETE FROM reporting.facts), products AS (DELETE FROM reporting.products),
        vendors AS (DELETE FROM reporting.vendors), measures AS (DELETE FROM reporting.measures)
    DELETE FROM reporting.hours_told
"""
SIZES = """
    -- How much is known.
    SELECT (SELECT count(*) FROM reporting.order_lines) AS "order lines",
           (SELECT count(*) FROM reporting.cancellations) AS cancellations,
           (SELECT count(*) FROM reporting.facts) AS facts,
           (SELECT count(*) FROM reporting.products) AS products,
           (SELECT count(*) FROM reporting.vendors) AS vendors,
           (SELECT count(*) FROM reporting.measures) AS measures,
           (SELECT count(*) FROM reporting.hours_told) AS "hours told"
"""
QUALITY = """
    -- How many products are in the catalogue or want to be, and how many could be shown better.
    SELECT count(*) AS products,
           count(*) FILTER (WHERE pictures = 0) AS without_picture,
           count(*) FILTER (WHERE description_chars < $2) AS short_description
    FROM reporting.products
    WHERE status IN ('pending', 'approved', 'rejected') AND ($1::uuid IS NULL OR vendor_id = $1)
"""
POOR_PRODUCTS = """
    -- The products to look at first: those without a picture, then those with the shortest descriptions.
    SELECT p.id AS product_id, p.title, coalesce(v.name, '') AS vendor_name, p.pictures, p.description_chars
    FROM reporting.products p LEFT JOIN reporting.vendors v ON v.id = p.vendor_id
    WHERE p.status IN ('pending', 'approved', 'rejected') AND ($1::uuid IS NULL OR p.vendor_id = $1)
      AND (p.pictures = 0 OR p.description_chars < $2)
    ORDER BY (p.pictures = 0) DESC NULLS LAST, p.description_chars NULLS LAST, p.id
    LIMIT $3
"""
ADD_HOUR = """
    -- A service has told of one of its hours.
    INSERT INTO reporting.hours_told (service, hour) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
IS_WHOLE = """
    -- Whether each service that told of a time span at all has told of its last hour.
    SELECT NOT EXISTS (
        SELECT FROM reporting.hours_told WHERE hour >= $1 AND hour < $2
        GROUP BY service HAVING max(hour) < $2::timestamptz - interval '1 hour')
"""
ADD_MEASURES = """
    -- What a service said of one of its hours; what is known stays as it is.
    INSERT INTO reporting.measures (service, hour, name, label, count, total, least, most)
    SELECT $1, $2, name, label, count, total, least, most
    FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
        AS m (name, label, count, total, least, most)
    ON CONFLICT DO NOTHING
"""
MEASURES = """
    -- What services measured in a time span, added up by the hour ($4) or by the day of a zone.
    SELECT CASE WHEN $4 THEN hour ELSE date_trunc('day', hour AT TIME ZONE $3) AT TIME ZONE $3 END AS at, name, label,
           sum(count)::bigint AS count, sum(total)::bigint AS total, min(least) AS least, max(most) AS most
    FROM reporting.measures
    WHERE hour >= $1 AND hour < $2 AND name <> 'products'
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""
PRODUCTS_TOLD = """
    -- How many products were in which state at the end of a time span, as the catalog told it last.
    SELECT label, count FROM reporting.measures
    WHERE name = 'products' AND hour = (
        SELECT max(hour) FROM reporting.measures WHERE name = 'products' AND hour >= $1 AND hour < $2)
    ORDER BY count DESC, label
"""
STATUSES = """
    -- How many products are in which state.
    SELECT status, count(*) AS count FROM reporting.products GROUP BY 1 ORDER BY 2 DESC, 1
"""
HOLD_OFF_BUILDERS = """
    -- Until this transaction ends, no report's figures are taken.
    SELECT pg_advisory_xact_lock_shared(hashtextextended('reporting.figures', 0))
"""
AWAIT_RECORDERS = """
    -- Wait until every event that is being counted is counted.
    SELECT pg_advisory_xact_lock(hashtextextended('reporting.figures', 0))
"""
REOPEN = """
    -- Sales of days that reports are about have changed. In the order of their ids: two at once wait for each other.
    WITH sold AS (
        SELECT DISTINCT * FROM unnest($1::uuid[], $2::timestamptz[]) AS t (vendor_id, placed_at)
    ), touched AS (
        SELECT id FROM reporting.reports AS r
        WHERE type <> 'catalog_quality' AND period_to >= (SELECT min(placed_at)::date - 1 FROM sold)
          AND EXISTS (
              SELECT FROM sold
              WHERE (r.vendor_id IS NULL OR r.vendor_id = sold.vendor_id)
                AND (sold.placed_at AT TIME ZONE r.time_zone)::date BETWEEN r.period_from AND r.period_to)
        ORDER BY id FOR UPDATE
    )
    UPDATE reporting.reports SET changes = changes + 1, is_late = is_late OR figures IS NOT NULL
    FROM touched WHERE reports.id = touched.id
"""
REOPEN_METRICS = """
    -- Services have told of hours that reports are about: these are completed, and not late.
    WITH touched AS (
        SELECT id FROM reporting.reports AS r
        WHERE type = 'daily_metrics' AND EXISTS (
            SELECT FROM unnest($1::timestamptz[]) AS told (hour)
            WHERE (told.hour AT TIME ZONE r.time_zone)::date BETWEEN r.period_from AND r.period_to)
        ORDER BY id FOR UPDATE
    )
    UPDATE reporting.reports SET changes = changes + 1 FROM touched WHERE reports.id = touched.id
"""
REVISABLE = """
    -- Finished reports of days that are over, whose sales have changed since; also those of which a job said that
    -- nothing had happened, but none whose job failed.
    SELECT *, '' AS vendor_name FROM reporting.reports
    WHERE changes > counted AND period_to < ($1::timestamptz AT TIME ZONE time_zone)::date
      AND (state = 'ready' OR state = 'failed' AND figures IS NULL AND job_id IS NOT NULL)
    ORDER BY id LIMIT $2
    FOR UPDATE SKIP LOCKED
"""
ADD_REPORT = """
    -- Ask for a report that nobody asked for yet; no row back if there is one.
    INSERT INTO reporting.reports
        (id, type, vendor_id, period_from, period_to, time_zone, state, round, requested_at, request_id, is_due)
    VALUES ($1, $2, $3, $4, $5, $6, 'pending', 1, $7, $8, $9)
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
    SET state = 'pending', round = round + 1, requested_at = $2, request_id = $3, time_zone = $4, error = NULL,
        progress = NULL
    WHERE id = $1
    RETURNING *
"""
FIND_REPORT = """
    -- One report.
    SELECT r.*, v.name AS vendor_name
    FROM reporting.reports AS r LEFT JOIN reporting.vendors AS v ON v.id = r.vendor_id
    WHERE r.id = $1
"""
LIST_OF_VENDOR = """
    -- A page of a vendor's reports, newest first, without their figures.
    SELECT r.id, type, vendor_id, period_from, period_to, r.time_zone, state, round, requested_at, request_id, job_id,
           NULL::jsonb AS figures, figures_at, error, changes, revisions, is_due, progress,
           v.name AS vendor_name
    FROM reporting.reports AS r LEFT JOIN reporting.vendors AS v ON v.id = r.vendor_id
    WHERE r.vendor_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3
"""
LIST_OF_ALL = """
    -- A page of everybody's reports, newest first, without their figures.
    SELECT r.id, type, vendor_id, period_from, period_to, r.time_zone, state, round, requested_at, request_id, job_id,
           NULL::jsonb AS figures, figures_at, error, changes, revisions, is_due, progress,
           v.name AS vendor_name
    FROM reporting.reports AS r LEFT JOIN reporting.vendors AS v ON v.id = r.vendor_id
    WHERE r.id < $1 ORDER BY r.id DESC LIMIT $2
"""
REPLACE_FIGURES = """
    -- Put figures in, unless younger ones are there or this job has done so already: then no row back.
    UPDATE reporting.reports
    SET figures = $2, figures_at = $3, job_id = $4, time_zone = $5, counted = $6, state = 'ready', error = NULL,
        progress = NULL,
        revisions = revisions + (figures IS NOT NULL AND is_late AND $6 > counted)::int
    WHERE id = $1 AND (figures_at IS NULL OR figures_at < $3) AND job_id IS DISTINCT FROM $4
    RETURNING round
"""
MARK_FAILED = """
    -- The job of its last asking failed for good.
    UPDATE reporting.reports SET state = 'failed', error = $3, progress = NULL, job_id = NULL
    WHERE id = $1 AND request_id = $2 AND state = 'pending'
    RETURNING *
"""
MARK_EMPTY = """
    -- There is nothing in the period of the round that was asked for.
    UPDATE reporting.reports SET state = 'failed', error = $3, job_id = $4, progress = NULL
    WHERE id = $1 AND round = $2 AND state = 'pending'
    RETURNING *
"""
MARK_CANCELLED = """
    -- Nobody waits for the round that was asked for. What has figures goes on showing them.
    UPDATE reporting.reports
    SET state = CASE WHEN figures IS NULL THEN 'cancelled' ELSE 'ready' END, progress = NULL
    WHERE id = $1 AND round = $2 AND state = 'pending'
"""
TELL_PROGRESS = """
    -- How far a report is that is being built. Who holds the row just now is not waited for: the next share comes soon.
    UPDATE reporting.reports SET progress = $3 WHERE id = (
        SELECT id FROM reporting.reports
        WHERE id = $1 AND round = $2 AND state = 'pending' FOR UPDATE SKIP LOCKED
    )
"""

LONG_SECONDS: Final = 3600.0
"""For statements over all there is, beside which nobody waits for an answer."""
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


async def sales_by_hour(conn: Connection, period: Period, vendor_id: UUID | None) -> list[HourRow]:
    """Sales by the hour of the day; an hour without any is left out."""
    rows = await conn.fetch(HOURS, period.starts_at, period.ends_at, period.zone.key, vendor_id)
    return [HourRow(**row) for row in rows]


async def sales_of_vendors(conn: Connection, period: Period) -> list[VendorSalesRow]:
    """Sales by vendor and currency, and each vendor's sum."""
    rows = await conn.fetch(SALES_OF_VENDORS, period.starts_at, period.ends_at)
    return [VendorSalesRow(**row) for row in rows]


async def facts_of_vendors(conn: Connection, period: Period) -> list[VendorFactRow]:
    """What else happened, by vendor."""
    rows = await conn.fetch(FACTS_OF_VENDORS, period.starts_at, period.ends_at)
    return [VendorFactRow(row["vendor_id"], FactKind(row["kind"]), row["count"]) for row in rows]


async def median_decision(conn: Connection, period: Period, vendor_id: UUID | None) -> int | None:
    """Seconds from submission to decision, the median; None without a decision."""
    seconds = await conn.fetchval(MEDIAN_DECISION, period.starts_at, period.ends_at, vendor_id)
    return None if seconds is None else round(seconds)


async def low_stock_days(conn: Connection, period: Period, vendor_id: UUID | None) -> int:
    """Days of the period on which a product was low."""
    days: int = await conn.fetchval(LOW_STOCK_DAYS, period.starts_at, period.ends_at, period.zone.key, vendor_id)
    return days


async def keep_vendor(conn: Connection, vendor: Vendor, *, told_at: datetime) -> None:
    """What a vendor is called, and where its days begin. Safe to repeat, in any order."""
    await conn.execute(KEEP_VENDOR, vendor.id, vendor.name, vendor.zone and vendor.zone.key, told_at)


async def name_vendor(conn: Connection, vendor_id: UUID, name: str, *, told_at: datetime) -> None:
    """What a vendor is called, by the way: what it says of itself counts more. Safe to repeat, in any order."""
    await conn.execute(NAME_VENDOR, vendor_id, name, told_at)


async def vendors(conn: Connection, vendor_id: UUID | None = None) -> list[Vendor]:
    """Every vendor that is known, or one."""
    rows = await conn.fetch(VENDORS, vendor_id)
    return [Vendor(row["id"], row["name"], row["time_zone"] and ZoneInfo(row["time_zone"])) for row in rows]


async def keep_product(conn: Connection, told: ToldProduct) -> None:
    """What was last told of a product. Safe to repeat, in any order."""
    await conn.execute(
        KEEP_PRODUCT,
        told.id,
        told.vendor_id,
        told.version,
        told.status,
        told.title,
        told.pictures,
        told.description_chars,
    )


async def keep_events(conn: Connection, envelopes: Sequence[Envelope]) -> None:
    """Keep events as they were told. Safe to repeat."""
    await conn.execute(
        KEEP_EVENTS,
        [envelope.id for envelope in envelopes],
        [envelope.type for envelope in envelopes],
        [envelope.model_dump_json(exclude_none=True) for envelope in envelopes],
    )


async def kept_events(conn: Connection, *, after: int, limit: int) -> list[KeptEvent]:
    """Events that came in after one, in their order."""
    return [KeptEvent(row["seq"], row["body"]) for row in await conn.fetch(KEPT_EVENTS, after, limit)]


async def forget_figures(conn: Connection) -> None:
    """Forget all that follows from events. However long it takes."""
    await conn.execute(FORGET_FIGURES, timeout=LONG_SECONDS)


async def sizes(conn: Connection) -> dict[str, int]:
    """How many rows of each kind are known."""
    row = await conn.fetchrow(SIZES, timeout=LONG_SECONDS)
    assert row is not None
    return dict(row)


async def quality(conn: Connection, vendor_id: UUID | None) -> tuple[int, int, int]:
    """How many products there are, without a picture, with a description below `SHORT_CHARS`."""
    row = await conn.fetchrow(QUALITY, vendor_id, SHORT_CHARS)
    assert row is not None
    return row["products"], row["without_picture"], row["short_description"]


async def poor_products(conn: Connection, vendor_id: UUID | None, *, limit: int) -> list[PoorProduct]:
    """The products to look at first."""
    rows = await conn.fetch(POOR_PRODUCTS, vendor_id, SHORT_CHARS, limit)
    return [PoorProduct(**row) for row in rows]


async def add_measures(conn: Connection, told: MeasuresRecorded) -> None:
    """Keep what a service said of one of its hours. Safe to repeat."""
    measures = told.measures
    await conn.execute(ADD_HOUR, told.service, told.hour)
    await conn.execute(
        ADD_MEASURES,
        told.service,
        told.hour,
        [each.name for each in measures],
        [each.label for each in measures],
        [each.count for each in measures],
        [each.total for each in measures],
        [each.least for each in measures],
        [each.most for each in measures],
    )


async def measures(conn: Connection, period: Period) -> list[MeasureRow]:
    """What services measured, by the hour of a period of one day, else by the day."""
    is_hourly = len(period.days) == 1
    rows = await conn.fetch(MEASURES, period.starts_at, period.ends_at, period.zone.key, is_hourly)
    return [MeasureRow(**row) for row in rows]


async def is_whole(conn: Connection, period: Period) -> bool:
    """Whether the last hour of a period is told by whoever told of others."""
    whole: bool = await conn.fetchval(IS_WHOLE, period.starts_at, period.ends_at)
    return whole


async def products_told(conn: Connection, period: Period) -> list[tuple[str, int]]:
    """How many products were in which state at the end of a period, the most frequent first; empty if none told."""
    rows = await conn.fetch(PRODUCTS_TOLD, period.starts_at, period.ends_at)
    return [(row["label"], row["count"]) for row in rows]


async def statuses(conn: Connection) -> list[tuple[str, int]]:
    """How many products are in which state, the most frequent first."""
    return [(row["status"], row["count"]) for row in await conn.fetch(STATUSES)]


async def fact_counts(conn: Connection, period: Period, vendor_id: UUID | None = None) -> list[FactRow]:
    """What else happened, by day, to a vendor or to everybody."""
    rows = await conn.fetch(FACT_COUNTS, period.starts_at, period.ends_at, period.zone.key, vendor_id)
    return [FactRow(row["day"], FactKind(row["kind"]), row["label"], row["count"]) for row in rows]


async def hold_off_builders(conn: Connection) -> None:
    """Let no figures be taken until this transaction ends: what it counts is then seen, or re-opens the report."""
    await conn.execute(HOLD_OFF_BUILDERS)


async def await_recorders(conn: Connection) -> None:
    """Wait until nobody is in the midst of counting. In a transaction of its own, before the figures are taken."""
    await conn.execute(AWAIT_RECORDERS)


async def reopen(conn: Connection, lines: Sequence[SoldLine]) -> None:
    """Note at every report whose sales have changed that they have."""
    if lines:
        await conn.execute(REOPEN, [line.vendor_id for line in lines], [line.placed_at for line in lines])


async def reopen_metrics(conn: Connection, hours: Sequence[datetime]) -> None:
    """Note at every report of metrics that more is known of its hours."""
    if hours:
        await conn.execute(REOPEN_METRICS, hours)


async def revisable(conn: Connection, *, now: datetime, limit: int) -> list[Report]:
    """Reports that late events have made wrong, locked until the transaction ends."""
    return [_report(row) for row in await conn.fetch(REVISABLE, now, limit)]


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
        report.is_due,
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
    conn: Connection, report: Report, figures: AnyFigures, *, at: datetime, counted: int, job_id: UUID
) -> int | None:
    """Put figures in that were taken at `at` and count the first `counted` changes.

    Returns the round they answer; None if they are too old or this job's are there.
    """
    answered: int | None = await conn.fetchval(
        REPLACE_FIGURES, report.id, figures.model_dump(mode="json"), at, job_id, report.period.zone.key, counted
    )
    return answered


async def mark_failed(conn: Connection, report_id: UUID, *, request_id: UUID, error: str) -> Report | None:
    """Say that a report will not come; None if `request_id` is not what asked for it last."""
    row = await conn.fetchrow(MARK_FAILED, report_id, request_id, error)
    return None if row is None else _report(row)


async def mark_empty(conn: Connection, report: Report, *, error: str, job_id: UUID) -> Report | None:
    """Say that there is nothing to report; None if somebody asked once more since `report` was read."""
    row = await conn.fetchrow(MARK_EMPTY, report.id, report.round, error, job_id)
    return None if row is None else _report(row)


async def mark_cancelled(conn: Connection, report: Report) -> None:
    """Say that nobody waits for a report, if nobody asked once more since `report` was read. Safe to repeat."""
    await conn.execute(MARK_CANCELLED, report.id, report.round)


async def tell_progress(conn: Connection, report: Report, share: float) -> None:
    """Say how far the building of a report is."""
    await conn.execute(TELL_PROGRESS, report.id, report.round, share)


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
        changes=row["changes"],
        revisions=row["revisions"],
        is_due=row["is_due"],
        vendor_name=row.get("vendor_name") or "",
        progress=row["progress"],
    )
