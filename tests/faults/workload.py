"""A steady load of real requests by careful clients, who keep their own book of what Souk accepted.

A client sends the same thing with the same key until it has an answer, as a good client does. Only what was answered
with success is in the book; `verdict.py` compares it with what Souk made of it.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from deploy.local.pictures import photo
from tests import factories
from tests.e2e.marketplace import JSON, STATES, Shop
from tests.faults.balancer import Balancer, Reply
from tests.faults.stand import Stand

ANSWER_SECONDS: Final = 5.0
"""No answer for so long is an ill one."""
PATIENCE_SECONDS: Final = 150.0
"""How long a client sends again before it gives up; longer than any fault lasts."""
MOST_AT_ONCE: Final = 40
SAMPLE_SECONDS: Final = 0.25
PICTURES: Final = 8
"""So many different pictures are uploaded, again and again."""
CALM: Final = 0.9
"""The share of vendors that send an offer once; the others press the button three times."""
RETURNED: Final = 0.3
"""The share of orders that are taken back."""
VENDORS: Final = ("vendor", "vendor", "vendor", "other vendor")
STATISTICS: Final = "/api/admin/jobs?action=stats"


@dataclass(slots=True)
class Offered:
    """A product that a vendor offered; `id` is there once it was accepted."""

    sku: str
    title: str
    vendor: str
    id: str | None = None
    images: list[str] = field(default_factory=list)
    is_whole: bool = False
    """Whether all of its pictures are there, so that it may be decided on."""
    decision: str | None = None
    is_on_sale: bool = False


@dataclass(slots=True)
class Ordered:
    """A job that an operator entered, and the states it may end in."""

    id: str
    type: str
    ends: frozenset[str]


@dataclass(slots=True)
class Book:
    """What was accepted, how requests were answered, and what the statistics said meanwhile."""

    begun_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    products: list[Offered] = field(default_factory=list)
    jobs: dict[str, Ordered] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    """The `external_id` of each order that a channel brought in."""
    answered_well: int = 0
    """Requests with an answer below 500, as the client behind the balancer sees them."""
    answered_ill: list[str] = field(default_factory=list)
    """Requests that were answered with 500 and above, too late, or not at all, and were sent again."""
    unanswered: list[str] = field(default_factory=list)
    """Requests that got no good answer however often they were sent."""
    samples: int = 0
    wrong_samples: list[str] = field(default_factory=list)


class Refused(Exception):
    """An answer that no repetition would better: the workload itself is wrong, or Souk is."""


class Workload:
    """Runs while its block does; at the end it waits for the requests that are still under way.

    `per_second` is how many things are begun in a second: each is one to three requests and up to three jobs.
    """

    def __init__(self, stand: Stand, http: aiohttp.ClientSession, random: Random, *, per_second: float = 8.0) -> None:
        self.book = Book()
        self._shop = Shop(stand, http)
        self._balancer = Balancer(http, stand.gateways(), within_seconds=ANSWER_SECONDS)
        self._random = random
        self._pause_seconds = 1 / per_second
        self._under_way: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._pictures = [photo(number, 200, 150) for number in range(PICTURES)]
        self._actions: list[Callable[[], Coroutine[Any, Any, object]]] = [
            *[partial(self.offer, pictures=1)] * 3,
            *[partial(self.offer, pictures=0)] * 2,
            *[self._decide] * 3,
            *[self._enter] * 2,
            *[self._sell] * 2,
            self._receive,
            self._enter_bad,
            self._cancel_later,
            self._cancel_at_once,
        ]

    async def __aenter__(self) -> Self:
        self._loops = [asyncio.create_task(self._keep_pace()), asyncio.create_task(self._sample())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for loop in self._loops:
            loop.cancel()
        outcomes = await asyncio.gather(*self._loops, return_exceptions=True)
        await asyncio.gather(*self._under_way, return_exceptions=True)  # what they met is in the book
        for outcome in outcomes:
            if error is None and isinstance(outcome, Exception):
                raise outcome

    # -- what people do ------------------------------------------------------------------------------

    async def offer(self, *, pictures: int) -> Offered:
        """A vendor offers a product, then uploads its pictures."""
        mark = self._key()[:12]
        offered = Offered(f"F-{mark}", f"Chair {mark}", self._random.choice(VENDORS))
        offer = factories.offer(sku=offered.sku, title=offered.title)
        copies = 1 if self._random.random() < CALM else 3
        made, *again = await self._send_at_once(copies, offered.vendor, "/api/vendor/products", json=offer)
        if made is None:
            return offered
        if {each.body["id"] for each in again if each is not None} - {made.body["id"]}:
            raise Refused(f"one key made several products: {[made, *again]}")
        offered.id = made.body["id"]
        self.book.products.append(offered)
        for _ in range(pictures):
            path = f"/api/vendor/products/{offered.id}/images"
            added = await self._send(offered.vendor, path, picture=self._random.choice(self._pictures))
            if added is not None:
                offered.images.append(added.body["image_id"])
        offered.is_whole = True
        return offered

    async def _decide(self) -> None:
        """The admin approves or rejects a product that waits, or looks for something to do."""
        waiting = [each for each in self.book.products if each.is_whole and each.decision is None]
        if not waiting:
            await self.offer(pictures=0)
            return
        product = self._random.choice(waiting)
        product.decision = decision = self._random.choice(("approved", "rejected"))
        action, body = ("approve", None) if decision == "approved" else ("reject", {"reasons": [_REASON]})
        answer = await self._send("admin", f"/api/admin/products/{product.id}/{action}", json=body, takes=(200, 409))
        if answer is None:
            product.decision = None
        elif answer.status == 409:  # the answer to the first try was lost
            shown = await self._ask("admin", f"/api/admin/products/{product.id}")
            if shown is not None and shown.body["status"] != decision:
                raise Refused(f"{product.id} is {shown.body['status']}, not {decision}: {answer.body}")
        product.is_on_sale = product.decision == "approved"

    async def _sell(self) -> None:
        """A channel brings in an order of up to three products, and now and then takes it back."""
        on_sale = [each for each in self.book.products if each.is_on_sale]
        if not on_sale:
            await self._decide()
            return
        external_id = self._key()
        bought = self._random.sample(on_sale, min(3, len(on_sale)))
        body = factories.order(*((str(product.id), 1) for product in bought), external_id=external_id)
        placed = await self._send("channel", "/api/orders", json=body, takes=(200, 201, 409))
        if placed is None or placed.status == 409:  # sold out
            return
        self.book.orders.append(external_id)
        if self._random.random() < RETURNED:
            await self._send("channel", f"/api/orders/{placed.body['id']}/cancel", takes=(200,))

    async def _receive(self) -> None:
        """A vendor gets new pieces of what it sells."""
        whole = [each for each in self.book.products if each.id is not None]
        if not whole:
            return
        product = self._random.choice(whole)
        lines = [{"product_id": product.id, "delta": self._random.randint(1, 5)}]
        body = {"kind": "receive", "lines": lines}
        await self._send(product.vendor, "/api/vendor/inventory/adjust", json=body)

    async def enter(self, ends: frozenset[str] = frozenset({"completed"}), **fields: Any) -> str | None:
        """An operator enters a notification by hand; the job's id."""
        key = self._key()
        body = {
            "type": "send-notification",
            "payload": {"kind": "product_submitted", "audience": {"kind": "admins"}, "params": _params(key)},
            "idempotency_key": key,
            **fields,
        }
        answer = await self._send("ops", "/api/admin/jobs/enqueue", json=body, key=key, takes=(200, 201))
        if answer is None:
            return None
        job = answer.body.get("job", answer.body)
        self.book.jobs[job["id"]] = Ordered(job["id"], body["type"], ends)
        return str(job["id"])

    async def _enter(self) -> None:
        await self.enter(priority=self._random.randint(1, 5))

    async def _enter_bad(self) -> None:
        """A job that cannot be done: it has to be failed, visibly."""
        payload = {"letter": "no_such_letter", "audience": {"kind": "admins"}, "params": {}}
        await self.enter(frozenset({"failed"}), type="send-email", payload=payload)

    async def _cancel_later(self) -> None:
        """A job that is cancelled before its time has come."""
        soon = datetime.now(UTC) + timedelta(hours=1)
        job_id = await self.enter(frozenset({"cancelled"}), run_at=soon.isoformat().replace("+00:00", "Z"))
        if job_id is not None:
            await self._cancel(job_id)

    async def _cancel_at_once(self) -> None:
        """A job that is cancelled while it is under way: whichever comes first is right."""
        job_id = await self.enter(frozenset({"cancelled", "completed"}), priority=5)
        if job_id is not None:
            await self._cancel(job_id)

    async def _cancel(self, job_id: str) -> None:
        await self._send("ops", f"/api/admin/jobs/{job_id}/cancel", takes=(200, 202, 409))

    # -- how they do it ------------------------------------------------------------------------------

    async def _keep_pace(self) -> None:
        while True:
            if len(self._under_way) < MOST_AT_ONCE:
                task = asyncio.create_task(self._act(self._random.choice(self._actions)))
                self._under_way.add(task)
                task.add_done_callback(self._ended)
            await asyncio.sleep(self._pause_seconds)

    async def _act(self, action: Callable[[], Coroutine[Any, Any, object]]) -> None:
        await action()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.book.unanswered.append(repr(error))

    async def _sample(self) -> None:
        """Look at the statistics again and again: their parts are their sum, in every sample."""
        while True:
            try:
                said = await self._balancer.request("GET", STATISTICS, headers=self._shop.as_("ops"))
            except (aiohttp.ClientError, TimeoutError, ValueError):
                said = None
            if said is not None and said.status == 200:
                self.book.samples += 1
                stats = said.body["stats"]
                if stats["total"] != sum(stats[state] for state in STATES) or min(stats[s] for s in STATES) < 0:
                    self.book.wrong_samples.append(str(stats))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _ask(self, who: str, path: str) -> Reply | None:
        return await self._send(who, path, method="GET")

    async def _send_at_once(self, copies: int, who: str, path: str, *, json: JSON) -> list[Reply | None]:
        """Send the same with the same key as often at once, each until it is taken."""
        key = self._key()
        return await asyncio.gather(*(self._send(who, path, json=json, key=key) for _ in range(copies)))

    def _key(self) -> str:
        return uuid.UUID(int=self._random.getrandbits(128)).hex

    async def _send(
        self,
        who: str,
        path: str,
        *,
        method: str = "POST",
        json: JSON | None = None,
        picture: bytes | None = None,
        takes: tuple[int, ...] = (200, 201),
        key: str | None = None,
    ) -> Reply | None:
        """Send until it is taken. None, and a line in the book, when nothing took it in all the time."""
        headers = {**self._shop.as_(who), "Idempotency-Key": key or self._key()}
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause_seconds = 0.1
        while True:
            answer = await self._try(method, path, headers, json, picture)
            if answer is not None and answer.status in takes and answer.code != "idempotency_key_in_flight":
                return answer
            is_final = answer is not None and answer.status < 500 and answer.code != "idempotency_key_in_flight"
            if is_final or time.monotonic() > deadline:
                self.book.unanswered.append(f"{method} {path}: {answer}")
                return None
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, 1.0)

    async def _try(
        self, method: str, path: str, headers: dict[str, str], json: JSON | None, picture: bytes | None
    ) -> Reply | None:
        form = None if picture is None else partial(_form, picture)
        try:
            said = await self._balancer.request(method, path, headers=headers, json=json, form=form)
        except (aiohttp.ClientError, TimeoutError, ValueError) as none:
            self.book.answered_ill.append(f"{method} {path}: {none!r}")
            return None
        if said.status < 500:
            self.book.answered_well += 1
        else:
            self.book.answered_ill.append(f"{method} {path}: {said.status} {said.body.get('detail')}")
        return said


_REASON: Final = {"code": "other", "note": "Not what we look for."}


def _params(key: str) -> JSON:
    return {"product_id": str(uuid.uuid5(uuid.NAMESPACE_OID, key)), "title": f"By hand {key[:8]}"}


def _form(picture: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", picture, filename="picture.jpg", content_type="image/jpeg")
    form.add_field("alt", "A picture")
    return form
