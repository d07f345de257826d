"""The balancer goes on to the next replica when one is away, unwilling or silent, and no further than once around."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from shared.web.server import serving
from tests.faults.balancer import Balancer

WITHIN_SECONDS = 1.0
NOBODY = "http://127.0.0.1:9"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def well(_: web.Request) -> web.Response:
    return web.json_response({"who": "well"})


async def unwilling(_: web.Request) -> web.Response:
    return web.json_response({"type": "urn:souk:problem:unavailable"}, status=503)


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


async def asked(http: aiohttp.ClientSession, handler: Handler, times: int = 2) -> list[str]:
    """Who answers a balancer before this replica and a good one, request by request."""
    first, second = web.Application(), web.Application()
    first.router.add_get("/", handler)
    second.router.add_get("/", well)
    async with (
        serving(first, host="127.0.0.1", port=0, grace_seconds=0.1) as bad,
        serving(second, host="127.0.0.1", port=0, grace_seconds=0.1) as good,
    ):
        replicas = [f"http://127.0.0.1:{port}" for port in (bad, good)]
        balancer = Balancer(http, replicas, within_seconds=WITHIN_SECONDS)
        return [(await balancer.request("GET", "/", headers={})).body["who"] for _ in range(times)]


@pytest.mark.parametrize("handler", [unwilling, silent])
async def test_another_answers_for_one_that_does_not(http: aiohttp.ClientSession, handler: Handler) -> None:
    assert await asked(http, handler) == ["well", "well"]


async def test_they_take_turns(http: aiohttp.ClientSession) -> None:
    async def other(_: web.Request) -> web.Response:
        return web.json_response({"who": "other"})

    assert await asked(http, other, times=4) == ["other", "well", "other", "well"]


async def test_the_last_word_is_the_last_replicas(http: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.ClientConnectorError):
        await Balancer(http, [NOBODY, NOBODY], within_seconds=WITHIN_SECONDS).request("GET", "/", headers={})
