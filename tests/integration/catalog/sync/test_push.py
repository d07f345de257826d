"""Stock that a vendor's system sends, signed."""

import time
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.catalog.sync.models import signature
from services.catalog.sync.poller import MOST_ROUNDS, SyncPoller
from shared.db.outbox import Outbox
from shared.db.pool import Pool
from tests.factories import make_product
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.sync.conftest import LAYOUT, SOURCES, Sync, on_hand
from tests.integration.catalog.told import outbox, rows
from tests.stock import check_stock


async def make_push(vendor: Client, **fields: Any) -> dict[str, Any]:
    """A source that is pushed; with its secret."""
    async with vendor.post(SOURCES, json={"name": "Till", "kind": "push", "layout": LAYOUT, **fields}) as answer:
        made: dict[str, Any] = await answer.json()
        assert answer.status == 201, made
        return made


def signed(secret: str, body: bytes, *, at: float | None = None) -> dict[str, str]:
    """The headers of a push."""
    timestamp = str(int(time.time() if at is None else at))
    return {
        "Souk-Timestamp": timestamp,
        "Souk-Signature": f"sha256={signature(secret.encode(), timestamp, body).hex()}",
    }


def stock(*items: dict[str, Any]) -> bytes:
    """A document."""
    return orjson.dumps({"stock": list(items)})


async def test_a_push_is_kept_and_its_zeros_are_applied_before_it_is_answered(
    vendor: Client, anonymous: Client, sync: Sync, pool: Pool
) -> None:
    chair, lamp = await make_product(vendor, sku="CHAIR", on_hand=10), await make_product(vendor, sku="LAMP", on_hand=3)
    source = await make_push(vendor)
    body = stock({"sku": "LAMP", "quantity": 8, "version": 1}, {"sku": "CHAIR", "quantity": 0, "version": 1})
    headers = signed(source["secret"], body)
    async with anonymous.post(source["push_url"], data=body, headers=headers) as answer:
        taken = await answer.json()
        assert (answer.status, taken["state"]) == (202, "queued")
    assert (await on_hand(vendor, chair), await on_hand(vendor, lamp)) == (0, 3)
    async with anonymous.post(source["push_url"], data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["id"]) == (200, taken["id"])
        assert answer.headers["Idempotent-Replayed"] == "true"
    [result] = await sync.work()
    assert (result["state"], result["rows"], result["changed"]) == ("completed", 2, 2)
    assert await on_hand(vendor, lamp) == 8
    assert await rows(pool, "sync_runs") == 1
    assert await pool.fetchval("SELECT body IS NULL FROM catalog.sync_runs")
    await check_stock(pool)


async def test_pushes_without_versions_are_as_old_as_they_were_signed(
    vendor: Client, anonymous: Client, sync: Sync
) -> None:
    chair = await make_product(vendor, sku="CHAIR", on_hand=10)
    source = await make_push(vendor, layout={"items": "/stock"})
    now = time.time()
    for quantity, at in ((5, now - 10), (7, now - 60), (6, now - 9), (4, now - 9)):
        body = stock({"sku": "CHAIR", "quantity": quantity})
        headers = signed(source["secret"], body, at=at)
        async with anonymous.post(source["push_url"], data=body, headers=headers) as answer:
            assert answer.status == 202
    results = await sync.work()
    assert [result["changed"] for result in results] == [1, 0, 1, 1]
    assert await on_hand(vendor, chair) == 4


async def test_only_the_secrets_holder_is_heard_and_only_now(vendor: Client, anonymous: Client, pool: Pool) -> None:
    source = await make_push(vendor)
    body = stock({"sku": "CHAIR", "quantity": 1, "version": 1})
    right = signed(source["secret"], body)
    now = time.time()
    refused = [
        {},
        {"Souk-Timestamp": right["Souk-Timestamp"]},
        {**right, "Souk-Signature": "sha256=" + "0" * 64},
        {**right, "Souk-Signature": right["Souk-Signature"].removeprefix("sha256=")},
        {**right, "Souk-Timestamp": str(int(right["Souk-Timestamp"]) + 1)},
        signed("another", body),
        signed(source["secret"], body + b" "),
        signed(source["secret"], body, at=now - 400),
        signed(source["secret"], body, at=now + 400),
    ]
    for headers in refused:
        async with anonymous.post(source["push_url"], data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["type"]) == (401, "urn:souk:problem:bad_signature"), headers
    async with vendor.post(f"{SOURCES}/{source['id']}/secret") as answer:
        renewed = await answer.json()
    async with anonymous.post(source["push_url"], data=body, headers=right) as answer:
        assert answer.status == 401, "the secret before is worth nothing"
    async with anonymous.post(source["push_url"], data=body, headers=signed(renewed["secret"], body)) as answer:
        assert answer.status == 202
    assert await rows(pool, "sync_runs") == 1


