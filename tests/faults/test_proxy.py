"""The fault proxy does what it says, on an echo server."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.eventually import eventually
from tests.faults.proxy import FaultProxy, Toward, fault_proxy

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def way() -> AsyncIterator[FaultProxy]:
    """A way to a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(1000):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, fault_proxy(f"echo://someone:secret@127.0.0.1:{port}/place?a=b") as opened:
        yield opened


async def enter(way: FaultProxy) -> Ends:
    """Connect and make sure that it works."""
    ends = await asyncio.open_connection("127.0.0.1", way.port)
    await says_again(ends, b"hello")
    return ends


async def says_again(ends: Ends, words: bytes) -> None:
    """The words come back."""
    ends[1].write(words)
    assert await asyncio.wait_for(ends[0].readexactly(len(words)), 5) == words


async def hears_nothing_for(reading: "asyncio.Future[bytes]", seconds: float = 0.1) -> None:
    """A read that is under way does not end."""
    _, waiting = await asyncio.wait([reading], timeout=seconds)
    assert waiting


async def test_its_address_is_the_same_but_for_the_place(way: FaultProxy) -> None:
    assert way.url == f"echo://someone:secret@127.0.0.1:{way.port}/place?a=b"


async def test_a_cut_resets_and_refuses_until_joined_at_the_same_port(way: FaultProxy) -> None:
    ends, port = await enter(way), way.port
    way.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(ends[0].read(1), 5)
    with pytest.raises(ConnectionError):
        await enter(way)
    await way.join()
    assert way.port == port
    (await enter(way))[1].close()
    assert way.opened == 2


async def test_refusing_leaves_what_stands(way: FaultProxy) -> None:
    ends = await enter(way)
    way.refuse()
    await says_again(ends, b"still here")
    with pytest.raises(ConnectionError):
        await enter(way)
    ends[1].close()


@pytest.mark.parametrize("directions", [{Toward.CLIENT}, {Toward.SERVER}, set(Toward)])
async def test_a_stall_keeps_what_is_sent_until_it_ends(way: FaultProxy, directions: set[Toward]) -> None:
    ends = await enter(way)
    way.stall(frozenset(directions))
    ends[1].write(b"later")
    reading = asyncio.ensure_future(ends[0].readexactly(5))
    await hears_nothing_for(reading)
    way.flow()
    assert await asyncio.wait_for(reading, 5) == b"later"
    ends[1].close()


async def test_a_vanished_peer_says_no_good_bye(way: FaultProxy) -> None:
    ends = await enter(way)
    way.vanish()
    ends[1].write(b"lost")
    reading = asyncio.ensure_future(ends[0].read(1))
    await hears_nothing_for(reading)
    (await enter(way))[1].close()
    assert not reading.done()
    assert way.standing >= 1
    reading.cancel()
    ends[1].close()


async def test_a_delay_is_waited_for_each_chunk(way: FaultProxy) -> None:
    ends = await enter(way)
    way.delay_seconds = 0.05
    began = asyncio.get_running_loop().time()
    await says_again(ends, b"slow")
    assert asyncio.get_running_loop().time() - began >= 0.1
    ends[1].close()


async def test_a_pattern_in_two_chunks_is_caught_and_does_not_pass(way: FaultProxy) -> None:
    ends = await enter(way)
    trap = way.at(re.compile(b"COMMIT"), Toward.CLIENT, FaultProxy.reset, spared=1)
    await says_again(ends, b"xCOMMITx")
    await says_again(ends, b"COM")
    ends[1].write(b"MITTED")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(ends[0].read(1), 5)
    assert trap.sprung.is_set()


async def test_what_comes_before_a_pattern_passes_and_the_rest_when_the_stall_ends(way: FaultProxy) -> None:
    ends = await enter(way)
    trap = way.at(re.compile(b"COMMIT"), Toward.CLIENT, FaultProxy.stall)
    ends[1].write(b"before COMMIT after")
    await asyncio.wait_for(trap.sprung.wait(), 5)
    assert await asyncio.wait_for(ends[0].readexactly(7), 5) == b"before "
    way.flow()
    assert await asyncio.wait_for(ends[0].readexactly(12), 5) == b"COMMIT after"
    ends[1].close()


async def test_an_end_that_leaves_is_told_to_the_other(way: FaultProxy) -> None:
    ends = await enter(way)
    ends[1].close()

    async def alone() -> bool:
        return way.standing == 0

    await eventually(alone, 5)
