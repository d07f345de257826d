"""The SQL of web push, schema `notifier` only. Every method takes the caller's connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notifier.models import Notification, PushOutcome, Reader, Subscription
from shared.db.pool import Connection

MAX_BROWSERS: Final = 10
"""A person's; the oldest goes when another one is added."""

ADD_SUBSCRIPTION = """
    -- Keep a browser. A known address is taken over by who has its keys, that is: by whoever sits there now.
    INSERT INTO notifier.push_subscriptions AS known
        (id, account_id, vendor_id, endpoint, p256dh, auth, name, subscribed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (endpoint) DO UPDATE
    SET account_id = excluded.account_id, vendor_id = excluded.vendor_id, name = excluded.name,
        subscribed_at = CASE WHEN known.account_id = excluded.account_id THEN known.subscribed_at
                             ELSE excluded.subscribed_at END
    WHERE known.p256dh = excluded.p256dh AND known.auth = excluded.auth
    RETURNING id, account_id, vendor_id, endpoint, p256dh, auth, name, subscribed_at
"""
DROP_OLDEST_SUBSCRIPTIONS = """
    -- Beyond so many of a person's browsers the oldest go.
    DELETE FROM notifier.push_subscriptions
    WHERE id IN (SELECT id FROM notifier.push_subscriptions WHERE account_id = $1 ORDER BY id DESC OFFSET $2)
"""
SUBSCRIPTIONS_OF = """
    -- A person's browsers, newest first.
    SELECT id, account_id, vendor_id, endpoint, p256dh, auth, name, subscribed_at
    FROM notifier.push_subscriptions WHERE account_id = $1 ORDER BY id DESC
"""
DROP_OWN_SUBSCRIPTION = """
    -- A person gives a browser up.
    DELETE FROM notifier.push_subscriptions WHERE id = $1 AND account_id = $2
"""
DROP_SUBSCRIPTION = """
    -- Its push service says that there is no such browser any more.
    DELETE FROM notifier.push_subscriptions WHERE id = $1
"""
VENDOR_BROWSERS_TO_TELL = """
    -- The browsers of a vendor's people that are still to be told of a notification: they were there when it came,
    -- their person wants pushes of its kind, and no push service has answered yet.
    SELECT s.id, s.account_id, s.vendor_id, s.endpoint, s.p256dh, s.auth, s.name, s.subscribed_at
    FROM notifier.push_subscriptions s
    WHERE s.vendor_id = $1 AND s.subscribed_at <= $4
      AND NOT EXISTS (SELECT FROM notifier.preferences p
                      WHERE p.account_id = s.account_id AND p.kind = $3 AND NOT p.push)
      AND NOT EXISTS (SELECT FROM notifier.push_deliveries d
                      WHERE d.notification_id = $2 AND d.subscription_id = s.id)
    ORDER BY s.id
"""
ADMIN_BROWSERS_TO_TELL = """
    -- The same for the marketplace's own people.
    SELECT s.id, s.account_id, s.vendor_id, s.endpoint, s.p256dh, s.auth, s.name, s.subscribed_at
    FROM notifier.push_subscriptions s
    WHERE s.vendor_id IS NULL AND s.subscribed_at <= $3
      AND NOT EXISTS (SELECT FROM notifier.preferences p
                      WHERE p.account_id = s.account_id AND p.kind = $2 AND NOT p.push)
      AND NOT EXISTS (SELECT FROM notifier.push_deliveries d
                      WHERE d.notification_id = $1 AND d.subscription_id = s.id)
    ORDER BY s.id
"""
RECORD_PUSH = """
    -- Note what became of one push, unless its browser is gone by now. `sent` is final.
    INSERT INTO notifier.push_deliveries AS known (notification_id, subscription_id, outcome, answered_at)
    SELECT $1, s.id, $3, $4 FROM notifier.push_subscriptions s WHERE s.id = $2
    ON CONFLICT (notification_id, subscription_id) DO UPDATE
    SET outcome = excluded.outcome, answered_at = excluded.answered_at
    WHERE known.outcome <> 'sent'
"""


async def add_subscription(conn: Connection, subscription: Subscription) -> Subscription | None:
    """Keep a browser, in a transaction of the caller's; as it is kept, or None for a known address with other keys."""
    row = await conn.fetchrow(
        ADD_SUBSCRIPTION,
        subscription.id,
        subscription.account_id,
        subscription.vendor_id,
        subscription.endpoint,
        subscription.p256dh,
        subscription.auth,
        subscription.name,
        subscription.subscribed_at,
    )
    await conn.execute(DROP_OLDEST_SUBSCRIPTIONS, subscription.account_id, MAX_BROWSERS)
    return None if row is None else Subscription(**row)


async def subscriptions_of(conn: Connection, account_id: UUID) -> Sequence[Subscription]:
    """A person's browsers, newest first."""
    return [Subscription(**row) for row in await conn.fetch(SUBSCRIPTIONS_OF, account_id)]


async def drop_own_subscription(conn: Connection, reader: Reader, subscription_id: UUID) -> bool:
    """Give a browser up; False if the person has none of that id."""
    return await conn.execute(DROP_OWN_SUBSCRIPTION, subscription_id, reader.account_id) == "DELETE 1"


async def drop_subscription(conn: Connection, subscription_id: UUID) -> None:
    """Forget a browser that is gone, and what it was told."""
    await conn.execute(DROP_SUBSCRIPTION, subscription_id)


async def to_tell(conn: Connection, notification: Notification) -> Sequence[Subscription]:
    """The browsers that a notification is still to be pushed to."""
    about = (notification.id, notification.kind, notification.created_at)
    if notification.vendor_id is None:
        rows = await conn.fetch(ADMIN_BROWSERS_TO_TELL, *about)
    else:
        rows = await conn.fetch(VENDOR_BROWSERS_TO_TELL, notification.vendor_id, *about)
    return [Subscription(**row) for row in rows]


async def record_push(
    conn: Connection, notification_id: UUID, subscription_id: UUID, outcome: PushOutcome, *, at: datetime
) -> None:
    """Note what became of one push; a `sent` stays."""
    await conn.execute(RECORD_PUSH, notification_id, subscription_id, outcome, at)
