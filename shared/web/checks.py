"""Readiness checks of the dependencies most processes have."""

from collections.abc import Iterable

from shared.db.pool import Pool, connection
from shared.errors import Unavailable
from shared.messaging.broker import Link
from shared.messaging.subscription import Subscription
from shared.web.ops import Check


def database_answers(pool: Pool) -> Check:
    """Whether a statement comes back."""

    async def check() -> str | None:
        try:
            async with connection(pool) as conn:
                await conn.execute("SELECT 1", timeout=2)
        except Unavailable as exc:
            return exc.detail
        return None

    return check


def can_publish(link: Link) -> Check:
    """Whether the broker takes what is published on a link that is in use all the time."""
    return link.trouble


def all_consuming(subscriptions: Iterable[Subscription]) -> Check:
    """Whether the broker has confirmed a consumer on each queue and none was lost since."""
    kept = tuple(subscriptions)

    async def check() -> str | None:
        waiting = [
            subscription.queue for subscription in kept if not (subscription.is_consuming or subscription.is_paused)
        ]
        return f"not consuming: {', '.join(waiting)}" if waiting else None

    return check
