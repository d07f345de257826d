"""The marketplace's pages: the approval desk without scripts, and what is said when somebody else was faster."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar

from tests.factories import make_approved, make_product
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.pages.browser import Browser


@pytest.fixture
async def desk(gateway: Gateway) -> AsyncIterator[Browser]:
    """An admin's browser."""
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http)
        answer, _ = await browser.sign_in(gateway.accounts.admin.email, gateway.accounts.admin.password)
        assert answer.url.path == "/admin"
        yield browser


async def submitted(vendor: Client, title: str, **fields: Any) -> dict[str, Any]:
    return await make_product(vendor, title=title, submit=True, **fields)


async def decided(desk: Browser, product_id: str, decision: str, **fields: str) -> tuple[ClientResponse, str]:
    """Press a button of the product's page, as it is shown right now."""
    here = f"/admin/products/{product_id}"
    return await desk.send(here, f"{here}/{decision}", **fields)


async def test_the_queue_shows_the_oldest_first_and_leads_from_one_to_the_next(
    desk: Browser, vendor: Client, admin: Client
) -> None:
    first, second = await submitted(vendor, "Oak stool"), await submitted(vendor, "Ash stool")
    live = await make_approved(vendor, admin, title="Elm stool")
    async with vendor.patch(
        f"/api/vendor/products/{live['id']}", json={"title": "Elm chair"}, headers={"If-Match": f'"{live["version"]}"'}
    ) as answer:
        assert answer.status == 200, await answer.text()
    _, text = await desk.get("/admin/approvals")
    assert text.index("Oak stool") < text.index("Ash stool") < text.index("Elm stool")
    _, text = await desk.get("/admin/approvals?kind=changes")
    assert ("Elm stool" in text, "Oak stool" in text) == (True, False)

    answer, text = await decided(desk, first["id"], "approve")
    assert (answer.url.path, "is in the catalogue" in text) == (f"/admin/products/{second['id']}", True)
    answer, text = await decided(desk, second["id"], "reject")
    assert (answer.status, "Tick at least one reason" in text) == (422, True)
    fields = {"reason-title": "on", "note-title": "Of which ash?"}
    answer, text = await decided(desk, second["id"], "reject", **fields)
    assert answer.url.path == f"/admin/products/{live['id']}"
    assert "<del>stool</del>" in text
    assert "<ins>chair</ins>" in text
    answer, text = await decided(desk, live["id"], "approve")
    assert (answer.url.path, "Everything is decided" in text) == ("/admin/approvals", True)
    _, text = await desk.get(f"/admin/products/{second['id']}")
    assert "Of which ash?" in text


async def test_who_was_faster_is_named_with_what_was_decided(desk: Browser, vendor: Client, admin: Client) -> None:
    product = await submitted(vendor, "Oak stool")
    here = f"/admin/products/{product['id']}"
    _, seen = await desk.get(here)
    reasons = [{"code": "price", "note": "Is it a typo?"}]
    async with admin.post(f"/api/admin/products/{product['id']}/reject", json={"reasons": reasons}) as answer:
        assert answer.status == 200
    refused, text = await desk.submit(seen, f"{here}/approve")
    assert refused.status in (409, 412)
    assert "Somebody was faster" in text
    assert "asked for changes" in text
    assert "Is it a typo?" in text


async def test_what_changed_meanwhile_is_shown_before_it_is_let_in(
    desk: Browser, vendor: Client, admin: Client
) -> None:
    product = await submitted(vendor, "Oak stool")
    here = f"/admin/products/{product['id']}"
    _, seen = await desk.get(here)
    price = {"price": {"amount_minor": 99900, "currency": "EUR"}}
    tag = {"If-Match": f'"{product["version"]}"'}
    async with vendor.patch(f"/api/vendor/products/{product['id']}", json=price, headers=tag) as answer:
        assert answer.status == 200, await answer.text()
    refused, text = await desk.submit(seen, f"{here}/approve")
    assert (refused.status, "It changed while you looked" in text, "€999.00" in text) == (412, True, True)
    answer, _ = await desk.submit(text, f"{here}/approve")
    assert answer.status == 200


async def test_several_are_decided_at_once_each_as_it_was_seen(desk: Browser, vendor: Client, admin: Client) -> None:
    products = [await submitted(vendor, f"Stool {number}") for number in range(3)]
    _, page = await desk.get("/admin/approvals")
    picked = {f"pick-{product['id']}": str(product["version"]) for product in products}
    async with admin.post(f"/api/admin/products/{products[0]['id']}/approve") as answer:
        assert answer.status == 200
    _, text = await desk.submit(page, "/admin/approvals", then="reject", **picked)
    assert "Choose a reason" in text
    fields = {"then": "reject", "reason": "images", "note": "Lighter, please."}
    _, text = await desk.submit(page, "/admin/approvals", **fields, **picked)
    assert "2 products sent back" in text
    assert "somebody was faster" in text
    for product in products[1:]:
        async with vendor.get(f"/api/vendor/products/{product['id']}") as answer:
            told = await answer.json()
        assert (told["status"], told["reasons"][0]["note"]) == ("rejected", "Lighter, please.")
    _, text = await desk.submit(page, "/admin/approvals", then="approve")
    assert "Nothing was chosen" in text


