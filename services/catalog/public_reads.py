"""Public reads by the short way: answered outside of routing and middlewares, which cost more than the reads do."""

import re
from collections.abc import Iterable
from functools import partial
from typing import Final

from aiohttp import web

from services.catalog.cache.responses import PublicRead
from services.catalog.limits.edge import Limits, ShareUsedUp, tell_grant
from services.catalog.limits.pressure import Pressure
from services.catalog.limits.shedding import PATIENCE_SECONDS
from shared.web.problems import problem_of
from shared.web.requests import accounted
from shared.web.server import ALWAYS_TOLD, FromMemory, ShortWay

_PLAIN_KEY: Final = re.compile("[A-Za-z0-9-]{1,200}")
"""Ids and slugs as they are. What is escaped, has a query or is no name goes the long way, to the same answer."""


def short_way(from_memory: FromMemory, reads: Iterable[PublicRead], *, limits: Limits, pressure: Pressure) -> ShortWay:
    """Answer public reads: from memory, or else what is read by one key.

    A gateway that has fallen behind makes no answer here: which reads it still makes the middlewares decide.
    """
    by_folder = {read.folder: read for read in reads}
    patience = min(PATIENCE_SECONDS.values())

    async def answered(request: web.BaseRequest) -> web.StreamResponse | None:
        response = from_memory(request)
        if response is not None:
            return response
        folder, _, key = request.raw_path.rpartition("/")
        read = by_folder.get(folder)
        if read is None or request.method != "GET" or _PLAIN_KEY.fullmatch(key) is None or "Expect" in request.headers:
            return None
        if pressure.behind_seconds >= patience:
            return None
        return await accounted(request, read.route, partial(_made, limits, read, key))

    return answered


async def _made(limits: Limits, read: PublicRead, key: str, request: web.BaseRequest) -> web.Response:
    """What the middlewares would come to."""
    grant = limits.take_read(request)
    try:
        if grant.is_refused:
            raise ShareUsedUp(grant)
        response = await read.answer(request, key)
    except Exception as exc:  # noqa: BLE001 - the last that sees it
        response = problem_of(exc, request)
        response.headers.update(ALWAYS_TOLD)
    tell_grant(response, grant)
    return response
