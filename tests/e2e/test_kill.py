"""Nothing is lost when a process or a server is killed while the stack runs, and everything comes back by itself."""

import asyncio
import os
import signal
import time

import aiohttp
import pytest

from deploy.local.pictures import photo
from deploy.local.programs import BLUEPRINTS
from deploy.local.supervisor import answers_ready
from tests.e2e.marketplace import PATIENCE_SECONDS, Shop, small_photo
from tests.eventually import eventually

PROCESSES = [each.name for each in BLUEPRINTS]


async def until_back(shop: Shop, name: str, *, killed: int, restarts: int) -> None:
    """The supervisor has started it again, once, and it is ready."""

    async def is_back() -> bool:
        process = shop.stack.process(name)
        assert process.pid not in (None, killed)
        assert process.restarts == restarts
        return await answers_ready(process.ops_url, shop.http)

    await eventually(is_back, PATIENCE_SECONDS)


@pytest.mark.parametrize("name", PROCESSES)
async def test_what_is_submitted_while_a_process_is_dead_is_done(shop: Shop, name: str) -> None:
    restarts = shop.stack.process(name).restarts
    killed = shop.stack.kill(name)
    product = await shop.submit(pictures=[small_photo(1)])
    await until_back(shop, name, killed=killed, restarts=restarts + 1)
    await shop.settled(product)


async def test_a_key_that_is_sent_again_and_again_makes_one_product(shop: Shop) -> None:
    offer = {**_offer("SKU-once"), "title": "Chair of one key"}
    restarts = shop.stack.process("gateway").restarts
    answers: list[tuple[int, str]] = []

    async def send() -> bool:
        headers = {**shop.as_("vendor"), "Idempotency-Key": "once"}
        try:
            url = f"{shop.gateway}/api/vendor/products"
            async with shop.http.post(url, json=offer, headers=headers) as answer:
                body = await answer.json(content_type=None)
                if answer.status == 201:
                    answers.append((answer.status, body["id"]))
                return answer.status == 201
        except (aiohttp.ClientError, TimeoutError):
            return False

    first = [asyncio.create_task(send()) for _ in range(8)]
    await asyncio.sleep(0)  # they are on their way
    killed = shop.stack.kill("gateway")
    await asyncio.gather(*first)
    await eventually(send, PATIENCE_SECONDS, every=0.1)
    await until_back(shop, "gateway", killed=killed, restarts=restarts + 1)
    assert len({product_id for _, product_id in answers}) == 1
    found = (await shop.get("vendor", "/api/vendor/products?limit=100"))["items"]
    assert [each["sku"] for each in found].count("SKU-once") == 1
    await shop.settled({"id": answers[0][1], "title": "Chair of one key"}, pictures=0)


async def test_pictures_under_way_survive_the_death_of_imaging(shop: Shop) -> None:
    imaging = shop.stack.process("imaging")
    with shop.stack.held(imaging.pid):
        product = await shop.submit(pictures=[photo(seed, 1200, 900) for seed in range(1, 13)])

    async def first_is_ready() -> bool:
        shown = await shop.get("vendor", f"/api/vendor/products/{product['id']}")
        return any(image["status"] == "ready" for image in shown["images"])

    await eventually(first_is_ready, PATIENCE_SECONDS)
    killed = shop.stack.kill("imaging")
    shown = await shop.get("vendor", f"/api/vendor/products/{product['id']}")
    assert any(image["status"] == "pending" for image in shown["images"]), "all were done before the kill"
    await until_back(shop, "imaging", killed=killed, restarts=imaging.restarts + 1)
    await shop.settled(product, pictures=12)
    await shop.nothing_open()


async def test_mails_that_wait_survive_the_death_of_the_notifier(shop: Shop) -> None:
    notifier = shop.stack.process("notifier")
    with shop.stack.held(notifier.pid):
        products = [await shop.submit() for _ in range(20)]

    async def first_is_sent() -> bool:
        return any([await shop.mails_about(product["title"]) for product in products])

    await eventually(first_is_sent, PATIENCE_SECONDS)
    killed = shop.stack.kill("notifier")
    await until_back(shop, "notifier", killed=killed, restarts=notifier.restarts + 1)
    for product in products:
        await shop.settled(product, pictures=0, copies=2)
    await shop.nothing_open()


