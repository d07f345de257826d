"""What one vendor has is nothing to another: every route of vendors, tried with another one's ids in every place.

The rows of the access table make the cases. A row with an id in its path that is not told here how to be called with a
body fails: it has to answer 404 before anything else.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout

from services.catalog.access import ACCESS, SAFE_METHODS, Access
from shared.ids import new_id
from shared.web.identity import Role
from tests.factories import make_approved, make_product
from tests.integration.catalog.accounts.browser import browser, sign_in
from tests.integration.catalog.conftest import Client, Gateway

PRICE: Final = {"amount_minor": 100, "currency": "EUR"}
FEED: Final = "/stream"

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "PATCH /api/vendor/products/{id}": {"json": {"price": PRICE}},
    "POST /api/vendor/products/{id}/images": {"json": {"url": "https://example.com/b.jpg"}},
    "PUT /api/vendor/inventory/{product_id}": {"json": {"on_hand": 1, "expected_on_hand": 10}},
    "PUT /api/vendor/inventory/{product_id}/threshold": {"json": {"threshold": 3}},
    "PATCH /api/vendor/sync-sources/{id}": {"json": {"name": "Mine"}},
    "PUT /api/vendor/sync-sources/{id}/skus": {"json": {"items": [{"external_sku": "x", "sku": None}]}},
    "PATCH /api/vendor/members/{id}": {"json": {"is_owner": True}},
}
"""What else a row needs; forms of pages are sent empty."""
SHARED: Final = frozenset({"name", "slug", "mark", "key", "source", "token", "type"})
"""Path parameters that are no ids of a vendor's own things."""


ASKING: Final = ("/notifications", "/reports", "/vendor/reports")
"""Pages of what other services own: they hold it to its owner (`tests/integration/notifier/test_routes.py`)."""
PAGES: Final = "/vendor/"
"""Their forms lead back to where they came from when they do not fit, without looking whose product it is."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A vendor's things, by the path parameter and the start of the path that they stand at."""

    ids: Mapping[str, str]
    words: tuple[str, ...]
    """By which they would be recognised in an answer."""

    def address(self, path: str) -> str:
        """The path with this vendor's ids."""
        return re.sub(r"\{([a-z_]+)\}", lambda match: self._id(path, match[1]), path)

    def _id(self, path: str, name: str) -> str:
        starts = (start for start in self.ids if start.partition(" ")[0] == name and path.startswith(start.split()[1]))
        return self.ids[max(starts, key=len)]


NOBODYS_SHOP: Final = Shop(
    dict.fromkeys(("id /", "image_id /", "product_id /", "run_id /", "name /", "slug /", "type /"), str(new_id())), ()
)


async def open_shop(gateway: Gateway, number: int, client: Client, admin: Client, word: str) -> Shop:
    """A shop with one of everything, all of it named with a word of its own."""
    pictures = [{"url": "https://example.com/a.jpg", "alt": f"{word} picture"}]
    product = await make_approved(client, admin, title=f"{word} lamp", sku=f"{word}-1", images=pictures)
    await make_product(client, title=f"{word} draft", sku=f"{word}-2", submit=False)
    async with client.patch(
        f"/api/vendor/products/{product['id']}",
        json={"description": f"{word} proposed"},
        headers={"If-Match": f'"{product["version"]}"'},
    ) as answer:
        assert answer.status == 200
    made = {
        "source": ("/api/vendor/sync-sources", {"name": f"{word} till", "url": "https://example.com/stock.json"}),
        "member": ("/api/vendor/members", {"name": f"{word} member", "email": f"{word}@example.com"}),
        "key": ("/api/api-keys", {"name": f"{word} robot"}),
    }
    ids = {}
    for name, (path, body) in made.items():
        async with client.post(path, json=body) as answer:
            assert answer.status == 201, await answer.text()
            ids[name] = (await answer.json())["id"]
    async with client.post(f"/api/vendor/sync-sources/{ids['source']}/run") as answer:
        run = (await answer.json())["id"]
    account = gateway.accounts.vendors[number]
    async with browser(gateway.url) as desk:
        await sign_in(desk, account.email, account.password)
        async with desk.get("/api/sessions") as answer:
            session = (await answer.json())["items"][0]["id"]
    return Shop(
        {
            "id /api/vendor/products": product["id"],
            "id /vendor/products": product["id"],
            "image_id /": product["images"][0]["id"],
            "product_id /": product["id"],
            "id /api/vendor/sync-sources": ids["source"],
            "id /vendor/sync-sources": ids["source"],
            "id /vendor/members": ids["member"],
            "run_id /": run,
            "id /api/vendor/members": ids["member"],
            "id /api/api-keys": ids["key"],
            "id /account/keys": ids["key"],
            "id /api/sessions": session,
            "id /account/sessions": session,
        },
        (word, product["id"], *ids.values(), run, session),
    )


