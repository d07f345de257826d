"""Public reads are answered outside of routing and middlewares, and nobody can tell."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from services.catalog.gateway import open_app
from services.catalog.settings import GatewaySettings
from shared.db.pool import Pool, open_pool
from shared.web.server import SHORT_WAY, ShortWay, serving
from tests.factories import make_approved
from tests.integration.catalog.conftest import Client

READS = 8
SHOP = "https://shop.example.com"
OF_ONE_REQUEST = frozenset({"date", "x-request-id", "traceresponse"})

Told: TypeAlias = tuple[int, Any, list[tuple[str, str]]]
"""Status, body, headers."""


@dataclass
class Pressed:
    """So far behind."""

    behind_seconds: float = 0.0


@dataclass
class BothWays:
    """The same gateway twice, of which the second has no short way."""

    settings: GatewaySettings
    pressure: Pressed = field(default_factory=Pressed)
    taken: list[str] = field(default_factory=list)
    """What the short way answered."""
    short: ClientSession = field(init=False)
    long: ClientSession = field(init=False)

    async def open(self, stack: AsyncExitStack, pool: Pool) -> "BothWays":
        """Start both."""
        self.short = await self._open(stack, pool, lambda way: self._noted(way))
        self.long = await self._open(stack, pool, lambda _: _none)
        return self

    async def same(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """What is told by the short way, and told alike by the long one."""
        before = len(self.taken)
        first, second = await _told(self.short, path, headers), await _told(self.long, path, headers)
        assert len(self.taken) == before + 1, f"{path} did not go the short way"
        assert first == second
        return first[0], first[1]

    async def _open(self, stack: AsyncExitStack, pool: Pool, change: Any) -> ClientSession:
        app = await stack.enter_async_context(open_app(self.settings, pool, pressure=self.pressure))
        app[SHORT_WAY] = change(app[SHORT_WAY])
        port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_seconds=0.5))
        return await stack.enter_async_context(ClientSession(f"http://127.0.0.1:{port}"))

    def _noted(self, way: ShortWay) -> ShortWay:
        async def noted(request: web.BaseRequest) -> web.StreamResponse | None:
            response = await way(request)
            if response is not None:
                self.taken.append(request.raw_path)
            return response

        return noted


async def _none(_: web.BaseRequest) -> None:
    return None


async def _told(client: ClientSession, path: str, headers: Mapping[str, str] | None) -> Told:
    async with client.get(path, headers=headers) as answer:
        said: Any = await answer.json(content_type=None) if answer.status != 304 else None
        if answer.status >= 400:
            assert said.pop("request_id") == answer.headers["X-Request-Id"]
        told = sorted((name.lower(), value) for name, value in answer.headers.items())
        assert {name for name, _ in told} >= OF_ONE_REQUEST
        return answer.status, said, [(name, value) for name, value in told if name not in OF_ONE_REQUEST]


@pytest.fixture
def gateway_settings(gateway_settings: GatewaySettings) -> GatewaySettings:
    """A small share, and another origin that may read."""
    return gateway_settings.model_copy(update={"limit_read_per_minute": READS, "cors_origins": (SHOP,)})


@pytest.fixture
async def both(gateway_settings: GatewaySettings, pool: Pool) -> AsyncIterator[BothWays]:
    """On one database; neither hears of changes, so each asks every time."""
    async with AsyncExitStack() as stack:
        yield await BothWays(gateway_settings).open(stack, pool)


async def test_what_is_there_what_is_known_and_what_is_not_are_told_alike(
    both: BothWays, vendor: Client, admin: Client
) -> None:
    product = await make_approved(vendor, admin)
    path = f"/api/products/{product['id']}"
    status, shown = await both.same(path, {"Origin": SHOP, "Accept-Encoding": "br"})
    assert (status, shown["sku"]) == (200, product["sku"])
    assert await both.same(path, {"If-None-Match": f'"{await _etag(both, path)}"'}) == (304, None)
    assert (await both.same("/api/products/no-such-product", {"Origin": "https://elsewhere.example.com"}))[0] == 404
    assert (await both.same(f"/api/vendors/{product['vendor']['slug']}"))[0] == 200


async def _etag(both: BothWays, path: str) -> str:
    async with both.long.get(path) as answer, both.short.get(path) as other:
        assert answer.headers["ETag"] == other.headers["ETag"]
        return answer.headers["ETag"].strip('"')


@pytest.mark.parametrize("name", ["No-Such-Name", "-", "a" * 200, "0", "00000000-0000-0000-0000-00000000000g"])
async def test_what_can_be_no_name_is_told_alike(both: BothWays, name: str) -> None:
    for folder in ("/api/products", "/api/vendors"):
        assert (await both.same(f"{folder}/{name}"))[0] == 404


async def test_a_share_that_is_used_up_is_told_alike(both: BothWays) -> None:
    statuses = [(await both.same("/api/vendors/nobody"))[0] for _ in range(READS + 2)]
    assert statuses == [404] * READS + [429] * 2


async def test_a_database_that_is_away_is_told_alike(gateway_settings: GatewaySettings) -> None:
    async with AsyncExitStack() as stack:
        away = await stack.enter_async_context(open_pool("postgresql://nobody@127.0.0.1:9/none", name="tests"))
        both = await BothWays(gateway_settings).open(stack, away)
        assert (await both.same("/api/products/some-product"))[0] == 503


async def test_what_the_middlewares_decide_is_left_to_them(both: BothWays) -> None:
    both.pressure.behind_seconds = 1.0
    for method, path in (
        ("GET", "/api/vendors/nobody"),
        ("GET", "/api/vendors/nobody?x=1"),
        ("GET", "/api/vendors/n%C3%B6body"),
        ("HEAD", "/api/vendors/nobody"),
        ("POST", "/api/vendors/nobody"),
        ("GET", "/api/vendors/"),
        ("GET", "/api/vendors/nobody/"),
        ("GET", f"/api/vendors/{'a' * 201}"),
    ):
        async with both.short.request(method, path) as answer:
            assert answer.status in (404, 405), (method, path)
        both.pressure.behind_seconds = 0.0
    async with both.short.get("/api/vendors/nobody", headers={"Expect": "nonsense"}) as answer:
        assert answer.status == 417
    assert both.taken == []


async def test_it_is_logged_and_traced_like_any_other(both: BothWays) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01", "X-Request-Id": "shop-0001"}
    with capture_logs() as lines:
        async with both.short.get("/api/vendors/nobody", headers=given) as answer:
            assert answer.headers["X-Request-Id"] == "shop-0001"
            assert answer.headers["traceresponse"].split("-")[1] == trace_id
    (line,) = (line for line in lines if line["event"] == "request")
    assert (line["route"], line["status"], line["path"]) == ("/api/vendors/{id}", 404, "/api/vendors/nobody")