async def test_a_product_is_taken_out_of_sight_and_put_back(desk: Browser, vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin, title="Oak stool")
    _, text = await decided(desk, product["id"], "suspend", note="A recall")
    assert "Nobody sees it" in text
    assert "A recall" in text
    _, text = await decided(desk, product["id"], "reinstate")
    assert "On sale again" in text


async def test_operators_begin_with_the_installation(gateway: Gateway) -> None:
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http)
        answer, text = await browser.sign_in(gateway.accounts.ops.email, gateway.accounts.ops.password)
        assert (answer.url.path, "Health" in text, "To decide" in text) == ("/admin", True, False)
        answer, _ = await browser.get("/admin/approvals")
        assert answer.status == 403
        seller = gateway.accounts.vendors[0]
        answer, text = await browser.get(f"/admin/vendors/{seller.vendor_id}")
        assert (answer.status, seller.email in text, "Suspend it" in text) == (200, False, False)


async def test_a_preview_without_reasons_or_without_the_notifier_says_so_in_its_frame(
    desk: Browser, vendor: Client
) -> None:
    product = await submitted(vendor, "Oak stool")
    answer, text = await decided(desk, product["id"], "letter")
    assert (answer.status, "Tick at least one reason" in text) == (200, True)
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    _, text = await decided(desk, product["id"], "letter", **{"reason-title": "on"})
    assert "does not answer now" in text


async def test_products_of_all_vendors_are_found(
    desk: Browser, vendor: Client, other_vendor: Client, admin: Client, gateway: Gateway
) -> None:
    await make_product(vendor, title="Oak 100% stool", sku="OAK-1")
    await make_approved(other_vendor, admin, title="Ash stool", sku="ASH-1")
    for query, oak, ash in (
        ("", True, True),
        ("?q=oak", True, False),
        ("?q=ash-1", False, True),
        ("?q=0%25", True, False),
        ("?q=%25%25", False, False),
        ("?status=approved", False, True),
        (f"?vendor={gateway.accounts.vendors[0].vendor_id}", True, False),
    ):
        _, text = await desk.get(f"/admin/products{query}")
        assert ("Oak 100% stool" in text, "Ash stool" in text) == (oak, ash), query


async def test_a_vendor_is_let_in_changed_suspended_and_reinstated(desk: Browser, gateway: Gateway) -> None:
    fields = {"name": "Ateliê <Sul>", "person": "Ada", "email": "ada@example.com", "password": "correct horse battery"}
    answer, text = await desk.send("/admin/vendors/new", "/admin/vendors/new", **{**fields, "password": "short"})
    assert (answer.status, "at least 12" in text, "Ateliê &lt;Sul&gt;" in text) == (422, True, True)
    answer, text = await desk.send("/admin/vendors/new", "/admin/vendors/new", **fields)
    here = answer.url.path
    assert (answer.status, "Hand Ada the password" in text, here.startswith("/admin/vendors/")) == (200, True, True)
    shown = {"name": "Ateliê", "slug": "atelie-sul", "profile": "Wood.", "time_zone": ""}
    _, older = await desk.get(here)
    answer, text = await desk.submit(older, here, **shown, version="1")
    assert ("Saved." in text, "Wood." in text) == (True, True)
    answer, text = await desk.submit(older, here, **{**shown, "name": "Other"}, version="1")
    assert (answer.status, "changed in between" in text) == (422, True)
    _, text = await desk.send(here, f"{here}/suspend", note="Asked to")
    assert "None of its products is shown" in text
    assert "Asked to" in text
    _, text = await desk.send(here, f"{here}/suspend")
    assert "suspended already" in text
    _, text = await desk.send(here, f"{here}/reinstate")
    assert "It may sell again" in text
    _, text = await desk.get("/admin/vendors?status=suspended")
    assert "Ateliê" not in text


async def test_caches_are_looked_at_and_cleared(desk: Browser, gateway: Gateway) -> None:
    await desk.get("/products")
    _, text = await desk.get("/admin/caches")
    assert "this one" in text
    _, text = await desk.send("/admin/caches", "/admin/caches/clear", mode="clear")
    assert "removed by 1 gateway" in text
    _, text = await desk.send("/admin/caches", "/admin/caches/clear", mode="everything")
    assert "Choose what to clear" in text


async def test_the_audit_log_names_people_and_who_is_away(desk: Browser, vendor: Client) -> None:
    product = await submitted(vendor, "Oak stool")
    await decided(desk, product["id"], "approve")
    _, text = await desk.get("/admin/audit")
    assert "Approved" in text
    assert f"/admin/products/{product['id']}" in text
    assert "Lines of the jobs service are missing" in text
    _, text = await desk.get(f"/admin/audit?kind=product&id={product['id']}")
    assert ("Approved" in text, "Vendor let in" in text) == (True, False)


@pytest.mark.parametrize("who", ["admin", "ops"])
async def test_monitoring_says_what_lowers_the_score_and_what_to_do(gateway: Gateway, who: str) -> None:
    account = getattr(gateway.accounts, who)
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        browser = Browser(http)
        await browser.sign_in(account.email, account.password)
        for path in ("/admin/monitoring", "/admin/caches", "/admin/vendors", "/admin"):
            answer, text = await browser.get(path)
            assert answer.status == 200, path
        _, text = await browser.get("/admin/monitoring")
    assert "Critical" in text
    assert "See that the jobs api runs and reaches its database." in text
    assert "The jobs service does not tell" in text