async def test_another_vendors_things_are_not_there(
    gateway: Gateway, vendor: Client, other_vendor: Client, admin: Client, anonymous: Client
) -> None:
    mine = await open_shop(gateway, 0, vendor, admin, "Quartz")
    theirs = await open_shop(gateway, 1, other_vendor, admin, "Zephyr")
    before = [await seen(other_vendor, path) for path in own_lists()]
    wrong = {}
    for name, method, path in with_ids():
        theirs_told = await called(vendor, name, method, theirs.address(path))
        nobodys_told = await called(vendor, name, method, NOBODYS_SHOP.address(path))
        if theirs_told != nobodys_told or theirs_told not in ((404, 303) if path.startswith(PAGES) else (404,)):
            wrong[name] = theirs_told
    assert wrong == {}, "their ids in the path"
    await their_ids_in_bodies(vendor, mine, theirs)
    assert [await seen(other_vendor, path) for path in own_lists()] == before, "nothing of theirs has changed"
    for path in own_lists():
        assert told_of(await seen(vendor, path), theirs) == [], path
    for path in ("/api/products?q=Zephyr%20draft", "/products/suggestions?q=Zephyr%20draft"):
        assert told_of(await seen(anonymous, path), theirs) == [], "what is not approved is neither found nor suggested"
    await their_cursors(vendor, other_vendor, theirs)
    reached = [await called(other_vendor, name, method, theirs.address(path)) for name, method, path in harmless()]
    assert 404 not in reached, "they themselves find all of it there"


async def their_ids_in_bodies(vendor: Client, mine: Shop, theirs: Shop) -> None:
    """Their product in a body is as one that nobody has."""
    lines = [{"product_id": theirs.ids["product_id /"], "delta": 1}]
    async with vendor.post("/api/vendor/inventory/adjust", json={"lines": lines}) as answer:
        assert answer.status in (404, 422)
    at = mine.address("/api/vendor/sync-sources/{id}/skus")
    async with vendor.put(at, json={"items": [{"external_sku": "x", "sku": "Zephyr-1"}]}) as answer:
        assert answer.status in (404, 422)


async def their_cursors(vendor: Client, other_vendor: Client, theirs: Shop) -> None:
    """A place in their list is at most a place in mine."""
    for _ in range(2):
        await make_product(other_vendor)
    async with other_vendor.get("/api/vendor/products?limit=1") as answer:
        cursor = (await answer.json())["next"]
    assert cursor is not None
    page = await seen(vendor, f"/api/vendor/products?limit=50&cursor={cursor}")
    assert told_of(page, theirs) == []


async def test_a_key_that_may_only_read_changes_nothing_anywhere(
    gateway: Gateway, vendor: Client, admin: Client, ops: Client, channel: Client
) -> None:
    unsafe = [
        (method, NOBODYS_SHOP.address(path))
        for (method, path), access in ACCESS.items()
        if method not in SAFE_METHODS and not access.is_public and Role.SERVICE not in access.roles
    ]
    for client in (vendor, admin, ops, channel):
        async with client.post("/api/api-keys", json={"name": "reader", "scope": "read"}) as answer:
            key = (await answer.json())["api_key"]
        async with browser(gateway.url, Authorization=f"Bearer {key}") as reader:
            refused = {f"{method} {path}": await called(reader, "", method, path) for method, path in unsafe}
            assert set(refused.values()) == {403}, refused
            assert await called(reader, "", "GET", "/api/me") == 200


def of_vendors() -> Iterator[tuple[str, str, Access]]:
    """Rows that vendors are let into and that this service answers."""
    for (method, path), access in sorted(ACCESS.items()):
        if (
            Role.VENDOR in access.roles
            and access.owner is None
            and not path.endswith(FEED)
            and not path.startswith(ASKING)
        ):
            yield method, path, access


def with_ids() -> list[tuple[str, str, str]]:
    """Name, method and path of the rows with an id of a vendor's own."""
    return [
        (f"{method} {path}", method, path)
        for method, path, _ in of_vendors()
        if set(re.findall(r"\{([a-z_]+)\}", path)) - SHARED
    ]


def harmless() -> list[tuple[str, str, str]]:
    """Those of them that take nothing away, so that all others still find it there."""
    return [row for row in with_ids() if row[1] != "DELETE" and not row[2].endswith("/delete")]


def own_lists() -> list[str]:
    """What a vendor may read without naming anything."""
    return [path for method, path, _ in of_vendors() if method == "GET" and "{" not in path]


async def called(client: ClientSession, name: str, method: str, path: str) -> int:
    """Call a route with what it needs beside its path."""
    options = dict(BODIES.get(name, {}))
    if method == "POST" and path.startswith(PAGES):
        options["data"] = {"version": "1"}
    limit = ClientTimeout(total=20)
    async with client.request(
        method, path, headers={"If-Match": '"1"'}, allow_redirects=False, timeout=limit, **options
    ) as answer:
        return answer.status


async def seen(client: ClientSession, path: str) -> str:
    """What an address tells."""
    async with client.get(path) as answer:
        assert answer.status == 200, (path, answer.status)
        return await answer.text()


def told_of(text: str, shop: Shop) -> list[str]:
    """By what a shop is recognised in a text."""
    return [word for word in shop.words if word in text]
