"""The operations port: a scrape is answered whatever becomes of the figures that are read for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import Counter
from pydantic import SecretStr

from shared.errors import Unavailable
from shared.settings import ServiceSettings
from shared.web import ops
from shared.web.ops import Refresh, operations_port

READS = Counter("souk_test_reads", "Figures that a test has read.")


@asynccontextmanager
async def scraped(refresh: Sequence[Refresh]) -> AsyncIterator[str]:
    """What one scrape tells."""
    settings = ServiceSettings(amqp_url=SecretStr("amqp://nobody@127.0.0.1:9/"), ops_port=0)
    async with (
        operations_port(settings, {}, refresh=refresh) as port,
        aiohttp.ClientSession() as client,
        asyncio.timeout(10),
        client.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        assert response.status == 200
        yield await response.text()


async def read() -> None:
    READS.inc()


async def fail() -> None:
    raise Unavailable("The database did not answer.")


async def break_down() -> None:
    raise ZeroDivisionError


async def test_figures_are_read_before_they_are_told() -> None:
    before = READS._value.get()
    async with scraped([read]) as told:
        assert f"souk_test_reads_total {before + 1}" in told


@pytest.mark.parametrize("refresh", [fail, break_down])
async def test_a_figure_that_cannot_be_read_keeps_no_other_back(refresh: Refresh) -> None:
    before = READS._value.get()
    async with scraped([refresh, read]) as told:
        assert f"souk_test_reads_total {before + 1}" in told


async def test_a_figure_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "REFRESH_SECONDS", 0.05)
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async with scraped([hang]) as told:
        assert "souk_test_reads_total" in told
    assert ended == ["cancelled"]
