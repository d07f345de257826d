"""What a vendor would change of an approved product: proposed, looked at, decided; over HTTP, on the real database."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from services.catalog.approval.usecases import Approval
from services.catalog.models import Actor
from services.catalog.products.models import submission_event_id
from shared.contracts.events import ProductApproved
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool
from shared.web.identity import Role
from tests.factories import make_approved, make_product
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.told import audited, outbox, outbox_kinds, rows

PRODUCTS = "/api/vendor/products"
BLURRED = {"code": "images", "note": "Blurred."}
PRICE = {"amount_minor": 100, "currency": "EUR"}


async def own(vendor: Client, product_id: str) -> dict[str, Any]:
    async with vendor.get(f"{PRODUCTS}/{product_id}") as answer:
        product: dict[str, Any] = await answer.json()
        return product


async def change(vendor: Client, product_id: str, **fields: Any) -> dict[str, Any]:
    """Change what there is now."""
    version = (await own(vendor, product_id))["version"]
    headers = {"If-Match": f'"{version}"'}
    async with vendor.patch(f"{PRODUCTS}/{product_id}", json=fields, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        product: dict[str, Any] = await answer.json()
        return product


async def decide(
    admin: Client, product: Mapping[str, Any], action: str = "approve", *, version: int | None = None
) -> tuple[int, dict[str, Any]]:
    """Approve or reject; as what was looked at if `version` says so."""
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    body = {"reasons": [BLURRED]} if action == "reject" else None
    async with admin.post(f"/api/admin/products/{product['id']}/{action}", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def shown(anonymous: Client, product: Mapping[str, Any]) -> dict[str, Any]:
    async with anonymous.get(f"/api/products/{product['slug']}") as answer:
        assert answer.status == 200
        seen: dict[str, Any] = await answer.json()
        return seen


async def waiting(admin: Client) -> list[dict[str, Any]]:
    async with admin.get("/api/admin/proposals") as answer:
        items: list[dict[str, Any]] = (await answer.json())["items"]
        return items


async def test_a_change_waits_while_the_price_applies_and_the_public_sees_no_more(
    vendor: Client, admin: Client, anonymous: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, on_hand=0)
    told = len(await outbox_kinds(pool))
    changed = await change(vendor, product["id"], title="Elm chair", description="Of elm.", price=PRICE)
    assert (changed["title"], changed["price"]) == (product["title"], PRICE)
    proposed = changed["proposed"]
    assert (proposed["status"], proposed["fields"]) == ("pending", ["title", "description"])
    assert (proposed["title"], proposed["category"]) == ("Elm chair", product["category"])
    public = await shown(anonymous, product)
    assert (public["title"], public["price"]) == (product["title"], PRICE)
    assert "proposed" not in public
    assert (await outbox_kinds(pool))[told:] == ["product.submitted", "product.changed"]
    submitted = (await outbox(pool, "product.submitted"))[-1]
    assert (submitted["data"]["is_change"], submitted["data"]["round"]) == (True, 2)
    assert submitted["id"] == str(submission_event_id(UUID(product["id"]), 2))
    assert (await audited(pool, product["id"]))[-2:] == ["product.change_proposed", "product.changed"]
    [item] = await waiting(admin)
    assert (item["title"], item["proposed"]["title"]) == (product["title"], "Elm chair")


async def test_more_changes_are_one_proposal_that_is_announced_once(vendor: Client, admin: Client, pool: Pool) -> None:
    product = await make_approved(vendor, admin)
    await change(vendor, product["id"], title="Elm chair")
    changed = await change(vendor, product["id"], category="lighting")
    assert changed["proposed"]["fields"] == ["title", "category"]
    assert await rows(pool, "proposals") == 1
    assert (await outbox_kinds(pool)).count("product.submitted") == 2
    back = await change(vendor, product["id"], category=product["category"])
    assert back["proposed"]["fields"] == ["title"]
    none = await change(vendor, product["id"], title=product["title"])
    assert none["proposed"] is None
    assert await waiting(admin) == []
    assert (await audited(pool, product["id"]))[-1] == "product.change_withdrawn"


async def test_an_approved_proposal_is_the_product(
    vendor: Client, admin: Client, anonymous: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin)
    await shown(anonymous, product)
    seen = await change(vendor, product["id"], title="Elm chair", attributes={"wood": "elm"})
    status, decided = await decide(admin, product, version=seen["version"])
    assert (status, decided["title"], decided["status"], decided["proposed"]) == (200, "Elm chair", "approved", None)
    assert decided["version"] == seen["version"] + 1
    public = await shown(anonymous, product)
    assert (public["title"], public["attributes"], public["slug"]) == ("Elm chair", {"wood": "elm"}, product["slug"])
    async with anonymous.get("/api/products?q=elm") as answer:
        assert [item["id"] for item in (await answer.json())["items"]] == [product["id"]]
    assert (await outbox_kinds(pool))[-2:] == ["product.approved", "product.changed"]
    assert (await outbox(pool, "product.approved"))[-1]["data"] | {"version": 0} == {
        "vendor_id": product["vendor"]["id"],
        "product_id": product["id"],
        "version": 0,
        "title": "Elm chair",
        "slug": product["slug"],
        "is_change": True,
    }
    assert (await audited(pool, product["id"]))[-1] == "product.change_approved"
    assert (await decide(admin, product))[0] == 409


async def test_a_rejected_proposal_says_why_and_is_mended(
    vendor: Client, admin: Client, anonymous: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin)
    await change(vendor, product["id"], title="Elm", description="Of elm.")
    status, decided = await decide(admin, product, "reject")
    assert (status, decided["status"], decided["reasons"]) == (200, "approved", [])
    assert (decided["proposed"]["status"], decided["proposed"]["reasons"]) == ("rejected", [BLURRED])
    rejected = (await outbox(pool, "product.rejected"))[-1]["data"]
    assert (rejected["is_change"], rejected["reasons"]) == (True, [BLURRED])
    assert (await shown(anonymous, product))["title"] == product["title"]
    assert await waiting(admin) == []
    assert (await decide(admin, product))[0] == 409
    again = (await change(vendor, product["id"], title="Elm chair"))["proposed"]
    assert (again["status"], again["fields"], again["reasons"]) == ("pending", ["title", "description"], [])
    assert (await outbox(pool, "product.submitted"))[-1]["data"]["round"] == 3
    assert (await decide(admin, product))[1]["description"] == "Of elm."


async def test_a_proposal_is_withdrawn_before_and_after_its_rejection(vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin)
    for rejected in (False, True):
        await change(vendor, product["id"], title="Elm chair")
        if rejected:
            assert (await decide(admin, product, "reject"))[0] == 200
        async with vendor.post(f"{PRODUCTS}/{product['id']}/withdraw") as answer:
            assert (answer.status, (await answer.json())["proposed"]) == (200, None)
    assert (await own(vendor, product["id"]))["status"] == "approved"
    async with vendor.post(f"{PRODUCTS}/{product['id']}/withdraw") as answer:
        assert answer.status == 409


async def test_pictures_come_and_go_with_the_proposal(
    vendor: Client, other_vendor: Client, admin: Client, pool: Pool
) -> None:
    live = [{"url": f"https://example.com/{name}.jpg", "alt": name} for name in ("a", "b")]
    product = await make_approved(vendor, admin, images=live)
    at = f"{PRODUCTS}/{product['id']}/images"
    async with vendor.post(at, json={"url": "https://example.com/c.jpg", "alt": "c"}) as answer:
        assert answer.status == 201
    first = product["images"][0]["id"]
    async with other_vendor.delete(f"{at}/{first}") as answer:
        assert answer.status == 404
    for expected in (204, 404):
        async with vendor.delete(f"{at}/{first}") as answer:
            assert answer.status == expected
    known = await own(vendor, product["id"])
    assert alts(known) == ["a", "b"]
    assert (alts(known["proposed"]), known["proposed"]["fields"]) == (["b", "c"], ["images"])
    assert (await outbox_kinds(pool)).count("image.added") == 3, "it is rendered, so that it can be looked at"
    assert (await decide(admin, product))[0] == 409, "it was changed since it was announced"
    status, decided = await decide(admin, product, version=known["version"])
    assert (status, alts(decided), decided["proposed"]) == (200, ["b", "c"], None)


async def test_pictures_that_were_proposed_go_with_what_is_withdrawn(vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin, images=[{"url": "https://example.com/a.jpg", "alt": "a"}])
    at = f"{PRODUCTS}/{product['id']}/images"
    async with vendor.post(at, json={"url": "https://example.com/c.jpg", "alt": "c"}) as answer:
        new = (await answer.json())["image_id"]
    async with vendor.delete(f"{at}/{new}") as answer:
        assert answer.status == 204
    assert (await own(vendor, product["id"]))["proposed"] is None
    async with vendor.delete(f"{at}/{product['images'][0]['id']}") as answer:
        assert answer.status == 204
    async with vendor.post(f"{PRODUCTS}/{product['id']}/withdraw") as answer:
        assert alts(await answer.json()) == ["a"]


def alts(shown_with_pictures: Mapping[str, Any]) -> list[str]:
    return [picture["alt"] for picture in shown_with_pictures["images"]]


async def test_nothing_is_swapped_behind_a_decision(vendor: Client, admin: Client, anonymous: Client) -> None:
    product = await make_approved(vendor, admin)
    seen = await change(vendor, product["id"], title="Elm chair")
    await change(vendor, product["id"], title="Gold chair")
    status, problem = await decide(admin, product, version=seen["version"])
    assert (status, problem["type"]) == (412, "urn:souk:problem:version_mismatch")
    for action in ("approve", "reject"):
        status, problem = await decide(admin, product, action)
        assert (status, problem["type"]) == (409, "urn:souk:problem:proposal_revised")
    assert (await shown(anonymous, product))["title"] == product["title"]
    assert (await own(vendor, product["id"]))["proposed"]["title"] == "Gold chair"


async def test_of_many_who_decide_and_change_at_once_one_wins(vendor: Client, admin: Client, pool: Pool) -> None:
    product = await make_approved(vendor, admin)
    seen = await change(vendor, product["id"], title="Elm chair")
    at, headers = f"{PRODUCTS}/{product['id']}", {"If-Match": f'"{seen["version"]}"'}

    async def revise() -> int:
        async with vendor.patch(at, json={"title": "Gold chair"}, headers=headers) as answer:
            return answer.status

    outcomes = await asyncio.gather(
        *(decide(admin, product, version=seen["version"]) for _ in range(3)),
        *(decide(admin, product, "reject", version=seen["version"]) for _ in range(3)),
        *(revise() for _ in range(3)),
    )
    statuses = [outcome if isinstance(outcome, int) else outcome[0] for outcome in outcomes]
    assert sorted(statuses)[0] == 200
    assert set(sorted(statuses)[1:]) <= {409, 412}
    known = await own(vendor, product["id"])
    decisions = [line for line in await audited(pool, product["id"]) if line.endswith(("change_approved", "_rejected"))]
    assert (len(decisions), known["title"] == "Gold chair") in ((1, False), (0, False))


async def test_a_death_between_decision_and_event_leaves_the_proposal_as_it_was(
    vendor: Client, admin: Client, pool: Pool
) -> None:
    class Killed(BaseException):
        pass

    class Dying(Outbox):
        async def add(self, conn: Connection, *events: Any, **_: Any) -> tuple[UUID, ...]:
            assert isinstance(events[0], ProductApproved)
            raise Killed

    product = await make_approved(vendor, admin)
    changed = await change(vendor, product["id"], title="Elm chair")
    told = await outbox_kinds(pool)
    with pytest.raises(Killed):
        await Approval(pool=pool, outbox=Dying("catalog")).approve(Actor(None, Role.SERVICE), UUID(product["id"]))
    assert await own(vendor, product["id"]) == changed
    assert await outbox_kinds(pool) == told
    assert (await decide(admin, product))[1]["title"] == "Elm chair"


async def test_what_a_suspended_product_proposes_waits_and_an_archived_one_proposes_nothing(
    vendor: Client, admin: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin)
    await change(vendor, product["id"], title="Elm chair")
    await decide(admin, product, "suspend")
    assert await waiting(admin) == []
    assert (await decide(admin, product))[0] == (await decide(admin, product, "reject"))[0] == 409
    async with vendor.patch(f"{PRODUCTS}/{product['id']}", json={"title": "x"}, headers={"If-Match": '"4"'}) as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:souk:problem:content_closed")
    await decide(admin, product, "reinstate")
    assert [item["id"] for item in await waiting(admin)] == [product["id"]]
    async with vendor.post(f"{PRODUCTS}/{product['id']}/archive") as answer:
        assert (await answer.json())["proposed"] is None
    assert await rows(pool, "proposals") == 0


async def test_a_suspended_vendor_proposes_nothing(vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin)
    async with admin.post(f"/api/admin/vendors/{product['vendor']['id']}/suspend"):
        pass
    async with vendor.patch(
        f"{PRODUCTS}/{product['id']}", json={"title": "x"}, headers={"If-Match": f'"{product["version"]}"'}
    ) as answer:
        assert answer.status == 403
    assert (await own(vendor, product["id"]))["proposed"] is None


async def test_proposals_have_pages_of_the_newest_first(vendor: Client, other_vendor: Client, admin: Client) -> None:
    first, second = await make_approved(vendor, admin), await make_approved(other_vendor, admin)
    await make_product(vendor)
    await change(other_vendor, second["id"], title="One")
    await change(vendor, first["id"], title="Two")
    async with admin.get("/api/admin/proposals?limit=1") as answer:
        page = await answer.json()
    assert [item["id"] for item in page["items"]] == [first["id"]]
    async with admin.get("/api/admin/proposals", params={"cursor": page["next"]}) as answer:
        assert [item["id"] for item in (await answer.json())["items"]] == [second["id"]]
