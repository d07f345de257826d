"""A gateway with a catalogue behind it, and beside it the bare library with the same bytes and the same database."""

import asyncio
import base64
import json
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from argon2 import PasswordHasher

from deploy.local.ports import free_port
from deploy.local.supervisor import answers_ready
from services.catalog.seed import SeededAccounts, seed_accounts
from shared.db.pool import connection, open_pool
from tests.bench.stage import PATIENCE_SECONDS, TIERS, CpuMeter, Stage
from tests.eventually import eventually

CONNECTIONS = 16
WOODS = ("Oak", "Ash", "Beech", "Birch", "Cherry", "Elm", "Maple", "Pine", "Teak", "Walnut")
THINGS = ("chair", "table", "bowl", "lamp", "shelf", "bench", "stool", "desk", "frame", "vase")
FILL = f"""
    WITH made AS (
        INSERT INTO catalog.products
            (id, vendor_id, sku, slug, title, description, price_minor, currency, category, status, submissions)
        SELECT (lpad(to_hex(1790000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
                || substr(md5(n::text), 4, 15))::uuid,
               $1, 'FILLED-' || n, 'product-' || n,
               words.woods[1 + n % 10] || ' ' || words.things[1 + n / 10 % 10] || ' ' || n,
               repeat('A chair of oak, oiled. ', 8), 100 + n * 7919::bigint % 100000, 'EUR', c.slug, 'approved', 1
        FROM generate_series($2::int, $3::int) AS n
        CROSS JOIN (SELECT
            '{{{",".join(WOODS)}}}'::text[] AS woods, '{{{",".join(THINGS)}}}'::text[] AS things) AS words
        JOIN (SELECT slug, row_number() OVER (ORDER BY slug) - 1 AS at, count(*) OVER () AS total
              FROM catalog.categories) AS c ON c.at = n % c.total
        ON CONFLICT DO NOTHING RETURNING id
    )
    INSERT INTO catalog.stock (product_id, on_hand) SELECT id, 10 FROM made
"""
NEWEST_IDS = "SELECT id FROM catalog.products ORDER BY id DESC LIMIT $1"
VENDOR_ACCOUNT = "SELECT id FROM catalog.accounts WHERE vendor_id = $1"
_QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_NOBODY = "http://127.0.0.1:9"
_SERVICES = ("jobs", "notifier", "reporting", "scheduler")


def title_of(number: int) -> str:
    """The title of a product that was filled in."""
    return f"{WOODS[number % 10]} {THINGS[number // 10 % 10]} {number}"


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers HTTP."""

    pid: int
    port: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run of requests took: CPU microseconds a request, of the server and of PostgreSQL, and its p95."""

    rate: float
    server_us: float
    postgres_us: float
    p95_ms: float

    @property
    def cpu_us(self) -> float:
        """Both together."""
        return self.server_us + self.postgres_us


@dataclass(frozen=True, slots=True)
class Shop:
    """A catalogue of products by `accounts.vendors[0]`."""

    stage: Stage
    accounts: SeededAccounts
    gateway: Server
    folder: Path
    environment: dict[str, str]
    """Of a gateway, but for its ports."""

    @property
    def database_url(self) -> str:
        """The catalog's."""
        return self.stage.database_urls["catalog"]

    async def fill(self, first: int, last: int) -> None:
        """Put products into the catalogue, by number; those that are there stay."""
        async with open_pool(self.database_url, name="bench", max_size=1) as pool, connection(pool) as conn:
            await conn.execute(FILL, self.accounts.vendors[0].vendor_id, first, last, timeout=600)
        await self.stage.tidy("catalog.products, catalog.stock")

    async def newest_ids(self, count: int) -> list[UUID]:
        """The newest products."""
        async with open_pool(self.database_url, name="bench", max_size=1) as pool, connection(pool) as conn:
            return [row["id"] for row in await conn.fetch(NEWEST_IDS, count)]

    @asynccontextmanager
    async def another_gateway(self) -> AsyncIterator[Server]:
        """A second one on the same database and broker."""
        async with _gateway(self.environment) as server:
            yield server

    async def is_live(self, path: str, gateway: Server | None = None) -> None:
        """Wait until a gateway answers this from memory."""
        port = (gateway or self.gateway).port
        async with aiohttp.ClientSession() as http:

            async def is_cached() -> bool:
                async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return "cached" in answer.headers["RateLimit"]

            await eventually(is_cached, 30)

    @asynccontextmanager
    async def bare(self, *paths: str) -> AsyncIterator[Server]:
        """The bare library with the gateway's own bytes at these paths."""
        answers: dict[str, dict[str, str]] = {}
        async with aiohttp.ClientSession() as http:
            for path in paths:
                async with http.get(f"http://127.0.0.1:{self.gateway.port}{path}") as answer:
                    body = base64.b64encode(await answer.read()).decode()
                    answers[path.partition("?")[0]] = {"body": body, "etag": answer.headers["ETag"]}
        vendor_id = self.accounts.vendors[0].vendor_id
        async with open_pool(self.database_url, name="bench", max_size=1) as pool, connection(pool) as conn:
            account_id = await conn.fetchval(VENDOR_ACCOUNT, vendor_id)
        file = self.folder / "bare.json"
        file.write_text(json.dumps({"answers": answers, "vendor_id": str(vendor_id), "account_id": str(account_id)}))
        port = free_port()
        arguments = ("-m", "tests.bench.bare", str(port), str(file), self.database_url)
        async with _process(arguments, {}) as pid:
            await eventually(lambda: _is_open(port), 30)
            yield Server(pid, port)


