"""`/admin/queues` and `/admin/workers`: where the work waits, and who does it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web

from services.catalog.pages.board.jobs import FEED, WORDS
from services.catalog.pages.board.models import Queue, Worker
from services.catalog.pages.board.service import JobsService
from services.catalog.pages.board.wording import KINDS
from services.catalog.pages.view import View
from shared.clock import utc_now

SILENT: Final = timedelta(seconds=35)
"""A worker that was not heard of for longer is not at work: an idle one tells of itself every half minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacePages:
    """The pages of queues and workers."""

    view: View
    jobs: JobsService

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get("/admin/queues", self.queues), web.get("/admin/workers", self.workers)]

    async def queues(self, request: web.Request) -> web.Response:
        """Every queue by what it is for; those that hold nothing and are of the quiet kinds are folded away."""
        queues, types = await asyncio.gather(self.jobs.queues(request), self.jobs.types(request))
        return await self.view.page(
            request,
            "jobs/queues.html.jinja",
            feed=FEED,
            queues=queues,
            kinds=_by_kind(queues.items),
            kind_words=KINDS,
            standing={one.type for one in types if one.paused or one.breaker},
            **WORDS,
        )

    async def workers(self, request: web.Request) -> web.Response:
        """Every worker with what it holds."""
        workers = await self.jobs.workers(request)
        versions = {worker.version for worker in workers if _is_heard(worker)}
        return await self.view.page(
            request,
            "jobs/workers.html.jinja",
            feed=FEED,
            workers=sorted(workers, key=lambda one: (not _is_heard(one), one.worker)),
            is_heard=_is_heard,
            versions=versions,
            **WORDS,
        )


def _by_kind(queues: Sequence[Queue]) -> Mapping[str, Sequence[Queue]]:
    found = {kind: [queue for queue in queues if queue.kind == kind] for kind in KINDS}
    return {kind: of_kind for kind, of_kind in found.items() if of_kind}


def _is_heard(worker: Worker) -> bool:
    return utc_now() - worker.seen_at < SILENT
