"""What one vendor has at the services behind the gateway is nothing to another: reports, jobs, notifications, browsers.

What the gateway answers itself is tried in `test_isolation.py`; this is the rest of the table, with the services there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from services.catalog.access import ACCESS
from shared.db.pool import open_pool
from shared.ids import new_id
from shared.web.identity import Role
from tests.integration.catalog.conftest import Client, Gateway
from tests.servers import Database

NOBODYS = str(new_id())
PERIOD = {"from": "2026-01-01", "to": "2026-01-31"}
BROWSER = {
    "endpoint": "https://push.example.com/send/theirs",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
    "name": "Theirs",
}
NOTE = """
    INSERT INTO notifier.notifications (id, vendor_id, kind, params, dedupe_key, created_at)
    VALUES ($1, $2, 'stock_low', '{}', $1::uuid::text, now())
"""


@dataclass(frozen=True)
class Theirs:
    """What the other vendor has, by the start of its path."""

    ids: dict[str, str]
    cause: str

    def at(self, path: str) -> str:
        """A row's path with it."""
        found = next(self.ids[start] for start in self.ids if path.startswith(start))
        return re.sub(r"\{\w+\}", found, path)


async def their_things(gateway: Gateway, database: Database, them: Client, admin: Client) -> Theirs:
    """One of everything."""
    vendor_id = gateway.accounts.vendors[1].vendor_id
    report = await made(them, "/api/vendor/reports", {"type": "daily_sales", "period": PERIOD})
    for day in ("01", "02"):
        await made(
            them,
            "/api/vendor/reports",
            {"type": "daily_sales", "period": {"from": f"2026-02-{day}", "to": f"2026-02-{day}"}},
        )
    payload = {"report_type": "daily_sales", "vendor_id": str(vendor_id), "report_id": report["id"]}
    jobs = [
        await made(admin, "/api/admin/jobs/enqueue", {"type": "generate-report", "payload": payload}) for _ in range(2)
    ]
    browser = await made(them, "/api/push-subscriptions", BROWSER)
    note = new_id()
    async with open_pool(database.url("notifier"), name="tests") as pool:
        await pool.execute(NOTE, note, vendor_id)
    ids = {
        "/api/vendor/reports": report["id"],
        "/api/push-subscriptions": browser["id"],
        "/api/vendor/jobs": jobs[0]["id"],
        "/api/notifications": str(note),
    }
    return Theirs(ids, str(jobs[0]["cause"]))


async def test_another_vendors_things_are_not_there(
    gateway: Gateway, database: Database, vendor: Client, other_vendor: Client, admin: Client
) -> None:
    theirs = await their_things(gateway, database, other_vendor, admin)
    nobodys = Theirs(dict.fromkeys(theirs.ids, NOBODYS), NOBODYS)
    wrong = {}
    for method, path in rows():
        if "{" in path:
            told = [await called(vendor, method, of.at(path)) for of in (theirs, nobodys)]
            if told != [404, 404]:
                wrong[f"{method} {path}"] = told
    assert wrong == {}, "their ids in the path"

    before = [await seen(other_vendor, path) for path in own_lists()]
    for path in (*own_lists(), f"/api/vendor/jobs?cause={theirs.cause}"):
        text = await seen(vendor, path)
        assert not [told for told in theirs.ids.values() if told in text], path
    assert (await read(vendor, "/api/vendor/jobs"))["items"] == []
    assert (await read(vendor, "/api/notifications/unread"))["unread"] == 0, "nothing of theirs is counted"

    await their_ids_in_bodies(gateway, vendor, theirs)
    for path in ("/api/vendor/reports", "/api/vendor/jobs"):
        cursor = (await read(other_vendor, f"{path}?limit=1"))["next"]
        assert cursor is not None, path
        assert (await read(vendor, f"{path}?limit=50&cursor={cursor}"))["items"] == []
    assert [await seen(other_vendor, path) for path in own_lists()] == before, "nothing of theirs has changed"

    reached = {
        path: await called(other_vendor, "GET", theirs.at(path))
        for method, path in rows()
        if "{" in path and method == "GET"
    }
    assert 404 not in reached.values(), "they themselves find it there"
    marketplaces = await made(admin, "/api/admin/reports", {"type": "daily_sales", "period": PERIOD})
    assert await called(vendor, "GET", f"/api/vendor/reports/{marketplaces['id']}") == 404


async def their_ids_in_bodies(gateway: Gateway, vendor: Client, theirs: Theirs) -> None:
    """They are as if nobody had them; and a vendor does not say who it is."""
    async with vendor.post("/api/notifications/read", json={"ids": [theirs.ids["/api/notifications"]]}) as answer:
        assert (answer.status, (await answer.json())["unread"]) == (200, 0)
    asked = {"type": "daily_sales", "period": PERIOD, "vendor_id": str(gateway.accounts.vendors[1].vendor_id)}
    async with vendor.post("/api/vendor/reports", json=asked) as answer:
        assert answer.status == 422
        assert (await answer.json())["errors"][0]["pointer"] == "/vendor_id"


def rows() -> Iterator[tuple[str, str]]:
    """Rows that vendors are let into and that another service answers."""
    for (method, path), access in sorted(ACCESS.items()):
        if Role.VENDOR in access.roles and access.owner is not None:
            yield method, path


def own_lists() -> list[str]:
    """What a vendor reads there without naming anything."""
    return [path for method, path in rows() if method == "GET" and "{" not in path]


async def made(client: ClientSession, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Something new."""
    async with client.post(path, json=body) as answer:
        assert answer.status == 201, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def called(client: ClientSession, method: str, path: str) -> int:
    """The status, with what the row needs beside its path."""
    query = "?format=csv" if path.endswith("/file") else ""
    async with client.request(method, f"{path}{query}") as answer:
        return answer.status


async def seen(client: ClientSession, path: str) -> str:
    """What an address tells."""
    async with client.get(path) as answer:
        assert answer.status == 200, (path, answer.status)
        return await answer.text()


async def read(client: ClientSession, path: str) -> dict[str, Any]:
    """The same as a value."""
    async with client.get(path) as answer:
        assert answer.status == 200, (path, answer.status)
        found: dict[str, Any] = await answer.json()
        return found
