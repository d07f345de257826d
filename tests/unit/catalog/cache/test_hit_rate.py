"""Two replicas under the reads of a marketplace: few products are read by most, and some of them change."""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from uuid import UUID

from services.catalog.cache.caches import Caches
from services.catalog.cache.floors import Rows
from services.catalog.cache.models import Answer, Loaded, product_row
from shared.clock import utc_now
from shared.contracts.envelope import Envelope
from shared.contracts.events import ProductChanged
from shared.ids import new_id
from shared.messaging.reader import Received

PRODUCTS = 5000
READS = 150_000
WRITES_PER_READ = 0.01
EVENTS_UNDER_WAY = 20
"""How many writes later the other replica hears of one."""


class AlwaysLive:
    is_live = True


class Marketplace:
    """A database of versions and two replicas."""

    def __init__(self) -> None:
        self.ids = [new_id() for _ in range(PRODUCTS)]
        self.versions = dict.fromkeys(self.ids, 1)
        self.replicas = [Caches(are_current=self.are_current, liveness=AlwaysLive()) for _ in range(2)]
        self.under_way: deque[tuple[Caches, Received, UUID, int]] = deque()
        self.heard = [dict.fromkeys(self.ids, 0) for _ in self.replicas]

    async def are_current(self, _: Rows) -> bool:
        raise AssertionError("both replicas are live")

    async def load(self, product: UUID) -> Loaded:
        version = self.versions[product]
        return Loaded(Answer(b"%d" % version, f'"{version}"'), {product_row(product): version})

    async def read(self, which: int, product: UUID) -> None:
        cache, key = self.replicas[which].product, str(product)
        answer = cache.known(key) or await cache.read(key, partial(self.load, product))
        assert answer is not None
        assert int(answer.body) >= self.heard[which][product]

    def write(self, which: int, product: UUID) -> None:
        self.versions[product] += 1
        version = self.versions[product]
        event = ProductChanged(
            vendor_id=product, product_id=product, version=version, slug=product.hex, status="approved"
        )
        envelope = Envelope(id=new_id(), source="catalog", type=event.type, time=utc_now(), data={})
        self.replicas[which].changed([(envelope.id, event)])
        self.heard[which][product] = version
        for replica in self.replicas:
            self.under_way.append((replica, Received(envelope, event), product, version))
        while len(self.under_way) > 2 * EVENTS_UNDER_WAY:
            told, received, changed, at = self.under_way.popleft()
            told.heard(received, None)
            known = self.heard[self.replicas.index(told)]
            known[changed] = max(known[changed], at)


def _zipf(count: int, chance: random.Random, ids: Sequence[UUID]) -> list[UUID]:
    weights = list(accumulate(1 / rank for rank in range(1, len(ids) + 1)))
    return chance.choices(ids, cum_weights=weights, k=count)


async def test_nine_of_ten_reads_are_hits_with_one_write_in_a_hundred() -> None:
    chance = random.Random(20)
    market = Marketplace()
    for number, product in enumerate(_zipf(READS, chance, market.ids)):
        await market.read(chance.randrange(2), product)
        if number % 1000 == 0:
            await asyncio.sleep(0)
        if chance.random() < WRITES_PER_READ:
            market.write(chance.randrange(2), _zipf(1, chance, market.ids)[0] if number % 50 == 0 else product)
    counts = market.replicas[0].product.counted() + market.replicas[1].product.counted()
    assert counts.hits + counts.misses == READS
    assert counts.invalidations > 1000
    assert counts.hit_rate is not None
    assert counts.hit_rate > 0.9, counts
