"""Stock that is pulled from a vendor's system, over real HTTP and on the real database."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.catalog.sync.poller import SyncPoller
from shared.contracts.jobs import SyncInventory
from shared.db.outbox import Outbox
from shared.db.pool import Pool
from shared.messaging.delivery import JobCancelled
from tests.factories import make_product
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.sync.conftest import SOURCES, Depot, Sync, ask, attempt, make_source, on_hand
from tests.integration.catalog.told import outbox, rows
from tests.stock import check_stock


async def _run(vendor: Client, source: dict[str, Any], run_id: str) -> dict[str, Any]:
    async with vendor.get(f"{SOURCES}/{source['id']}/runs/{run_id}") as answer:
        run: dict[str, Any] = await answer.json()
        return run


async def _source(vendor: Client, source: dict[str, Any]) -> dict[str, Any]:
    async with vendor.get(f"{SOURCES}/{source['id']}") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_a_changed_an_older_and_an_unknown_row(vendor: Client, depot: Depot, sync: Sync, pool: Pool) -> None:
    chair, lamp = await make_product(vendor, sku="CHAIR", on_hand=10), await make_product(vendor, sku="LAMP", on_hand=3)
    source = await make_source(vendor, depot)
    depot.says({"sku": "CHAIR", "quantity": 7, "version": 5}, {"sku": "LAMP", "quantity": 3, "version": 5})
    await ask(vendor, source)
    [first] = await sync.work()
    assert (first["state"], first["changed"], first["unchanged"]) == ("completed", 1, 1)
    depot.says(
        {"sku": "CHAIR", "quantity": 4, "version": "6"},
        {"sku": "LAMP", "quantity": 99, "version": 4},
        {"sku": "SOFA", "quantity": 1, "version": 6},
        {"sku": "CHAIR", "quantity": 5, "version": 5},
        {"sku": "LAMP", "quantity": -1, "version": 7},
        {"sku": "LAMP", "quantity": 1, "version": "yesterday"},
    )
    run_id = await ask(vendor, source)
    [second] = await sync.work()
    assert {name: second[name] for name in ("rows", "changed", "unchanged", "older", "unmatched", "invalid")} == {
        "rows": 6,
        "changed": 1,
        "unchanged": 0,
        "older": 2,
        "unmatched": 1,
        "invalid": 2,
    }
    assert (await on_hand(vendor, chair), await on_hand(vendor, lamp)) == (4, 3)
    run = await _run(vendor, source, run_id)
    assert run["unmatched_skus"] == ["SOFA"]
    assert [(error["row"], error["code"]) for error in run["errors"]] == [
        (5, "invalid_quantity"),
        (6, "invalid_version"),
    ]
    async with vendor.get(f"/api/vendor/inventory/{chair['id']}/movements") as answer:
        moved = [(step["kind"], step["delta"]) for step in (await answer.json())["items"]]
    assert moved == [("sync", -3), ("sync", -3), ("receive", 10)]
    assert (await outbox(pool, "stock.low"))[-1:] == [], "a draft or pending product is not for sale"
    async with vendor.get(f"{SOURCES}/{source['id']}/runs?limit=1") as answer:
        listed = await answer.json()
    assert ([one["id"] for one in listed["items"]], listed["next"] is not None) == ([run_id], True)
    await check_stock(pool)


async def test_a_document_that_did_not_change_is_not_sent_again_unless_a_product_is_new(
    vendor: Client, depot: Depot, sync: Sync
) -> None:
    chair = await make_product(vendor, sku="CHAIR", on_hand=10)
    source = await make_source(vendor, depot)
    depot.etag = '"a"'
    depot.says({"sku": "CHAIR", "quantity": 7, "version": 1}, {"sku": "NEW", "quantity": 8, "version": 1})
    await ask(vendor, source)
    await sync.work()
    await ask(vendor, source)
    [result] = await sync.work()
    assert (result["not_modified"], result["rows"]) == (True, 0)
    new = await make_product(vendor, sku="NEW", on_hand=0)
    await ask(vendor, source)
    [result] = await sync.work()
    assert (result["not_modified"], result["changed"]) == (False, 1)
    assert (await on_hand(vendor, chair), await on_hand(vendor, new)) == (7, 8)
    assert ["If-None-Match" in asked for asked in depot.asked] == [False, True, False]


async def test_external_skus_mean_the_products_they_are_said_to(
    vendor: Client, other_vendor: Client, depot: Depot, sync: Sync
) -> None:
    chair, foreign = await make_product(vendor, sku="CHAIR"), await make_product(other_vendor, sku="FOREIGN", on_hand=5)
    source = await make_source(vendor, depot)
    names = f"{SOURCES}/{source['id']}/skus"
    for sku, status in (("FOREIGN", 422), ("CHAIR", 200)):
        async with vendor.put(names, json={"items": [{"external_sku": "4711", "sku": sku}]}) as answer:
            assert answer.status == status
    async with vendor.get(names) as answer:
        assert (await answer.json())["items"] == [{"external_sku": "4711", "product_id": chair["id"], "sku": "CHAIR"}]
    depot.says({"sku": 4711, "quantity": 2, "version": 1}, {"sku": "FOREIGN", "quantity": 0, "version": 1})
    await ask(vendor, source)
    [result] = await sync.work()
    assert (result["changed"], result["unmatched"]) == (1, 1)
    assert (await on_hand(vendor, chair), await on_hand(other_vendor, foreign)) == (2, 5)
    async with vendor.put(names, json={"items": [{"external_sku": "4711", "sku": None}]}) as answer:
        assert answer.status == 200
    async with vendor.get(names) as answer:
        assert (await answer.json())["items"] == []


async def test_a_csv_file_is_as_old_as_its_fetching_where_it_has_no_versions(
    vendor: Client, depot: Depot, sync: Sync
) -> None:
    chair = await make_product(vendor, sku="CHAIR", on_hand=10)
    layout = {"sku": "Artikel", "quantity": "Bestand", "delimiter": ";"}
    source = await make_source(vendor, depot, format="csv", layout=layout)
    for quantity in (6, 8):
        depot.body = f'\ufeffArtikel;Name;Bestand\r\nCHAIR;"A; chair";{quantity}.0\r\n\r\n'.encode()
        await ask(vendor, source)
        await sync.work()
        assert await on_hand(vendor, chair) == quantity


async def test_credentials_are_sent_to_the_source_alone_and_kept_encrypted(
    vendor: Client, depot: Depot, sync: Sync, pool: Pool
) -> None:
    source = await make_source(vendor, depot, credentials={"value": "Bearer hunter2"})
    assert source["has_credentials"]
    assert "hunter2" not in str(source)
    sealed = await pool.fetchval("SELECT sealed FROM catalog.sync_sources")
    assert b"hunter2" not in sealed
    depot.says()
    await ask(vendor, source)
    await sync.work()
    assert depot.asked[-1]["Authorization"] == "Bearer hunter2"
    async with vendor.patch(
        f"{SOURCES}/{source['id']}", json={"credentials": None}, headers={"If-Match": '"1"'}
    ) as answer:
        assert (answer.status, (await answer.json())["has_credentials"]) == (200, False)


BAD = [
    ({"status": 503}, "answered 503"),
    ({"status": 404}, "answered 404"),
    ({"body": b"<html>"}, "not JSON"),
    ({"body": b'{"stock": {}}'}, "no list"),
    ({"body": b"[" * 500 + b"]" * 500}, "deeper"),
    ({"body": b"[" * 5000 + b"]" * 5000}, "not JSON"),
    ({"body": b'{"stock": [{"sku": "CHAIR"}]}'}, "None of the 1 rows"),
    ({"body": b" " * (8 * 1024 * 1024 + 1)}, "bytes"),
    ({"location": "http://169.254.169.254/latest/meta-data"}, "not a public one"),
    ({"location": "http://localhost/"}, "not a public one"),
]


@pytest.mark.parametrize(("answers", "words"), BAD, ids=[words for _, words in BAD])
async def test_a_bad_answer_is_a_bad_run_and_changes_nothing(
    vendor: Client, depot: Depot, sync: Sync, answers: dict[str, Any], words: str
) -> None:
    chair = await make_product(vendor, sku="CHAIR", on_hand=10)
    source = await make_source(vendor, depot)
    for name, value in answers.items():
        setattr(depot, name, value)
    await ask(vendor, source)
    [result] = await sync.work()
    assert result["state"] == "failed"
    assert words in result["problem"]
    assert await on_hand(vendor, chair) == 10
    found = await _source(vendor, source)
    assert (found["status"], found["failures"]) == ("active", 1)


async def test_the_address_of_our_own_network_is_not_fetched(vendor: Client, depot: Depot, sync: Sync) -> None:
    source = await make_source(vendor, depot, url="http://127.0.0.1:9999/stock")
    await ask(vendor, source)
    [result] = await sync.work()
    assert (result["state"], result["problem"]) == ("failed", "The address is not a public one.")


async def test_three_bad_runs_make_a_failing_source_that_is_told_once_and_waits_longer(
    vendor: Client, depot: Depot, sync: Sync, pool: Pool
) -> None:
    source = await make_source(vendor, depot, interval_seconds=600)
    depot.status = 500
    for number in range(1, 6):
        await pool.execute("UPDATE catalog.sync_sources SET next_run_at = now()")
        assert await sync.poller.run_once() == 1
        await sync.work()
        wait = await pool.fetchval("SELECT next_run_at - now() FROM catalog.sync_sources")
        expected = min(timedelta(seconds=600 * 2**number), timedelta(hours=6))
        assert abs(wait - expected) < timedelta(seconds=30)
        found = await _source(vendor, source)
        assert (found["failures"], found["status"]) == (number, "failing" if number >= 3 else "active")
    [told] = await outbox(pool, "sync.failing")
    assert (told["data"]["failures"], told["data"]["problem"]) == (3, "The other side answered 500.")
    depot.status = 200
    depot.says()
    await ask(vendor, source)
    await sync.work()
    found = await _source(vendor, source)
    assert (found["failures"], found["status"], found["problem"]) == (0, "active", None)


async def test_a_due_source_is_asked_for_once_by_any_number_of_pollers(
    vendor: Client, depot: Depot, sync: Sync, pool: Pool
) -> None:
    source = await make_source(vendor, depot, interval_seconds=60)
    await make_source(vendor, depot, name="By hand")
    await make_source(vendor, depot, name="Off", interval_seconds=60, enabled=False)
    assert [await sync.poller.run_once() for _ in range(3)] == [1, 0, 0]
    await pool.execute("UPDATE catalog.sync_sources SET next_run_at = now() WHERE next_run_at IS NOT NULL")
    assert await sync.poller.run_once() == 0, "its run is still in hand"
    async with vendor.post(f"{SOURCES}/{source['id']}/run") as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:souk:problem:run_in_hand")
    assert await rows(pool, "sync_runs") == 1


async def test_a_pull_that_nobody_works_at_is_given_up(vendor: Client, depot: Depot, sync: Sync, pool: Pool) -> None:
    source = await make_source(vendor, depot)
    run_id = await ask(vendor, source)
    hasty = SyncPoller(pool=pool, outbox=Outbox("catalog"), patience_seconds=0)
    await hasty.run_once()
    run = await _run(vendor, source, run_id)
    assert (run["state"], run["problem"]) == ("failed", "No worker ended this run in time.")
    assert (await _source(vendor, source))["failures"] == 0, "that is not the source's fault"
    await ask(vendor, source)


async def test_a_run_by_the_job_api_alone_and_a_repeated_job(
    vendor: Client, depot: Depot, sync: Sync, pool: Pool
) -> None:
    chair = await make_product(vendor, sku="CHAIR", on_hand=10)
    source = await make_source(vendor, depot)
    depot.says({"sku": "CHAIR", "quantity": 1, "version": 1})
    results = [await sync.run(UUID(source["id"])) for _ in range(2)]
    assert [(result["changed"], result["unchanged"]) for result in results] == [(1, 0), (0, 1)]
    run_id = await ask(vendor, source)
    await sync.work()
    again = await sync.run(UUID(source["id"]), UUID(run_id))
    assert (again["run_id"], again["state"]) == (run_id, "completed")
    assert len(depot.asked) == 3, "a run that is over is only told again"
    async with vendor.delete(f"{SOURCES}/{source['id']}") as answer:
        assert answer.status == 204
    assert await sync.run(UUID(source["id"])) == {"state": "source_gone"}
    assert await on_hand(vendor, chair) == 1
    await check_stock(pool)


async def test_a_cancelled_job_ends_its_run(vendor: Client, depot: Depot, sync: Sync) -> None:
    await make_product(vendor, sku="CHAIR")
    source = await make_source(vendor, depot)
    depot.says({"sku": "CHAIR", "quantity": 1, "version": 1})
    run_id = await ask(vendor, source)
    job = SyncInventory(source_id=UUID(source["id"]), run_id=UUID(run_id))
    with pytest.raises(JobCancelled):
        await sync.runner.work(job, attempt(is_cancelled=lambda: True))
    assert (await _run(vendor, source, run_id))["state"] == "cancelled"
