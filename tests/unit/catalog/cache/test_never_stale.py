"""Whatever is read, written and told in whatever order: nothing older than what a cache was told of is served."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.catalog.cache.floors import Floors, Rows
from services.catalog.cache.models import SHOWN, Answer, Loaded, product_row
from services.catalog.cache.readthrough import ReadThrough

PRODUCTS = [UUID(int=number) for number in range(2)]
LIST = "list"
KEYS = st.sampled_from([*map(str, PRODUCTS), LIST])


@dataclass
class Live:
    is_live: bool = True


@dataclass
class Begun:
    """A fill whose SQL has read and whose storing is still to come."""

    key: str
    task: "asyncio.Task[Answer | None]"
    may_return: asyncio.Event = field(default_factory=asyncio.Event)


class Replica(RuleBasedStateMachine):
    """A database of versions, one replica, and changes that are told late."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        self.database = dict.fromkeys(PRODUCTS, 1)
        self.told = dict.fromkeys(PRODUCTS, 0)
        self.untold: list[tuple[UUID, int]] = []
        self.begun: list[Begun] = []
        self.live = Live()
        self.floors = Floors()
        self.cache = ReadThrough(
            max_entries=2,
            max_bytes=10_000,
            floors=self.floors,
            liveness=self.live,
            are_current=self.are_current,
            clock=lambda: self.now,
        )

    def teardown(self) -> None:
        for begun in self.begun:
            begun.may_return.set()
        self.settle()
        self.what_returned_is_right()
        self.loop.close()

    async def are_current(self, rows: Rows) -> bool:
        return all(version == self.database[row[1]] for row, version in rows.items() if isinstance(row[1], UUID)) and (
            SHOWN not in rows
        )

    def read_database(self, key: str) -> Loaded:
        if key == LIST:
            versions = [self.database[product] for product in PRODUCTS]
            return Loaded(Answer(repr(versions).encode(), "e"), {SHOWN: None})
        product = UUID(key)
        version = self.database[product]
        return Loaded(Answer(repr([version]).encode(), "e"), {product_row(product): version})

    def settle(self) -> None:
        for _ in range(5):
            self.loop.run_until_complete(asyncio.sleep(0))

    def check(self, key: str, answer: Answer | None, known: dict[UUID, int]) -> None:
        assert answer is not None
        products = PRODUCTS if key == LIST else [UUID(key)]
        for product, version in zip(products, eval(answer.body), strict=True):
            assert version >= known[product], f"{key} shows {version} after {known[product]} was told"

    @rule(key=KEYS)
    def read(self, key: str) -> None:
        known = dict(self.told if self.live.is_live else self.database)

        async def load() -> Loaded:
            return self.read_database(key)

        answer = self.cache.known(key)
        if answer is None:
            waiting = [begun for begun in self.begun if begun.key == key]
            if waiting and self.live.is_live:
                return  # it might join a flight, which is let go by a rule of its own
            answer = self.loop.run_until_complete(self.cache.read(key, load))
        self.check(key, answer, known)

    @rule(key=KEYS)
    def begin_reading(self, key: str) -> None:
        begun: list[Begun] = []
        known = dict(self.told if self.live.is_live else self.database)

        async def load() -> Loaded:
            loaded = self.read_database(key)
            await begun[0].may_return.wait()
            return loaded

        async def read() -> Answer | None:
            answer = await self.cache.read(key, load)
            self.check(key, answer, known)
            return answer

        begun.append(Begun(key, self.loop.create_task(read())))
        self.begun.append(begun[0])
        self.settle()

    @rule(which=st.integers(0, 10))
    def let_one_return(self, which: int) -> None:
        if self.begun:
            begun = self.begun.pop(which % len(self.begun))
            begun.may_return.set()
            self.settle()
            self.begun.append(begun)  # it may have joined a flight that is still under way
            self.what_returned_is_right()

    @rule(product=st.sampled_from(PRODUCTS))
    def change(self, product: UUID) -> None:
        self.database[product] += 1
        self.untold.append((product, self.database[product]))

    @rule(which=st.integers(0, 10))
    def tell(self, which: int) -> None:
        """Events may come twice or in another order."""
        if self.untold and self.live.is_live:
            product, version = self.untold[which % len(self.untold)]
            if which % 3:
                self.untold.remove((product, version))
            for row, known in ((product_row(product), version), (SHOWN, None)):
                self.floors.rise(row, known, self.now)
                self.cache.drop_row(row, known)
            self.told[product] = max(self.told[product], version)

    @rule()
    def lose_the_stream(self) -> None:
        self.live.is_live = False

    @rule()
    def join_anew(self) -> None:
        """All that happened is dropped unheard."""
        self.live.is_live = True
        self.untold.clear()
        self.floors.clear()
        self.cache.clear()
        self.told = dict(self.database)

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def sweep(self) -> None:
        self.cache.expire()

    def what_returned_is_right(self) -> None:
        done = [begun for begun in self.begun if begun.task.done()]
        self.begun = [begun for begun in self.begun if not begun.task.done()]
        for begun in done:
            begun.task.result()

    @invariant()
    def it_stays_bounded(self) -> None:
        assert len(self.cache.cache.entries) <= 2


Replica.TestCase.settings = settings(max_examples=400, stateful_step_count=50, deadline=None)
TestReplica = Replica.TestCase
