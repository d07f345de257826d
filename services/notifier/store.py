"""All SQL of the notifier, schema `notifier` only. Every method takes the caller's connection."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.notifier.models import Delivery, Notification
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
    INSERT INTO notifier.notifications (id, vendor_id, kind, params, dedupe_key, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id
"""
VENDOR_INBOX = """
    -- A vendor's inbox as one of its people sees it, newest first, below a position.
    SELECT n.id, n.vendor_id, n.kind, n.params, n.dedupe_key, n.created_at, r.read_at
    FROM notifier.notifications n
    LEFT JOIN notifier.notification_reads r ON r.notification_id = n.id AND r.account_id = $2
    WHERE n.vendor_id = $1 AND n.id < $3
    ORDER BY n.id DESC LIMIT $4
"""
ADMIN_INBOX = """
    -- The admins' inbox as one of them sees it, newest first, below a position.
    SELECT n.id, n.vendor_id, n.kind, n.params, n.dedupe_key, n.created_at, r.read_at
    FROM notifier.notifications n
    LEFT JOIN notifier.notification_reads r ON r.notification_id = n.id AND r.account_id = $1
    WHERE n.vendor_id IS NULL AND n.id < $2
    ORDER BY n.id DESC LIMIT $3
"""
MARK_READ = """
    -- Mark what this audience was sent as read by one account. What belongs to others is left alone.
    INSERT INTO notifier.notification_reads (notification_id, account_id, read_at)
    SELECT n.id, $1, $4 FROM notifier.notifications n
    WHERE n.id = ANY($3::uuid[]) AND n.vendor_id IS NOT DISTINCT FROM $2::uuid
    ON CONFLICT DO NOTHING
"""

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
    )
    return row is not None


async def inbox(
    conn: Connection, *, vendor_id: UUID | None, account_id: UUID, below: UUID = NEWEST, limit: int
) -> Sequence[Notification]:
    """A page of the inbox of a vendor (or, null, of the admins), with what `account_id` has read."""
    if vendor_id is None:
        rows = await conn.fetch(ADMIN_INBOX, account_id, below, limit)
    else:
        rows = await conn.fetch(VENDOR_INBOX, vendor_id, account_id, below, limit)
    return [Notification(**row) for row in rows]


async def mark_read(
    conn: Connection, *, account_id: UUID, vendor_id: UUID | None, ids: Sequence[UUID], at: datetime
) -> int:
    """Mark `ids` as read by `account_id`; how many were unread and theirs. Safe to repeat."""
    status = await conn.execute(MARK_READ, account_id, vendor_id, list(ids), at)
    return int(status.split()[-1])
