"""What reads cost at a million rows: of products to the same at ten thousand, of jobs in milliseconds.

Lists are asked for one after the other under addresses that no cache knows, and dealt out by a seeded chance.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import urlencode

from deploy.local.ports import free_port
from services.catalog.products.schemas import CatalogueQuery
from services.jobs.partitions import Partitions
from shared.clock import utc_now
from shared.db.pool import connection, open_pool
from shared.web.cursors import Cursors
from tests.bench.figures import Figure
from tests.bench.shop import THINGS, WOODS, Shop, called, get, open_shop, title_of
from tests.bench.stage import Stage

FEW, MANY = 10_000, 1_000_000
ASKED = 300
PAGE = 48
DEEP_PAGE = 10_000
SORTS = ("newest", "price", "-price")
KEY = secrets.token_hex(20)
PLACES = "SELECT id FROM catalog.products ORDER BY id DESC OFFSET $1 LIMIT $2"
FILL_JOBS = """
    INSERT INTO jobs.jobs (id, type, priority, state, attempt, max_attempts, timeout_ms, payload, target, caused_at,
                           created_at, published_at, started_at, finished_at, error_class, error_message)
    SELECT (lpad(to_hex((extract(epoch FROM $1::timestamptz) * 1000)::bigint - n * 70), 12, '0') || '7'
            || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
           one.type, 1 + n % 5, one.state, 1, 3, 30000, '{"kind": "bench"}', n::text, one.at, one.at, one.at, one.at,
           CASE WHEN one.state <> 'pending' THEN one.at + interval '1 second' END,
           CASE WHEN one.state = 'failed' THEN 'MailboxRejected' END,
           CASE WHEN one.state = 'failed' THEN 'no such mailbox ' || n % 50 END
    FROM generate_series(1, $2::int) AS n CROSS JOIN LATERAL (SELECT
        ('{send-email,send-notification,process-image,generate-report,sync-inventory}'::text[])[1 + n % 5] AS type,
        CASE WHEN n % 100 = 0 THEN 'pending' WHEN n % 50 = 1 THEN 'failed' ELSE 'completed' END AS state,
        $1::timestamptz - n * interval '70 milliseconds' AS at) AS one
"""
COUNT_JOBS = """
    INSERT INTO jobs.counters (type, state, shard, n)
    SELECT type, state, 0, count(*) FROM jobs.jobs GROUP BY type, state
"""
JOB_LISTS = (
    "state=failed",
    "type=send-email",
    "type=process-image&state=completed",
    "state=pending&priority=2",
    "q=mailbox+7",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads: how many products there are, and one far down the newest, another each time."""

    products: int
    below: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of list, and how one of its addresses is made."""

    name: str
    address: Callable[[Random, Place], str]


def _first_page(chance: Random, _: Place) -> str:
    return _address(limit=chance.randint(PAGE - 8, PAGE), sort=chance.choice(SORTS), min_price=chance.randint(0, 99))


def _deep_page(_: Random, place: Place) -> str:
    query = CatalogueQuery(limit=PAGE)
    scope = f"/api/products?{query.model_dump_json(exclude={'limit', 'cursor'})}"
    return _address(limit=PAGE, cursor=Cursors(KEY.encode()).write(scope, [place.below]))


def _search_for_one(chance: Random, place: Place) -> str:
    number = chance.randint(place.products // 10, place.products - 1)
    return _address(limit=chance.randint(PAGE - 8, PAGE), q=title_of(number))


def _search_for_many(chance: Random, _: Place) -> str:
    """One of a hundred products, or one of ten, has these words."""
    words = chance.choice([f"{chance.choice(WOODS)} {chance.choice(THINGS)}", chance.choice(THINGS)])
    return _address(limit=chance.randint(PAGE - 8, PAGE), q=words, min_price=chance.randint(0, 99))


def _shelf(chance: Random, _: Place) -> str:
    category = chance.choice(["furniture", "kitchen", "outdoor"])
    return _address(category=category, sort=chance.choice(SORTS), max_price=chance.randint(50_000, 100_000))


KINDS = (
    Kind("a first page", _first_page),
    Kind(f"page {DEEP_PAGE:,} (of the few: half way)", _deep_page),
    Kind("a search for one product", _search_for_one),
    Kind("a search that fills a page", _search_for_many),
    Kind("a category by price or age", _shelf),
)


async def products(stage: Stage) -> list[Figure]:
    """The same kinds of lists, few products and many."""
    async with open_shop(stage, SOUK_CATALOG_KEY=KEY) as shop:
        await shop.fill(1, FEW)
        few = await _p95s(shop, FEW, FEW // 2)
        await shop.fill(FEW + 1, MANY)
        many = await _p95s(shop, MANY, PAGE * DEEP_PAGE)
    figures = []
    for kind, soon, late in zip(KINDS, few, many, strict=True):
        name = f"{kind.name}: p95 at {MANY:,} products / at {FEW:,}"
        figures.append(Figure(name, f"{late:.1f} ms", f"{soon:.1f} ms", late / soon, 1.5, is_most=True))
    return figures


async def _p95s(shop: Shop, products: int, depth: int) -> list[float]:
    async with open_pool(shop.database_url, name="bench", max_size=1) as pool, connection(pool) as conn:
        places = [Place(products, str(row["id"])) for row in await conn.fetch(PLACES, depth, ASKED, timeout=60)]
    chance, found = Random(depth), []
    for kind in KINDS:
        requests = [get(kind.address(chance, place)) for place in places]
        told = await called(shop.gateway.port, requests, ASKED, connections=1)
        assert told["statuses"] == {"200": ASKED}, told["statuses"]
        found.append(told["p95_ms"])
    return found


async def jobs(stage: Stage) -> list[Figure]:
    """Figures and lists of the ledger as operators get them: by the gateway, from the jobs api."""
    now, key, port = utc_now(), secrets.token_hex(20), free_port()
    async with connection(stage.jobs_pool) as conn:
        await Partitions(stage.jobs_pool, utc_now).run_once()
        await conn.execute(FILL_JOBS, now, MANY, timeout=600)
        await conn.execute(COUNT_JOBS, timeout=600)
    await stage.tidy("jobs.jobs")
    settings = {"SOUK_JOBS_KEY": key, "SOUK_HTTP_PORT": str(port)}
    async with (
        stage.service("services.jobs", "api", settings=settings),
        open_shop(stage, SOUK_JOBS_KEY=key, SOUK_JOBS_URL=f"http://127.0.0.1:{port}") as shop,
    ):
        by = f"Authorization: Bearer {shop.accounts.admin.api_key}"
        asked = {
            "statistics": [get("/api/admin/jobs?action=stats", by)],
            "job lists": [get(f"/api/admin/jobs/list?{query}", by) for query in JOB_LISTS],
        }
        figures = []
        for name, requests in asked.items():
            told = await called(shop.gateway.port, requests, ASKED, connections=1)
            assert told["statuses"] == {"200": ASKED}, told["statuses"]
            p95 = told["p95_ms"]
            figures.append(Figure(f"{name} at {MANY:,} jobs: p95", f"{p95:.1f} ms", "-", p95, 100, "ms", is_most=True))
    return figures


def _address(**parameters: object) -> str:
    return f"/api/products?{urlencode(parameters)}"
