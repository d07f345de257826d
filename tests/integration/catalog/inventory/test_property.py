"""Whatever is done to stock at the same time: movements add up to levels, and nothing is negative."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.catalog.inventory.errors import OutOfRange, StaleQuantity
from services.catalog.inventory.low_stock import LowStock
from services.catalog.inventory.models import MovementKind
from services.catalog.inventory.usecases import Inventory
from services.catalog.models import Actor
from services.catalog.orders.errors import InsufficientStock, OrderDiffers
from services.catalog.orders.models import Placing, Wanted
from services.catalog.orders.usecases import Orders
from services.catalog.sync import runs_store
from services.catalog.sync.applying import Applying
from services.catalog.sync.models import Cause, Matched, Source
from services.catalog.sync.store import one as source_of
from shared.contracts.base import Money
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection
from shared.ids import new_id
from shared.web.identity import Role
from tests.factories import make_approved
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.sync.conftest import SOURCES
from tests.stock import check_stock

PRODUCTS = 3
PRICE = Money(amount_minor=100, currency="EUR")

Pieces = st.dictionaries(st.integers(0, PRODUCTS - 1), st.integers(1, 6), min_size=1)


@dataclass(frozen=True, slots=True)
class Receive:
    pieces: dict[int, int]


@dataclass(frozen=True, slots=True)
class Adjust:
    deltas: dict[int, int]
    is_each: bool


@dataclass(frozen=True, slots=True)
class Count:
    product: int
    expected: int
    on_hand: int


@dataclass(frozen=True, slots=True)
class Sell:
    number: int
    pieces: dict[int, int]
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class Sync:
    version: int
    quantities: dict[int, int]


@dataclass(frozen=True, slots=True)
class Check:
    """Look for low stock."""


Step = Receive | Adjust | Count | Sell | Sync | Check
STEPS = st.one_of(
    st.builds(Receive, Pieces),
    st.builds(
        Adjust,
        st.dictionaries(st.integers(0, PRODUCTS - 1), st.integers(-8, 8).filter(lambda delta: delta != 0), min_size=1),
        st.booleans(),
    ),
    st.builds(Count, st.integers(0, PRODUCTS - 1), st.integers(0, 8), st.integers(0, 12)),
    st.builds(Sell, st.integers(1, 4), Pieces, st.booleans()),
    st.builds(Sync, st.integers(1, 6), st.dictionaries(st.integers(0, PRODUCTS - 1), st.integers(0, 9), min_size=1)),
    st.builds(Check),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Three products, and everybody who moves their stock."""

    products: list[UUID]
    vendor: Actor
    channel: Actor
    source: Source
    run_id: UUID
    pool: Pool

    async def do(self, step: Step, *, round_: int) -> None:
        """One step; refusals are answers like others."""
        kept, products = Outbox("catalog"), self.products
        inventory = Inventory(pool=self.pool, outbox=kept)
        try:
            match step:
                case Receive(pieces):
                    deltas = {products[place]: count for place, count in pieces.items()}
                    await inventory.adjust(self.vendor, deltas, kind=MovementKind.RECEIVE, note="")
                case Adjust(changes, is_each):
                    deltas = {products[place]: delta for place, delta in changes.items()}
                    kind = MovementKind.ADJUST
                    await inventory.adjust(self.vendor, deltas, kind=kind, note="", is_each=is_each)
                case Count(place, expected, on_hand):
                    await inventory.set_level(self.vendor, products[place], on_hand=on_hand, expected_on_hand=expected)
                case Sell(number, pieces, is_cancelled):
                    lines = tuple(Wanted(products[place], count, PRICE) for place, count in pieces.items())
                    orders = Orders(pool=self.pool, outbox=kept)
                    placed = await orders.place(self.channel, Placing(f"{round_}-{number}", None, lines))
                    if is_cancelled:
                        await orders.cancel(self.channel, placed.order.id)
                case Sync(version, quantities):
                    rows = [Matched(products[place], count, version) for place, count in quantities.items()]
                    await Applying(pool=self.pool, outbox=kept).apply(self.source, self.run_id, rows)
                case Check():
                    await LowStock(pool=self.pool, outbox=kept, settle_seconds=0).check()
        except (OutOfRange, StaleQuantity, InsufficientStock, OrderDiffers):
            pass


@pytest.fixture
async def shop(gateway: Gateway, vendor: Client, admin: Client, pool: Pool) -> Shop:
    """With some stock of each."""
    made = [await make_approved(vendor, admin, on_hand=8) for _ in range(PRODUCTS)]
    async with vendor.post(SOURCES, json={"name": "Depot", "url": "https://example.com/stock"}) as answer:
        source_id = UUID((await answer.json())["id"])
    async with connection(pool) as conn:
        run = await runs_store.insert(conn, new_id(), source_id, Cause.HAND)
        source = await source_of(conn, source_id)
        channel_id = await conn.fetchval("SELECT id FROM catalog.accounts WHERE role = 'channel'")
        account = await conn.fetchrow(
            "SELECT id, vendor_id FROM catalog.accounts WHERE vendor_id = $1", made[0]["vendor"]["id"]
        )
    assert run is not None
    assert source is not None
    assert account is not None
    return Shop(
        products=[UUID(product["id"]) for product in made],
        vendor=Actor(account["id"], Role.VENDOR, account["vendor_id"]),
        channel=Actor(channel_id, Role.CHANNEL),
        source=source,
        run_id=run.id,
        pool=pool,
    )


@pytest.mark.timeout(180)
async def test_movements_add_up_to_levels_that_are_never_negative(shop: Shop) -> None:
    loop = asyncio.get_running_loop()
    rounds = iter(range(10_000))

    async def live_through(people: list[list[Step]]) -> None:
        round_ = next(rounds)

        async def one(steps: list[Step]) -> None:
            for step in steps:
                await shop.do(step, round_=round_)

        await asyncio.gather(*(one(steps) for steps in people))
        await check_stock(shop.pool)
        known = await shop.pool.fetch("SELECT product_id, max(source_version) FROM catalog.movements GROUP BY 1")
        applied = await shop.pool.fetch("SELECT product_id, version FROM catalog.sync_positions")
        positions: dict[UUID, int] = {row["product_id"]: row["version"] for row in applied}
        assert all(version is None or version <= positions[product] for product, version in known)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(people=st.lists(st.lists(STEPS, max_size=6), min_size=2, max_size=5))
    def holds(people: list[list[Step]]) -> None:
        asyncio.run_coroutine_threadsafe(live_through(people), loop).result(60)

    await asyncio.to_thread(holds)
