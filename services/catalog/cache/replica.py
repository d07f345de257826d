"""This replica among the others: it says that it lives, what its caches did, and cleans them when asked."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from services.catalog.cache import store
from services.catalog.cache.caches import Caches
from services.catalog.cache.models import Mode
from shared.contracts.events import CacheClearRequested
from shared.db.pool import Pool, connection
from shared.errors import Unavailable
from shared.ids import new_id
from shared.lifecycle import background, every
from shared.log import get_logger
from shared.messaging.reader import Received
from shared.messaging.stream import Position

log = get_logger(__name__)

REPORT_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 15.0
KEPT_ANSWERS: Final = 100


class CacheReplica:
    """A listener of the event stream beside the caches. A request it did not hear it finds at its next report."""

    def __init__(self, *, pool: Pool, caches: Caches) -> None:
        self.id = new_id()
        self.name = f"{socket.gethostname()}:{self.id.hex[-6:]}"
        self._pool = pool
        self._caches = caches
        self._removed: OrderedDict[UUID, Mapping[str, int]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def heard(self, received: Received, _: Position) -> None:
        """Clean when asked."""
        if isinstance(received.event, CacheClearRequested):
            task = asyncio.ensure_future(self._answer_or_leave(received.event.request_id, received.event.mode))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def lost(self) -> None:
        """Requests that passed unheard are in the database."""

    async def run_once(self) -> None:
        """Report, and answer what is open."""
        async with connection(self._pool) as conn:
            is_live = self._caches.liveness.is_live
            is_open = await store.seen(conn, self.id, self.name, is_live=is_live, caches=self._caches.counted())
        for request_id, mode in is_open:
            await self.answer(request_id, mode)

    async def answer(self, request_id: UUID, mode: Mode) -> None:
        """Clean once and say what that removed. Raises `Unavailable`: the next report finds the request again.

        A request may be heard and found at the same time; whoever comes second says the same.
        """
        removed = self._removed.get(request_id)
        if removed is None:
            removed = self._removed[request_id] = self._caches.clean(mode)
            if len(self._removed) > KEPT_ANSWERS:
                self._removed.popitem(last=False)
            log.info("caches_cleaned", mode=mode, **removed)
        async with connection(self._pool) as conn:
            await store.answer(conn, request_id, self.id, self.name, removed)

    async def leave(self) -> None:
        """Tell that nobody need wait for this replica."""
        try:
            async with connection(self._pool) as conn:
                await store.gone(conn, self.id)
        except Unavailable as exc:
            log.info("replica_not_removed", error=exc.detail)

    async def _answer_or_leave(self, request_id: UUID, mode: Mode) -> None:
        try:
            await self.answer(request_id, mode)
        except Unavailable as exc:
            log.warning("caches_not_answered", error=exc.detail)


@asynccontextmanager
async def reporting(replica: CacheReplica, caches: Caches) -> AsyncIterator[None]:
    """Report and sweep while the block runs."""
    async with (
        background(every(REPORT_SECONDS, replica.run_once), name="cache replica"),
        background(every(SWEEP_SECONDS, caches.sweep_once), name="cache sweeper"),
    ):
        try:
            yield
        finally:
            await replica.leave()