@asynccontextmanager
async def open_shop(stage: Stage, **settings: str) -> AsyncIterator[Shop]:
    """A gateway and its relay as installed, ready when the block begins. `settings` are the gateway's, by variable."""
    kept: dict[str, str] = {}
    accounts = await seed_accounts(
        stage.database_urls["catalog"],
        secret_of=lambda name: kept.setdefault(name, secrets.token_urlsafe(24)),
        hasher=_QUICK_HASHER,
    )
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="souk-bench-")))
        environment = {
            "SOUK_AMQP_URL": stage.amqp_url,
            "SOUK_CATALOG_DATABASE_URL": stage.database_urls["catalog"],
            "SOUK_RETRY_TIERS": TIERS,
            "SOUK_LOG_LEVEL": "error",
            "SOUK_BLOBS_URL": (folder / "blobs").as_uri(),
            "SOUK_PUBLIC_URL": _NOBODY,
            **{f"SOUK_{name}_KEY": secrets.token_hex(20) for name in ("CATALOG", "SYNC", *map(str.upper, _SERVICES))},
            **{f"SOUK_{name.upper()}_URL": _NOBODY for name in _SERVICES},
            **settings,
        }
        await stack.enter_async_context(stage.service("services.catalog", "relay"))
        gateway = await stack.enter_async_context(_gateway(environment))
        yield Shop(stage, accounts, gateway, folder, environment)


@asynccontextmanager
async def _gateway(environment: dict[str, str]) -> AsyncIterator[Server]:
    port, ops_port = free_port(), free_port()
    ports = {"SOUK_HTTP_PORT": str(port), "SOUK_OPS_PORT": str(ops_port)}
    async with _process(("-m", "services.catalog", "gateway"), environment | ports) as pid:
        async with aiohttp.ClientSession() as http:
            await eventually(lambda: answers_ready(f"http://127.0.0.1:{ops_port}", http), 30)
        yield Server(pid, port)


async def spent(server: Server, requests: Sequence[str], count: int, *, expect: int) -> Spent:
    """Send `count` requests from another process, in turn. Raises AssertionError when one is answered otherwise."""
    meter = CpuMeter([server.pid])
    told = await called(server.port, requests, count)
    cpu = meter.spent()
    assert told["statuses"] == {str(expect): count}, told["statuses"]
    return Spent(told["rate"], cpu["ledger"] / count * 1e6, cpu["postgres"] / count * 1e6, told["p95_ms"])


async def called(port: int, requests: Sequence[str], count: int, *, connections: int = CONNECTIONS) -> dict[str, Any]:
    """What `tests.bench.callers` tells."""
    callers = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.callers", str(port), str(connections), str(count)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, _ = await callers.communicate(json.dumps(requests).encode())
    finally:
        if callers.returncode is None:
            callers.kill()
    told: dict[str, Any] = json.loads(output)
    return told


def get(path: str, *headers: str) -> str:
    """A GET as text."""
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n"


def post(path: str, body: object, *headers: str) -> str:
    """A POST of JSON as text."""
    text = json.dumps(body)
    lines = "".join(
        f"{line}\r\n" for line in ("Content-Type: application/json", f"Content-Length: {len(text)}", *headers)
    )
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n{text}"


@asynccontextmanager
async def _process(arguments: Sequence[str], environment: dict[str, str]) -> AsyncIterator[int]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={"PATH": "/usr/bin:/bin", **environment}
    )
    try:
        yield child.pid
    finally:
        with suppress(ProcessLookupError):
            child.terminate()
        await child.wait()


async def _is_open(port: int) -> bool:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True
