"""What is wished for at once is loaded at once, and each gets its own."""

import asyncio
from collections.abc import Sequence

import pytest

from services.catalog.gathering import Gathering


class Shelf:
    """Gives the double of each even number, when it is let; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.arrived = asyncio.Queue[None]()
        self.open = asyncio.Event()

    async def load(self, keys: Sequence[int]) -> dict[int, int]:
        self.asked.append([*keys])
        self.arrived.put_nowait(None)
        await self.open.wait()
        if 13 in keys:
            raise LookupError("13")
        return {key: key * 2 for key in keys if key % 2 == 0}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_wishes_of_one_turn_are_one_load(shelf: Shelf) -> None:
    shelf.open.set()
    gathering = Gathering(shelf.load)
    assert await asyncio.gather(*(gathering.load(key) for key in (2, 3, 4, 2))) == [4, None, 8, 4]
    assert await gathering.load(6) == 12
    assert shelf.asked == [[2, 3, 4, 2], [6]]


async def test_nobody_waits_for_a_load_before(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    first = asyncio.create_task(gathering.load(2))
    await shelf.arrived.get()
    second = asyncio.create_task(gathering.load(4))
    await shelf.arrived.get()
    shelf.open.set()
    assert (await first, await second) == (4, 8)
    assert shelf.asked == [[2], [4]]


async def test_many_wishes_are_several_loads(shelf: Shelf) -> None:
    shelf.open.set()
    gathering = Gathering(shelf.load, max_keys=2)
    assert await asyncio.gather(*(gathering.load(key) for key in (2, 4, 6))) == [4, 8, 12]
    assert shelf.asked == [[2, 4], [6]]


async def test_a_failure_is_told_to_all_of_its_load_and_to_no_other(shelf: Shelf) -> None:
    shelf.open.set()
    gathering = Gathering(shelf.load)
    outcomes = await asyncio.gather(gathering.load(13), gathering.load(2), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LookupError, LookupError]
    assert await gathering.load(2) == 4


async def test_who_gives_up_takes_nothing_from_the_others(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    leaving, staying = asyncio.create_task(gathering.load(2)), asyncio.create_task(gathering.load(2))
    await shelf.arrived.get()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    shelf.open.set()
    assert await staying == 4
    assert leaving.cancelled()