async def test_bad_pushes_are_bad_runs(vendor: Client, anonymous: Client, pool: Pool) -> None:
    source = await make_push(vendor)
    for number in range(4):
        body = b'{"stock": %d}' % number
        headers = signed(source["secret"], body)
        for _ in range(2):
            async with anonymous.post(source["push_url"], data=body, headers=headers) as answer:
                assert (answer.status, (await answer.json())["type"]) == (422, "urn:souk:problem:unreadable")
    async with vendor.get(f"{SOURCES}/{source['id']}") as answer:
        found = await answer.json()
    assert (found["status"], found["failures"]) == ("failing", 4)
    assert len(await outbox(pool, "sync.failing")) == 1
    async with vendor.patch(
        f"{SOURCES}/{source['id']}", json={"enabled": False}, headers={"If-Match": f'"{found["version"]}"'}
    ) as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "disabled")
    body = stock()
    async with anonymous.post(source["push_url"], data=body, headers=signed(source["secret"], body)) as answer:
        assert answer.status == 409


async def test_a_push_that_nobody_works_at_is_asked_for_again_in_a_higher_round(
    vendor: Client, anonymous: Client, sync: Sync, pool: Pool
) -> None:
    chair = await make_product(vendor, sku="CHAIR", on_hand=10)
    source = await make_push(vendor)
    body = stock({"sku": "CHAIR", "quantity": 3, "version": 1})
    async with anonymous.post(source["push_url"], data=body, headers=signed(source["secret"], body)) as answer:
        assert answer.status == 202
    hasty = SyncPoller(pool=pool, outbox=Outbox("catalog"), patience_seconds=0)
    for _ in range(MOST_ROUNDS - 1):
        assert await hasty.run_once() == 1
    asked = [told["data"]["round"] for told in await outbox(pool, "sync.requested")]
    assert asked == list(range(1, MOST_ROUNDS + 1))
    [result] = await sync.work()
    assert (result["changed"], await on_hand(vendor, chair)) == (1, 3)
    assert await hasty.run_once() == 0


OTHERS = [
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/secret"),
    ("POST", "/run"),
    ("GET", "/runs"),
    ("GET", "/runs/{run}"),
    ("GET", "/skus"),
    ("PUT", "/skus"),
]


async def test_another_vendors_source_is_not_found(vendor: Client, other_vendor: Client, anonymous: Client) -> None:
    source = await make_push(vendor)
    body = stock()
    async with anonymous.post(source["push_url"], data=body, headers=signed(source["secret"], body)) as answer:
        run = (await answer.json())["id"]
    bodies = {"PATCH": {"name": "Mine"}, "PUT": {"items": [{"external_sku": "1", "sku": None}]}}
    for method, path in OTHERS:
        at = f"{SOURCES}/{source['id']}{path.format(run=run)}"
        async with other_vendor.request(method, at, json=bodies.get(method), headers={"If-Match": '"1"'}) as answer:
            assert (answer.status, (await answer.json())["type"]) == (404, "urn:souk:problem:source_not_found"), at
    async with other_vendor.get(SOURCES) as answer:
        assert (await answer.json())["items"] == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"kind": "pull"}, 422),
        ({"kind": "pull", "url": "ftp://example.com/stock"}, 422),
        ({"kind": "push", "url": "https://example.com/stock"}, 422),
        ({"kind": "pull", "url": "https://example.com/stock", "interval_seconds": 1}, 422),
        ({"kind": "pull", "url": "https://example.com/stock", "credentials": {"header": "Host", "value": "x"}}, 422),
        ({"kind": "pull", "url": "https://example.com/stock", "credentials": {"value": "a\r\nb"}}, 422),
        ({"kind": "pull", "url": "https://example.com/stock", "layout": {"items": "stock"}}, 422),
        ({"kind": "push", "name": "Till"}, 409),
        ({"kind": "fax"}, 422),
    ],
)
async def test_a_source_that_does_not_fit_is_refused(vendor: Client, fields: dict[str, Any], status: int) -> None:
    await make_push(vendor)
    async with vendor.post(SOURCES, json={"name": "Other", **fields}) as answer:
        assert answer.status == status, await answer.text()


async def test_a_source_is_made_once_and_changed_at_the_version_that_was_read(vendor: Client, pool: Pool) -> None:
    body = {"name": "Depot", "url": "https://example.com/stock.json", "layout": LAYOUT}
    made = []
    for _ in range(2):
        async with vendor.post(SOURCES, json=body, headers={"Idempotency-Key": "depot"}) as answer:
            assert answer.status == 201
            made.append((await answer.json())["id"])
    assert made[0] == made[1]
    at = f"{SOURCES}/{made[0]}"
    for headers, change, status in (
        ({}, {"name": "Store"}, 428),
        ({"If-Match": '"7"'}, {"name": "Store"}, 412),
        ({"If-Match": '"1"'}, {"name": None}, 422),
        ({"If-Match": '"1"'}, {"layout": {**LAYOUT, "version": "updated_at"}}, 422),
        ({"If-Match": '"1"'}, {"name": "Store", "interval_seconds": 900}, 200),
    ):
        async with vendor.patch(at, json=change, headers=headers) as answer:
            assert answer.status == status, await answer.text()
    async with vendor.post(f"{at}/secret") as answer:
        assert answer.status == 409
    assert await pool.fetchval("SELECT count(*) FROM catalog.sync_sources WHERE id = $1", UUID(made[0])) == 1
