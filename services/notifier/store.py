"""All SQL of the notifier, schema `notifier` only. Every method takes the caller's connection."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from services.notifier.models import MAX_UNREAD, Delivery, Notification, Preference, Reader
from shared.db.measures import MOST_SECONDS
from shared.db.pool import Connection

SENT_TO = """
    -- The accounts that already have this job's letter.
    SELECT account_id FROM notifier.deliveries
    WHERE job_id = $1 AND outcome = 'sent'
"""
RECORD_DELIVERY = """
    -- Note the server's answer. `sent` is final: a later answer, of a second copy of the job, does not change it.
    INSERT INTO notifier.deliveries AS known (job_id, account_id, message_id, outcome, answer, answered_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (job_id, account_id) DO UPDATE
    SET outcome = excluded.outcome, answer = excluded.answer, answered_at = excluded.answered_at
    WHERE known.outcome <> 'sent'
"""
ANSWERED = """
    -- What the mail server's answers of a time span were.
    SELECT outcome, count(*) AS count FROM notifier.deliveries
    WHERE answered_at >= $1 AND answered_at < $2 GROUP BY outcome ORDER BY outcome
"""
FORGET_DELIVERIES = """
    -- Drop a batch of guards nobody can need any more.
    DELETE FROM notifier.deliveries
    WHERE (job_id, account_id) IN (
        SELECT job_id, account_id FROM notifier.deliveries
        WHERE answered_at < $1 ORDER BY answered_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
"""
ADD_NOTIFICATION = """
    -- Put it into the inbox unless it is there: a row back only the first time.
    INSERT INTO notifier.notifications (id, vendor_id, kind, params, dedupe_key, created_at, hidden_from)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id
"""
KNOWN_NOTIFICATION = """
    -- A line by its dedupe key, as it was first written.
    SELECT id, vendor_id, kind, params, dedupe_key, created_at, hidden_from
    FROM notifier.notifications WHERE dedupe_key = $1
"""
VENDOR_INBOX = """
    -- A vendor's inbox as one of its people sees it, newest first, below a position.
    SELECT n.id, n.vendor_id, n.kind, n.params, n.dedupe_key, n.created_at, n.hidden_from,
           coalesce(r.read_at, m.read_at) AS read_at
    FROM notifier.notifications n
    LEFT JOIN notifier.notification_reads r ON r.notification_id = n.id AND r.account_id = $2
    LEFT JOIN notifier.inbox_marks m ON m.account_id = $2 AND m.read_up_to >= n.id
    WHERE n.vendor_id = $1 AND n.id < $3 AND $2 <> ALL (n.hidden_from)
    ORDER BY n.id DESC LIMIT $4
"""
ADMIN_INBOX = """
    -- The admins' inbox as one of them sees it, newest first, below a position.
    SELECT n.id, n.vendor_id, n.kind, n.params, n.dedupe_key, n.created_at, n.hidden_from,
           coalesce(r.read_at, m.read_at) AS read_at
    FROM notifier.notifications n
    LEFT JOIN notifier.notification_reads r ON r.notification_id = n.id AND r.account_id = $1
    LEFT JOIN notifier.inbox_marks m ON m.account_id = $1 AND m.read_up_to >= n.id
    WHERE n.vendor_id IS NULL AND n.id < $2 AND $1 <> ALL (n.hidden_from)
    ORDER BY n.id DESC LIMIT $3
"""
VENDOR_UNREAD = """
    -- How many lines one of a vendor's people has not read, counted no further than the limit.
    SELECT count(*) FROM (
        SELECT FROM notifier.notifications n
        WHERE n.vendor_id = $1 AND $2 <> ALL (n.hidden_from)
          AND n.id > coalesce((SELECT m.read_up_to FROM notifier.inbox_marks m WHERE m.account_id = $2), $3)
          AND NOT EXISTS (
              SELECT FROM notifier.notification_reads r WHERE r.notification_id = n.id AND r.account_id = $2
          )
        LIMIT $4
    ) unread
"""
ADMIN_UNREAD = """
    -- How many lines one of the marketplace's people has not read, counted no further than the limit.
    SELECT count(*) FROM (
        SELECT FROM notifier.notifications n
        WHERE n.vendor_id IS NULL AND $1 <> ALL (n.hidden_from)
          AND n.id > coalesce((SELECT m.read_up_to FROM notifier.inbox_marks m WHERE m.account_id = $1), $2)
          AND NOT EXISTS (
              SELECT FROM notifier.notification_reads r WHERE r.notification_id = n.id AND r.account_id = $1
          )
        LIMIT $3
    ) unread
"""
MARK_READ = """
    -- Mark what this audience was sent as read by one account. What belongs to others is left alone.
    INSERT INTO notifier.notification_reads (notification_id, account_id, read_at)
    SELECT n.id, $1, $4 FROM notifier.notifications n
    WHERE n.id = ANY($3::uuid[]) AND n.vendor_id IS NOT DISTINCT FROM $2::uuid
    ON CONFLICT DO NOTHING
"""
NEWEST_OF_VENDOR = """
    -- The newest line of a vendor's inbox.
    SELECT id FROM notifier.notifications WHERE vendor_id = $1 ORDER BY id DESC LIMIT 1
"""
NEWEST_OF_ADMINS = """
    -- The newest line of the admins' inbox.
    SELECT id FROM notifier.notifications WHERE vendor_id IS NULL ORDER BY id DESC LIMIT 1
"""
MARK_READ_UP_TO = """
    -- Everything up to a line counts as read by one account; the mark only rises.
    INSERT INTO notifier.inbox_marks AS known (account_id, read_up_to, read_at)
    VALUES ($1, $2, $3)
    ON CONFLICT (account_id) DO UPDATE SET read_up_to = excluded.read_up_to, read_at = excluded.read_at
    WHERE known.read_up_to < excluded.read_up_to
"""
FORGET_NOTIFICATIONS = """
    -- Drop a batch of the oldest lines, with who has read them.
    DELETE FROM notifier.notifications
    WHERE id IN (SELECT id FROM notifier.notifications WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""
PREFERENCES_OF = """
    -- What an account has chosen; kinds without a row are at their default.
    SELECT kind, in_app, email, push FROM notifier.preferences WHERE account_id = $1
"""
FORGET_PREFERENCES = """
    -- Back to the defaults: the first half of replacing what an account has chosen.
    DELETE FROM notifier.preferences WHERE account_id = $1
"""
ADD_PREFERENCES = """
    -- What an account has chosen; of two at once the last one holds.
    INSERT INTO notifier.preferences (account_id, vendor_id, kind, in_app, email, push, changed_at)
    SELECT $1, $2, kind, in_app, email, push, $7
    FROM unnest($3::text[], $4::boolean[], $5::boolean[], $6::boolean[]) AS chosen (kind, in_app, email, push)
    ON CONFLICT (account_id, kind) DO UPDATE
    SET vendor_id = excluded.vendor_id, in_app = excluded.in_app, email = excluded.email, push = excluded.push,
        changed_at = excluded.changed_at
"""
WITHOUT_MAIL = """
    -- Which of these accounts want no letters of a kind?
    SELECT account_id FROM notifier.preferences WHERE account_id = ANY ($1::uuid[]) AND kind = $2 AND NOT email
"""
VENDOR_WITHOUT_LINES = """
    -- Who of a vendor's people wants no lines of a kind in the inbox?
    SELECT account_id FROM notifier.preferences
    WHERE kind = $1 AND vendor_id = $2 AND NOT in_app ORDER BY account_id
"""
ADMINS_WITHOUT_LINES = """
    -- Who of the marketplace's people wants no lines of a kind in the inbox?
    SELECT account_id FROM notifier.preferences
    WHERE kind = $1 AND vendor_id IS NULL AND NOT in_app ORDER BY account_id
"""

OLDEST = UUID(int=0)
NEWEST = UUID(int=(1 << 128) - 1)
"""A position above every id: the start of an inbox."""


async def sent_to(conn: Connection, job_id: UUID) -> frozenset[UUID]:
    """The accounts that already have this job's letter."""
    return frozenset(row["account_id"] for row in await conn.fetch(SENT_TO, job_id))


async def record_delivery(conn: Connection, delivery: Delivery) -> None:
    """Note the answer to one mail; a second answer replaces a refusal, never a `sent`."""
    await conn.execute(
        RECORD_DELIVERY,
        delivery.job_id,
        delivery.account_id,
        delivery.message_id,
        delivery.outcome,
        delivery.answer,
        delivery.at,
    )


async def answered(conn: Connection, *, since: datetime, until: datetime) -> list[tuple[str, int]]:
    """How many mails were `sent` and `refused` in a time span; what did not occur is left out."""
    return [(row["outcome"], row["count"]) for row in await conn.fetch(ANSWERED, since, until, timeout=MOST_SECONDS)]


async def forget_deliveries(conn: Connection, *, before: datetime, limit: int) -> int:
    """Drop up to `limit` guards older than `before`; how many went."""
    status = await conn.execute(FORGET_DELIVERIES, before, limit)
    return int(status.split()[-1])


async def add_notification(conn: Connection, notification: Notification) -> bool:
    """Put it into its inbox; False if one with this dedupe key is there."""
    row = await conn.fetchval(
        ADD_NOTIFICATION,
        notification.id,
        notification.vendor_id,
        notification.kind,
        notification.params,
        notification.dedupe_key,
        notification.created_at,
        list(notification.hidden_from),
    )
    return row is not None


async def known_notification(conn: Connection, dedupe_key: str) -> Notification | None:
    """The line that was first written with this key."""
    row = await conn.fetchrow(KNOWN_NOTIFICATION, dedupe_key)
    return None if row is None else _notification(row)


async def inbox(conn: Connection, reader: Reader, *, below: UUID = NEWEST, limit: int) -> Sequence[Notification]:
    """A page of the reader's inbox, newest first, with what they have read."""
    if reader.vendor_id is None:
        rows = await conn.fetch(ADMIN_INBOX, reader.account_id, below, limit)
    else:
        rows = await conn.fetch(VENDOR_INBOX, reader.vendor_id, reader.account_id, below, limit)
    return [_notification(row) for row in rows]


def _notification(row: Record) -> Notification:
    return Notification(**{**row, "hidden_from": tuple(row["hidden_from"])})


async def unread(conn: Connection, reader: Reader) -> int:
    """How many lines the reader has not read, `MAX_UNREAD` at most."""
    if reader.vendor_id is None:
        count: int = await conn.fetchval(ADMIN_UNREAD, reader.account_id, OLDEST, MAX_UNREAD)
    else:
        count = await conn.fetchval(VENDOR_UNREAD, reader.vendor_id, reader.account_id, OLDEST, MAX_UNREAD)
    return count


async def mark_read(conn: Connection, reader: Reader, *, ids: Sequence[UUID], at: datetime) -> int:
    """Mark `ids` as read by the reader; how many of theirs had no such mark. Safe to repeat."""
    status = await conn.execute(MARK_READ, reader.account_id, reader.vendor_id, list(ids), at)
    return int(status.split()[-1])


async def mark_all_read(conn: Connection, reader: Reader, *, at: datetime) -> None:
    """Count everything that is in the reader's inbox now as read. Safe to repeat."""
    if reader.vendor_id is None:
        newest = await conn.fetchval(NEWEST_OF_ADMINS)
    else:
        newest = await conn.fetchval(NEWEST_OF_VENDOR, reader.vendor_id)
    if newest is not None:
        await conn.execute(MARK_READ_UP_TO, reader.account_id, newest, at)


async def forget_notifications(conn: Connection, *, below: UUID, limit: int) -> int:
    """Drop up to `limit` lines whose id is below a position; how many went."""
    status = await conn.execute(FORGET_NOTIFICATIONS, below, limit)
    return int(status.split()[-1])


async def preferences(conn: Connection, account_id: UUID) -> Mapping[str, Preference]:
    """What an account has chosen, by kind."""
    return {row["kind"]: Preference(**row) for row in await conn.fetch(PREFERENCES_OF, account_id)}


async def replace_preferences(conn: Connection, reader: Reader, chosen: Sequence[Preference], *, at: datetime) -> None:
    """Keep `chosen`, one per kind, and nothing else; in a transaction of the caller's."""
    await conn.execute(FORGET_PREFERENCES, reader.account_id)
    await conn.execute(
        ADD_PREFERENCES,
        reader.account_id,
        reader.vendor_id,
        [preference.kind for preference in chosen],
        [preference.in_app for preference in chosen],
        [preference.email for preference in chosen],
        [preference.push for preference in chosen],
        at,
    )


async def without_mail(conn: Connection, accounts: Sequence[UUID], *, kind: str) -> frozenset[UUID]:
    """Which of these accounts want no letters of this kind."""
    return frozenset(row["account_id"] for row in await conn.fetch(WITHOUT_MAIL, list(accounts), kind))


async def without_lines(conn: Connection, vendor_id: UUID | None, *, kind: str) -> tuple[UUID, ...]:
    """Who of an inbox's people wants no lines of this kind in it."""
    if vendor_id is None:
        rows = await conn.fetch(ADMINS_WITHOUT_LINES, kind)
    else:
        rows = await conn.fetch(VENDOR_WITHOUT_LINES, kind, vendor_id)
    return tuple(row["account_id"] for row in rows)
