"""The caches of one gateway replica, and what keeps them right."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Final
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.catalog.access import SAFE_METHODS
from services.catalog.cache.backend import MonotonicClock
from services.catalog.cache.floors import Floors, Row
from services.catalog.cache.invalidation import stale_rows
from services.catalog.cache.models import CacheCounts, Mode
from services.catalog.cache.readthrough import AreCurrent, Liveness, ReadThrough
from shared.contracts.base import Event
from shared.db.outbox import Outbox
from shared.db.pool import Connection
from shared.messaging.reader import Received
from shared.messaging.stream import Position
from shared.web.problems import Handler

SOURCE: Final = "catalog"
"""Only events of the catalog's own outbox tell of its rows: they are written with the change."""
MIB: Final = 2**20
OWN_IDS: Final = 10_000
SPARED_SECONDS: Final = 600.0
"""How old, beyond its time, an answer may be that is given while the database is away."""

Told = list[tuple[UUID, Event]]
_TOLD: Final[ContextVar[Told | None]] = ContextVar("told", default=None)


class NeverLive:
    """Nobody tells of changes: every hit is checked."""

    is_live = False


class Caches:
    """Product, vendor and inventory answers, lists, and pages for everybody; a listener of the event stream.

    `max_*` are those of design: 5,000 products, 1,000 vendors, 10,000 levels.
    """

    def __init__(
        self,
        *,
        are_current: AreCurrent,
        liveness: Liveness | None = None,
        clock: MonotonicClock = time.monotonic,
    ) -> None:
        self.liveness: Liveness = liveness or NeverLive()
        self._clock = clock
        self._floors = Floors()
        self._own: OrderedDict[UUID, None] = OrderedDict()

        def cache(max_entries: int, max_mib: int) -> ReadThrough:
            return ReadThrough(
                max_entries=max_entries,
                max_bytes=max_mib * MIB,
                floors=self._floors,
                liveness=self.liveness,
                are_current=are_current,
                clock=clock,
            )

        self.product = cache(5000, 48)
        self.vendor = cache(1000, 8)
        self.inventory = cache(10_000, 16)
        self.lists = cache(500, 24)
        self.pages = cache(2000, 32)
        self.by_name: Mapping[str, ReadThrough] = {
            "product": self.product,
            "vendor": self.vendor,
            "inventory": self.inventory,
            "lists": self.lists,
            "pages": self.pages,
        }

    def heard(self, received: Received, _: Position | None) -> None:
        """Drop what an event of the stream makes stale; what this replica wrote itself was dropped at its commit."""
        if received.envelope.source != SOURCE or received.envelope.id in self._own:
            return
        for row, version in stale_rows(received.event):
            self._drop(row, version)

    def lost(self) -> None:
        """Anything may have changed."""
        self._floors.clear()
        for cache in self.by_name.values():
            cache.clear()

    def changed(self, told: Iterable[tuple[UUID, Event]], *, is_committed: bool = True) -> None:
        """Drop what this replica's own events make stale; called after their commit.

        Of a COMMIT that nobody answered the outcome may still come: its events are heard like another's.
        """
        for identifier, event in told:
            for row, version in stale_rows(event):
                self._drop(row, version)
            if is_committed:
                self._own[identifier] = None
        while len(self._own) > OWN_IDS:
            self._own.popitem(last=False)

    def forget(self, row: Row) -> None:
        """Drop, on this replica alone, what depends on a row whose change no event tells of."""
        self._drop(row, None)

    def clean(self, mode: Mode) -> dict[str, int]:
        """Clear all, or free only what is past its time; how many entries went, by cache."""
        if mode == "clear":
            self._floors.clear()
            return {name: cache.clear() for name, cache in self.by_name.items()}
        return self.expire()

    def expire(self) -> dict[str, int]:
        """Free what is past its time; how many entries went, by cache."""
        return {name: cache.expire() for name, cache in self.by_name.items()}

    async def sweep_once(self) -> None:
        """The one sweeper. It spares what may still be wanted when the database goes away."""
        for cache in self.by_name.values():
            cache.expire(spared_seconds=SPARED_SECONDS)

    def counted(self) -> dict[str, CacheCounts]:
        """What each cache did and holds."""
        return {name: cache.counted() for name, cache in self.by_name.items()}

    def _drop(self, row: Row, version: int | None) -> None:
        self._floors.rise(row, version, self._clock())
        for cache in self.by_name.values():
            cache.drop_row(row, version)


class HeardOutbox(Outbox):
    """The outbox of a process with caches: what is written to it in a request is dropped at the request's end."""

    async def add(
        self,
        conn: Connection,
        *events: Event,
        traceparent: str | None = None,
        cause: UUID | None = None,
        identifier: UUID | None = None,
    ) -> tuple[UUID, ...]:
        """As `Outbox.add`."""
        ids = await super().add(conn, *events, traceparent=traceparent, cause=cause, identifier=identifier)
        told = _TOLD.get()
        if told is not None:
            told.extend(zip(ids, events, strict=True))
        return ids


def dropping_middleware(caches: Caches) -> Middleware:
    """Drop what a request changed before it is answered: the caller reads its own writes here.

    Also after a failure: what was rolled back costs a miss, and of a COMMIT nobody answered the outcome is not known.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in SAFE_METHODS:
            return await handler(request)
        told: Told = []
        token, is_committed = _TOLD.set(told), False
        try:
            response = await handler(request)
            is_committed = True
            return response
        finally:
            _TOLD.reset(token)
            caches.changed(told, is_committed=is_committed)

    return middleware
