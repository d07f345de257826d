"""A vendor's own system over real HTTP, and the parts that bring its stock in, in the test's own process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import pytest
from aiohttp import web

from services.catalog.sync.applying import Applying
from services.catalog.sync.poller import SyncPoller
from services.catalog.sync.runner import Runner
from services.catalog.sync.vault import Vault
from shared.clock import utc_now
from shared.contracts.jobs import SyncInventory
from shared.db.outbox import Outbox
from shared.db.pool import Pool
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.outbound import guarded_session
from shared.web.server import serving
from tests.integration.catalog.conftest import KEY, Client
from tests.integration.catalog.told import outbox

SOURCES = "/api/vendor/sync-sources"


@dataclass
class Depot:
    """The vendor's system: what it answers, and what it was asked with."""

    url: str = ""
    body: bytes = b"[]"
    etag: str | None = None
    status: int = 200
    location: str | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def says(self, *items: dict[str, Any]) -> None:
        """Answer with these rows."""
        self.body = orjson.dumps({"stock": list(items)})

    async def answer(self, request: web.Request) -> web.Response:
        """As a file server does."""
        self.asked.append(dict(request.headers))
        headers = {}
        if self.etag is not None:
            headers["ETag"] = self.etag
            if request.headers.get("If-None-Match") == self.etag:
                return web.Response(status=304, headers=headers)
        if self.location is not None:
            return web.Response(status=302, headers={"Location": self.location})
        return web.Response(status=self.status, body=self.body, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """The worker's side."""

    runner: Runner
    poller: SyncPoller
    pool: Pool

    async def work(self) -> list[dict[str, Any]]:
        """Do the jobs that were asked for and are not done, in their order; their results."""
        results = []
        for asked in await outbox(self.pool, "sync.requested"):
            run_id = UUID(asked["data"]["run_id"])
            is_open = await self.pool.fetchval(
                "SELECT finished_at IS NULL FROM catalog.sync_runs WHERE id = $1", run_id
            )
            if is_open:
                results.append(await self.run(UUID(asked["data"]["source_id"]), run_id))
        return results

    async def run(self, source_id: UUID, run_id: UUID | None = None) -> Any:
        """One job."""
        return await self.runner.work(SyncInventory(source_id=source_id, run_id=run_id), attempt())


def attempt(**fields: Any) -> Attempt:
    """The first attempt of a job."""
    first = {"job_id": new_id(), "number": 1, "limit": 5, "cause_id": None, "caused_at": utc_now()}
    return Attempt(**{**first, **fields})


@pytest.fixture
async def depot() -> AsyncIterator[Depot]:
    """A server on this machine."""
    made = Depot()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    async with serving(app, host="127.0.0.1", port=0, grace_seconds=0.1) as port:
        made.url = f"http://127.0.0.1:{port}/stock"
        yield made


@pytest.fixture
async def sync(pool: Pool, depot: Depot) -> AsyncIterator[Sync]:
    """The parts of the worker. The depot is the one address on this machine that it may reach."""
    async with AsyncExitStack() as stack:
        allow = [depot.url.removeprefix("http://").removesuffix("/stock")]
        outbound = await stack.enter_async_context(guarded_session(allow=allow))
        kept = Outbox("catalog")
        yield Sync(
            runner=Runner(
                pool=pool,
                outbox=kept,
                vault=Vault(KEY),
                outbound=outbound,
                applying=Applying(pool=pool, outbox=kept),
                clock=utc_now,
            ),
            poller=SyncPoller(pool=pool, outbox=kept),
            pool=pool,
        )


LAYOUT = {"items": "/stock", "version": "version"}


async def make_source(vendor: Client, depot: Depot, **fields: Any) -> dict[str, Any]:
    """A source that is pulled from the depot, by hand only."""
    body = {"name": "Depot", "url": depot.url, "layout": LAYOUT, **fields}
    async with vendor.post(SOURCES, json=body) as answer:
        made: dict[str, Any] = await answer.json()
        assert answer.status == 201, made
        return made


async def ask(vendor: Client, source: dict[str, Any]) -> str:
    """Ask for a run."""
    async with vendor.post(f"{SOURCES}/{source['id']}/run") as answer:
        asked = await answer.json()
        assert answer.status == 202, asked
        return str(asked["id"])


async def on_hand(vendor: Client, product: dict[str, Any]) -> int:
    """The level of a product."""
    async with vendor.get(f"/api/vendor/inventory/{product['id']}") as answer:
        return int((await answer.json())["on_hand"])
