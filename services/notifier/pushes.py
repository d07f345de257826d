"""Who is told by web push, and what became of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from services.notifier import push_store
from services.notifier.contacts import Contacts
from services.notifier.errors import PushPutOff, SubscriptionTaken, UnknownSubscription
from services.notifier.lines import said_of
from services.notifier.models import Notification, PushOutcome, PushResult, Reader, Subscription
from services.notifier.pusher import Push, Pusher, checked_keys, topic_of
from shared.clock import Clock
from shared.db.pool import Pool, connection, transaction
from shared.encoding import to_json
from shared.errors import FieldError, InvalidInput, Unavailable
from shared.ids import new_id
from shared.log import get_logger

log = get_logger(__name__)

KEPT_FOR: Final = timedelta(hours=24)
"""How long a push service keeps a message for a browser that is away; older news is in the inbox."""
AT_ONCE: Final = 8
ALL_SECONDS: Final = 9.0
"""For all browsers of one notification: a job's limit is 15 s. Who is not reached in it is told by the next attempt."""
URGENT: Final = frozenset({"product_rejected", "product_submitted", "stock_low", "sync_failing"})

PUSHES: Final = Counter(
    "souk_pushes",
    "Web pushes to one browser each: sent, gone (the browser is forgotten), refused, put_off (the next attempt sends "
    "it), given_up (the job's last attempt).",
    ["outcome"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushes:
    """Tells browsers of notifications. Without a key there is no `pusher`: nobody is told, and nobody can subscribe."""

    pool: Pool
    contacts: Contacts
    pusher: Pusher | None
    clock: Clock

    async def push(self, notification: Notification, *, is_last: bool) -> PushResult:
        """Push a notification to every browser of its audience that was not told of it yet. At least once.

        A row in `push_deliveries` follows each push service's answer at once. Killed before the answer nothing was
        shown, or it was and the next attempt shows it again in the same place: browsers replace what has the same tag.
        Killed after the row it is never pushed again.

        A browser that is gone is forgotten. Where a push service does not answer, `PushPutOff` is raised after all
        others were told, and the next attempt tells the rest; the job's last one (`is_last`) gives them up instead:
        the line is in the inbox, and a push service that is away is no failure of ours. What is older than a day is
        not pushed. People are asked for only if somebody may be there to be told; with the catalog away it is the same
        as with a push service.
        """
        lasts = KEPT_FOR - (self.clock() - notification.created_at)
        if self.pusher is None or lasts <= timedelta(seconds=1):
            return PushResult()
        async with connection(self.pool) as conn:
            browsers = await push_store.to_tell(conn, notification)
        try:
            there = await self._of_those_there(notification, browsers) if browsers else browsers
        except Unavailable as exc:
            if is_last:
                return PushResult.of([PushOutcome.GIVEN_UP] * len(browsers))
            # No breaker opens for this: lines go into inboxes without the catalog.
            raise PushPutOff(f"Nobody says who is there: {exc.detail}") from exc
        message = _message(notification, ttl_seconds=int(lasts.total_seconds()))
        outcomes, put_off = await self._send_all(self.pusher, notification, there, message)
        if put_off and not is_last:
            PUSHES.labels("put_off").inc(len(put_off))
            raise PushPutOff(f"{len(put_off)} of {len(there)} browsers could not be told yet.", _longest(put_off))
        for browser in put_off:
            await self._note(notification, browser, PushOutcome.GIVEN_UP)
        outcomes += [PushOutcome.GIVEN_UP] * len(put_off)
        return PushResult.of(outcomes)

    async def _of_those_there(
        self, notification: Notification, browsers: Sequence[Subscription]
    ) -> Sequence[Subscription]:
        """Who left the vendor, or is no admin any more, is told nothing."""
        if notification.vendor_id is None:
            people = await self.contacts.admins()
        else:
            people = await self.contacts.vendor(notification.vendor_id)
        there = {person.account_id for person in people}
        return [browser for browser in browsers if browser.account_id in there]

    async def _send_all(
        self, pusher: Pusher, notification: Notification, browsers: Sequence[Subscription], message: Push
    ) -> tuple[list[PushOutcome], dict[Subscription, float | None]]:
        """Some at once, for a bounded time. What became of each, and who was put off, with the wait asked for."""
        outcomes: list[PushOutcome] = []
        put_off: dict[Subscription, float | None] = dict.fromkeys(browsers)
        slots = asyncio.Semaphore(AT_ONCE)

        async def tell(browser: Subscription) -> None:
            async with slots:
                try:
                    outcome = await pusher.send(browser, message)
                except Unavailable as exc:
                    put_off[browser] = exc.retry_after_seconds
                    return
                # Killed from here until the row is written, this browser is told again by the next attempt.
                await self._note(notification, browser, outcome)
            outcomes.append(outcome)
            del put_off[browser]

        tasks = [asyncio.create_task(tell(browser)) for browser in browsers]
        try:
            async with asyncio.timeout(ALL_SECONDS):
                await asyncio.gather(*tasks)
        except TimeoutError:
            log.warning("pushes_slow", browsers=len(browsers), told=len(outcomes))
        return outcomes, put_off

    async def _note(self, notification: Notification, browser: Subscription, outcome: PushOutcome) -> None:
        async with connection(self.pool) as conn:
            if outcome is PushOutcome.GONE:
                await push_store.drop_subscription(conn, browser.id)
            else:
                await push_store.record_push(conn, notification.id, browser.id, outcome, at=self.clock())
        PUSHES.labels(outcome.value).inc()
        log.info("pushed", outcome=outcome.value, account_id=str(browser.account_id), subscription_id=str(browser.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """The browsers that show a person's notifications. Without a public key there are none."""

    pool: Pool
    public_key: str | None
    clock: Clock

    async def of(self, reader: Reader) -> Sequence[Subscription]:
        """A person's own, newest first."""
        async with connection(self.pool) as conn:
            return await push_store.subscriptions_of(conn, reader.account_id)

    async def add(self, reader: Reader, *, endpoint: str, p256dh: str, auth: str, name: str) -> Subscription:
        """Keep a browser, once, however often it subscribes; the oldest of more than ten goes.

        Raises `InvalidInput` for keys that are none, and where there is no web push; `SubscriptionTaken` for a known
        address with other keys.
        """
        if self.public_key is None:
            raise InvalidInput("There is no web push here.")
        if wrong := checked_keys(p256dh, auth):
            errors = [FieldError(f"/keys/{key}", "key", "a key of a push subscription, in base64url") for key in wrong]
            raise InvalidInput("The subscription's keys do not fit.", errors=errors)
        subscription = Subscription(
            new_id(), reader.account_id, reader.vendor_id, endpoint, p256dh, auth, name, self.clock()
        )
        async with transaction(self.pool) as conn:
            kept = await push_store.add_subscription(conn, subscription)
            if kept is None:
                raise SubscriptionTaken("Another browser has subscribed with this address.")
        return kept

    async def remove(self, reader: Reader, subscription_id: UUID) -> None:
        """Tell a browser no more. Raises `UnknownSubscription`."""
        async with connection(self.pool) as conn:
            if not await push_store.drop_own_subscription(conn, reader, subscription_id):
                raise UnknownSubscription("You have no such browser.")


def _message(notification: Notification, *, ttl_seconds: int) -> Push:
    """What the service worker is told. The tag makes news replace what is no longer so on the screen, too."""
    said = said_of(notification.kind, notification.params)
    content = {
        "id": notification.id,
        "title": said.title,
        "body": said.text,
        "path": said.path,
        "tag": topic_of(said.topic),
    }
    return Push(to_json(content), said.topic, ttl_seconds, notification.kind in URGENT)


def _longest(put_off: dict[Subscription, float | None]) -> float | None:
    return max((wait for wait in put_off.values() if wait is not None), default=None)
