"""The HTTP edge of dead letters; admins and ops alike."""

from uuid import UUID

from aiohttp import web

from services.jobs.answers import OPERATORS, answer, next_page, nothing_in
from services.jobs.dead_letters.schemas import (
    LettersQuery,
    PurgeBody,
    ReplayBody,
    ReplayedShown,
    letter_shown,
    whole_letter,
)
from services.jobs.dead_letters.usecases import LetterDesk
from services.jobs.errors import LetterNotFound
from shared.web.bodies import read_body, read_query
from shared.web.identity import require
from shared.web.paging import id_in
from shared.web.problems import REQUEST_ID


def routes(desk: LetterDesk) -> list[web.RouteDef]:
    """Register these."""
    edge = _Edge(desk)
    return [
        web.get("/api/admin/dead-letters", edge.list),
        web.post("/api/admin/dead-letters/replay", edge.replay_all),
        web.post("/api/admin/dead-letters/purge", edge.purge),
        web.get("/api/admin/dead-letters/{id}", edge.show),
        web.delete("/api/admin/dead-letters/{id}", edge.delete),
        web.post("/api/admin/dead-letters/{id}/replay", edge.replay),
    ]


class _Edge:
    def __init__(self, desk: LetterDesk) -> None:
        self._desk = desk

    async def list(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        query = read_query(request, LettersQuery)
        page = await self._desk.page(query.where, before=id_in(request, query), limit=query.limit)
        return next_page(request, query, [letter_shown(letter) for letter in page.items], page.next)

    async def show(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        return answer(whole_letter(await self._desk.get(_id_in_path(request))))

    async def delete(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        await nothing_in(request)
        await self._desk.delete(_id_in_path(request), by=by, request_id=request.get(REQUEST_ID))
        return web.Response(status=204)

    async def replay(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        await nothing_in(request)
        letter = await self._desk.replay(_id_in_path(request), by=by, request_id=request.get(REQUEST_ID))
        into = f"/api/admin/jobs?action=job&id={letter.job_id}" if letter.kind == "job" else letter.queue
        shown: ReplayedShown = {"id": letter.id, "kind": letter.kind, "job_id": letter.job_id, "into": into}
        return answer(shown, status=202)

    async def replay_all(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        body = await read_body(request, ReplayBody)
        done = await self._desk.replay_all(
            body.where,
            per_second=body.per_second,
            is_dry_run=body.dry_run,
            by=by,
            request_id=request.get(REQUEST_ID),
        )
        return answer(done)

    async def purge(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        body = await read_body(request, PurgeBody)
        return answer(
            await self._desk.purge(body.where, is_dry_run=body.dry_run, by=by, request_id=request.get(REQUEST_ID))
        )


def _id_in_path(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["id"])
    except ValueError as exc:
        raise LetterNotFound("No dead letter has such an id.") from exc
