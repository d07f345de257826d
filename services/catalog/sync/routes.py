"""The addresses of stock sources, and the one where pushes come in."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import answer, answer_page, answer_unless_known, uuid_in_path
from services.catalog.idempotency import REPLAYED, once_key
from services.catalog.sync.pushes import Pushes, Signed
from services.catalog.sync.schemas import (
    ChangeBody,
    NamedSkusBody,
    SourceBody,
    named_sku_shape,
    run_in_full,
    run_shape,
    source_shape,
)
from services.catalog.sync.usecases import Sources
from services.catalog.versions import expected_version
from shared.web.bodies import read_body, read_query, received
from shared.web.identity import IDENTITY
from shared.web.paging import PageQuery, position_in

AT = "/api/vendor/sync-sources"
TIMESTAMP_HEADER = "Souk-Timestamp"
SIGNATURE_HEADER = "Souk-Signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRoutes:
    """A vendor's stock sources."""

    sources: Sources
    pushes: Pushes

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.post(AT, self.create),
            web.get(AT, self.list_own),
            web.get(f"{AT}/{{id}}", self.show),
            web.patch(f"{AT}/{{id}}", self.change),
            web.delete(f"{AT}/{{id}}", self.delete),
            web.post(f"{AT}/{{id}}/secret", self.renew_secret),
            web.post(f"{AT}/{{id}}/run", self.run),
            web.get(f"{AT}/{{id}}/runs", self.list_runs),
            web.get(f"{AT}/{{id}}/runs/{{run_id}}", self.show_run),
            web.get(f"{AT}/{{id}}/skus", self.list_skus),
            web.put(f"{AT}/{{id}}/skus", self.name_skus),
            web.post("/hooks/inventory/{source}", self.push),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/sync-sources`: 201; a push's secret is in this answer and in no other."""
        body = await read_body(request, SourceBody)
        actor = actor_of(request)
        assert actor.account_id is not None, "somebody is signed in"
        made = await self.sources.create(actor, body.new(), once=await once_key(request, actor.account_id))
        return answer(
            {**source_shape(made.source), "secret": made.secret},
            status=201,
            etag=str(made.source.version),
            headers={"Location": f"{AT}/{made.source.id}", **({} if made.is_new else REPLAYED)},
        )

    async def list_own(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/sync-sources`."""
        query = read_query(request, PageQuery)
        vendor_id = request[IDENTITY].vendor_id
        assert vendor_id is not None, "the access table lets only vendors in here"
        found = await self.sources.of_vendor(vendor_id, below=_id_behind(request, query), limit=query.limit + 1)
        return answer_page(request, query, found, shape=source_shape, position=lambda one: [str(one.id)])

    async def show(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/sync-sources/{id}`."""
        source = await self.sources.one(actor_of(request), uuid_in_path(request))
        return answer_unless_known(request, source_shape(source), etag=str(source.version))

    async def change(self, request: web.Request) -> web.Response:
        """`PATCH /api/vendor/sync-sources/{id}`."""
        body, source_id = await read_body(request, ChangeBody), uuid_in_path(request)
        await self.sources.one(actor_of(request), source_id)
        changed = await self.sources.change(
            actor_of(request), source_id, body.given(), version=expected_version(request)
        )
        return answer(source_shape(changed), etag=str(changed.version))

    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /api/vendor/sync-sources/{id}`."""
        await self.sources.delete(actor_of(request), uuid_in_path(request))
        return web.Response(status=204)

    async def renew_secret(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/sync-sources/{id}/secret`: another secret; the answer is the only place to read it."""
        made = await self.sources.renew_secret(actor_of(request), uuid_in_path(request))
        return answer({**source_shape(made.source), "secret": made.secret}, etag=str(made.source.version))

    async def run(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/sync-sources/{id}/run`: 202, a worker follows."""
        source_id = uuid_in_path(request)
        run = await self.sources.run(actor_of(request), source_id)
        return answer(run_shape(run), status=202, headers={"Location": f"{AT}/{source_id}/runs/{run.id}"})

    async def list_runs(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/sync-sources/{id}/runs`."""
        query = read_query(request, PageQuery)
        found = await self.sources.runs(
            actor_of(request), uuid_in_path(request), below=_id_behind(request, query), limit=query.limit + 1
        )
        return answer_page(request, query, found, shape=run_shape, position=lambda one: [str(one.id)])

    async def show_run(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/sync-sources/{id}/runs/{run_id}`: with what was unmatched or wrong."""
        run = await self.sources.one_run(actor_of(request), uuid_in_path(request), uuid_in_path(request, "run_id"))
        return answer(run_in_full(run))

    async def list_skus(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/sync-sources/{id}/skus`: what the source calls products."""
        query = read_query(request, PageQuery)
        position = position_in(request, query)
        found = await self.sources.skus(
            actor_of(request),
            uuid_in_path(request),
            behind=None if position is None else str(position[0]),
            limit=query.limit + 1,
        )
        return answer_page(request, query, found, shape=named_sku_shape, position=lambda one: [one[0]])

    async def name_skus(self, request: web.Request) -> web.Response:
        """`PUT /api/vendor/sync-sources/{id}/skus`: set or forget up to 1,000 names."""
        body = await read_body(request, NamedSkusBody)
        names = [(item.external_sku, item.sku) for item in body.items]
        await self.sources.name_skus(actor_of(request), uuid_in_path(request), names)
        return answer({"named": sum(sku is not None for _, sku in names)})

    async def push(self, request: web.Request) -> web.Response:
        """`POST /hooks/inventory/{source}`: 202; 200 with the same run when these very bytes came before."""
        source_id = uuid_in_path(request, "source")
        push = Signed(
            timestamp=request.headers.get(TIMESTAMP_HEADER, ""),
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            body=await received(request),
        )
        taken = await self.pushes.take(source_id, push)
        shape = run_shape(taken.run)
        return answer(shape, status=202) if taken.is_new else answer(shape, headers=REPLAYED)


def _id_behind(request: web.Request, query: PageQuery) -> UUID | None:
    position = position_in(request, query)
    return None if position is None else UUID(str(position[0]))