async def test_events_under_way_survive_the_death_of_the_ledger(shop: Shop) -> None:
    ledger = shop.stack.process("ledger")
    before = (await shop.stats())["total"]
    with shop.stack.held(ledger.pid):
        products = [await shop.submit() for _ in range(50)]

    async def first_is_dispatched() -> bool:
        return (await shop.stats())["total"] > before

    await eventually(first_is_dispatched, PATIENCE_SECONDS)
    killed = shop.stack.kill("ledger")
    await until_back(shop, "ledger", killed=killed, restarts=ledger.restarts + 1)
    for product in products:
        await shop.settled(product, pictures=0)
    stats = await shop.nothing_open()
    assert stats["total"] == before + 2 * len(products)


async def test_events_under_way_survive_the_death_of_the_relay(shop: Shop) -> None:
    relay = shop.stack.process("relay")
    before = (await shop.stats())["total"]
    with shop.stack.held(relay.pid):
        products = [await shop.submit() for _ in range(20)]

    async def first_is_dispatched() -> bool:
        return (await shop.stats())["total"] > before

    await eventually(first_is_dispatched, PATIENCE_SECONDS, every=0.005)
    killed = shop.stack.kill("relay")
    await until_back(shop, "relay", killed=killed, restarts=relay.restarts + 1)
    for product in products:
        await shop.settled(product, pictures=0)
    stats = await shop.nothing_open()
    assert stats["total"] == before + 2 * len(products)


async def test_a_create_is_answered_while_the_broker_is_dead_and_the_work_is_done_when_it_is_back(shop: Shop) -> None:
    killed = shop.stack.server_pid("rabbitmq")
    os.kill(killed, signal.SIGKILL)
    begun = time.monotonic()
    product = await shop.submit(pictures=[small_photo(2)])
    assert time.monotonic() - begun < 5, "the gateway waited for the broker"
    assert shop.stack.server_pid("rabbitmq") == killed, "the broker was back before the product was there"
    await shop.settled(product)
    assert shop.stack.server_pid("rabbitmq") != killed
    await shop.nothing_open()
    await all_ready(shop)


async def test_without_the_database_it_is_503_and_with_it_all_goes_on(shop: Shop) -> None:
    supervisor = shop.stack.run.supervisor
    with shop.stack.held(supervisor):  # else the database is back before anybody has noticed
        os.kill(shop.stack.server_pid("postgres"), signal.SIGKILL)
        for method, path in (("GET", "/api/products"), ("POST", "/api/vendor/products")):
            body = _offer("SKU-503") if method == "POST" else None
            url = f"{shop.gateway}{path}"
            async with shop.http.request(method, url, json=body, headers=shop.as_("vendor")) as answer:
                said = await answer.json(content_type=None)
            assert (answer.status, answer.content_type) == (503, "application/problem+json"), said
            assert int(answer.headers["Retry-After"]) >= 1
            assert said["request_id"] == answer.headers["X-Request-Id"]
        assert not await answers_ready(shop.stack.process("gateway").ops_url, shop.http)
    product = await shop.submit(pictures=[small_photo(3)])
    await shop.settled(product)
    await shop.nothing_open()
    await all_ready(shop)


@pytest.mark.parametrize("server", ["rabbitmq", "postgres"])
async def test_work_under_way_survives_the_death_of_a_server(shop: Shop, server: str) -> None:
    restarts = sum(process.restarts for process in shop.stack.run.processes)
    with shop.stack.held(shop.stack.process("notifier").pid), shop.stack.held(shop.stack.process("imaging").pid):
        products = [await shop.submit(pictures=[small_photo(number)]) for number in range(20)]

    async def first_is_sent() -> bool:
        return any([await shop.mails_about(product["title"]) for product in products])

    await eventually(first_is_sent, PATIENCE_SECONDS)
    os.kill(shop.stack.server_pid(server), signal.SIGKILL)
    for product in products:
        # A mail whose row could not be written is sent again, as documented at `Mailroom.send_email`.
        await shop.settled(product, copies=1 if server == "rabbitmq" else 2)
    await shop.nothing_open()
    await all_ready(shop)
    assert sum(process.restarts for process in shop.stack.run.processes) == restarts, "a process died of it"


async def all_ready(shop: Shop) -> None:
    """Every process says that it is ready, and none was restarted for want of it."""
    for process in shop.stack.run.processes:

        async def is_ready(ops_url: str = process.ops_url) -> bool:
            return await answers_ready(ops_url, shop.http)

        await eventually(is_ready, PATIENCE_SECONDS)


def _offer(sku: str) -> dict[str, object]:
    return {
        "sku": sku,
        "title": "Chair",
        "description": "A chair of oak.",
        "price": {"amount_minor": 12900, "currency": "EUR"},
        "category": "furniture",
        "on_hand": 1,
    }
