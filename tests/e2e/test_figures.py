"""What the processes of a running stack tell Prometheus is what the alert rules ask for."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping

import aiohttp
import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from tests.alerts import in_rules
from tests.e2e.marketplace import Shop, Stack
from tests.eventually import eventually

ENDINGS = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",)}
"""What of a family has a value; a counter with labels has none before it first counts."""


async def scraped(http: aiohttp.ClientSession, ops_url: str) -> str:
    async with http.get(f"{ops_url}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def figures(stack: Stack) -> Mapping[str, set[str]]:
    """Every figure of every process, with its labels where it has a value."""
    told: dict[str, set[str]] = defaultdict(set)
    async with aiohttp.ClientSession() as http:
        pages = await asyncio.gather(*(scraped(http, process.ops_url) for process in stack.run.processes))
    for page in pages:
        for family in text_string_to_metric_families(page):
            for ending in ENDINGS.get(family.type, ("",)):
                told[f"{family.name}{ending}"] |= set()
            for sample in family.samples:
                told[sample.name] |= set(sample.labels)
    return told


async def test_every_figure_of_the_alerts_is_told_with_its_labels(stack: Stack) -> None:
    told = await figures(stack)
    asked = [(alert.name, *selector) for alert in in_rules() for selector in alert.selectors()]
    assert [(alert, name) for alert, name, _ in asked if name not in told] == []
    assert [(alert, name) for alert, name, labels in asked if told[name] and not labels <= told[name]] == []


async def test_the_way_of_a_product_is_measured_from_event_to_report(shop: Shop) -> None:
    await shop.settled(await shop.submit(), pictures=0)
    async with aiohttp.ClientSession() as http:
        ledger = await scraped(http, shop.stack.process("ledger").ops_url)
        notifier = await scraped(http, shop.stack.process("notifier").ops_url)
    for figure in ('souk_event_wait_seconds_count{type="product.submitted"}', "souk_report_wait_seconds_count"):
        assert value_of(figure, ledger) >= 1
    assert value_of('souk_job_wait_seconds_count{priority="2",type="send-email"}', notifier) >= 1


def value_of(figure: str, page: str) -> float:
    [value] = [line.removeprefix(figure) for line in page.splitlines() if line.startswith(f"{figure} ")]
    return float(value)


async def test_each_process_tells_its_version_and_the_lag_of_its_loop(stack: Stack) -> None:
    async with aiohttp.ClientSession() as http:
        for process in stack.run.processes:
            page = await scraped(http, process.ops_url)
            assert "souk_build_info{version=" in page, process.name
            assert "souk_event_loop_lag_seconds_count" in page, process.name


async def test_what_services_did_in_the_last_hour_reaches_reporting(stack: Stack) -> None:
    conn = await asyncpg.connect(stack.run.database_url, timeout=10)
    try:
        told = "SELECT array_agg(DISTINCT service ORDER BY service) FROM reporting.hours_told"

        async def all_have_told() -> bool:
            return bool(await conn.fetchval(told) == ["catalog", "jobs", "notifier"])

        await eventually(all_have_told, 60)
    finally:
        await conn.close()
