"""Pages as browsers get them: who may see which, under which headers, and what forms do."""

import json
import re
from typing import Any

import pytest

from services.catalog.pages.assets import FOLDER
from tests.factories import make_approved, make_product
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.pages.browser import HTML, Browser


async def test_a_page_lets_nothing_foreign_run(browser: Browser) -> None:
    answer, text = await browser.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert " style=" not in text
    assert " onclick=" not in text
    assert re.findall(r"<script(?![^>]*(?:src=\"/static/|application/ld\+json))", text) == []


async def test_assets_are_kept_for_ever_under_an_address_of_their_content(browser: Browser) -> None:
    _, text = await browser.get("/")
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
    assert {address.rsplit("/")[-1] for address in addresses} >= {"souk.css", "app.js", "theme.js", "icon.svg"}
    for address in addresses:
        answer, _ = await browser.get(address)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    answer, _ = await browser.get(f"/static/0123/{addresses[0].rsplit('/')[-1]}")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")


async def test_scripts_of_the_shop_stay_small(browser: Browser) -> None:
    loaded: set[str] = set()
    wanted = set(re.findall(r'<script[^>]* src="/static/[^/]+/([^"]+)"', (await browser.get("/products"))[1]))
    while wanted:
        name = wanted.pop()
        loaded.add(name)
        wanted |= set(re.findall(r'from "\./([^"]+)"', (FOLDER / name).read_text())) - loaded
    assert loaded >= {"theme.js", "app.js", "live.js"}
    assert sum(len((FOLDER / name).read_bytes()) for name in loaded) < 20_000


async def test_who_has_to_sign_in_comes_back_to_where_it_was(browser: Browser, gateway: Gateway) -> None:
    answer, text = await browser.get("/vendor/products?status=draft")
    assert (answer.url.path, answer.url.query["next"]) == ("/login", "/vendor/products?status=draft")
    account = gateway.accounts.vendors[0]
    wrong, text = await browser.sign_in(account.email, "not it", next="/vendor/products?status=draft")
    assert (wrong.status, "is wrong" in text) == (422, True)
    right, _ = await browser.sign_in(account.email, account.password, next="/vendor/products?status=draft")
    assert str(right.url.path_qs) == "/vendor/products?status=draft"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_the_sign_in_leads_nowhere_else(browser: Browser, gateway: Gateway, wanted: str) -> None:
    account = gateway.accounts.vendors[0]
    answer, _ = await browser.sign_in(account.email, account.password, next=wanted)
    assert (answer.url.host, answer.url.path) == ("127.0.0.1", "/vendor")


async def test_a_form_of_another_site_signs_nobody_in(browser: Browser, gateway: Gateway) -> None:
    account = gateway.accounts.vendors[0]
    fields = {"email": account.email, "password": account.password}
    async with browser.http.post("/login", data=fields, headers={**HTML, "Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 403


async def test_a_form_without_its_token_does_nothing(vendors_browser: Browser) -> None:
    answer, _ = await vendors_browser.post("/vendor/products/new", title="Stool", csrf_token="forged")
    assert answer.status == 403


async def test_a_role_sees_its_own_pages_only(browser: Browser, gateway: Gateway) -> None:
    await browser.sign_in(gateway.accounts.admin.email, gateway.accounts.admin.password)
    answer, text = await browser.get("/vendor")
    assert (answer.status, answer.content_type) == (403, "text/html")
    assert "vendor" in text


async def test_errors_are_pages_for_people_and_documents_for_programs(browser: Browser) -> None:
    page, text = await browser.get("/nothing/here")
    assert (page.status, page.content_type) == (404, "text/html")
    assert page.headers["X-Request-Id"] in text
    async with browser.http.get("/nothing/here") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    page, _ = await browser.get("/products?price_from=cheap")
    assert (page.status, page.content_type) == (422, "text/html")
    page, _ = await browser.get("/api/products?limit=x")
    assert page.content_type == "application/problem+json"


async def test_the_shop_shows_what_is_on_sale_and_forgets_it_with_its_approval(
    browser: Browser, vendor: Client, admin: Client
) -> None:
    product = await make_approved(
        vendor, admin, title="Walnut <bowl> & spoon", price={"amount_minor": 4950, "currency": "EUR"}
    )
    await make_product(vendor, title="Nobody knows of me")
    address = f"/products/{product['slug']}"
    for path in ("/", "/products", "/products?q=walnut", f"/vendors/{product['vendor']['slug']}", address):
        answer, text = await browser.get(path)
        assert answer.status == 200
        assert "Walnut &lt;bowl&gt; &amp; spoon" in text, path
        assert "€49.50" in text
        assert "Nobody knows of me" not in text
    answer, _ = await browser.get(address)
    again, body = await browser.get(address, **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status, body) == (304, "")
    async with admin.post(f"/api/admin/products/{product['id']}/suspend", json={"note": "no"}) as done:
        assert done.status == 200
    for path in ("/", "/products"):
        _, text = await browser.get(path)
        assert "Walnut" not in text
    gone, _ = await browser.get(address)
    assert gone.status == 404


async def test_structured_data_is_what_the_page_shows(browser: Browser, vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin, title="</script><b>Bowl", on_hand=0)
    _, text = await browser.get(f"/products/{product['slug']}")
    blocks: list[dict[str, Any]] = [
        json.loads(block) for block in re.findall(r'<script type="application/ld\+json">(.*?)</script>', text)
    ]
    [shown] = [block for block in blocks if block["@type"] == "Product"]
    assert shown["name"] == "</script><b>Bowl"
    assert shown["offers"]["price"] == "129.00"
    assert shown["offers"]["availability"].endswith("OutOfStock")
    assert f'<link rel="canonical" href="http://127.0.0.1:8080/products/{product["slug"]}">' in text


async def test_filters_narrow_the_list_and_survive_paging(browser: Browser, vendor: Client, admin: Client) -> None:
    for price in (1000, 2000, 3000):
        await make_approved(vendor, admin, title=f"Bowl {price}", price={"amount_minor": price, "currency": "EUR"})
    _, text = await browser.get("/products?price_from=15&price_to=25.00&utm_source=mail")
    assert re.findall(r"Bowl \d+(?=</h2>)", text) == ["Bowl 2000"]
    _, text = await browser.get("/products?sort=-price")
    assert re.findall(r"Bowl \d+(?=</h2>)", text) == ["Bowl 3000", "Bowl 2000", "Bowl 1000"]
    _, text = await browser.get("/products?q=nothing+like+it")
    assert "Nothing fits" in text


async def test_suggestions_are_of_what_is_on_sale(browser: Browser, vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin, title="100% linen towel")
    await make_product(vendor, title="100% secret")
    async with browser.http.get("/products/suggestions?q=100%25") as answer:
        assert [item["url"] for item in (await answer.json())["items"]] == [f"/products/{product['slug']}"]


async def test_a_vendor_makes_changes_and_submits_a_product_by_forms(vendors_browser: Browser) -> None:
    token = await vendors_browser.token("/vendor/products/new")
    fields = {"title": "Oak stool", "description": "Of oak.", "category": "furniture", "sku": "ST-1", "currency": "EUR"}
    wrong, text = await vendors_browser.post(
        "/vendor/products/new", csrf_token=token, **fields, price="12.345", on_hand="3", attributes=""
    )
    assert wrong.status == 422
    assert 'value="Oak stool"' in text
    assert 'aria-invalid="true"' in text
    made, text = await vendors_browser.post(
        "/vendor/products/new", csrf_token=token, **fields, price="12.50", on_hand="3", attributes="Material: oak"
    )
    assert made.status == 200
    assert "Saved. Now add pictures." in text
    _, text = await vendors_browser.get(made.url.path)
    assert "Saved. Now add pictures." not in text
    version = re.search(r'name="version" value="(\d+)"', text)
    assert version is not None
    stale, text = await vendors_browser.post(made.url.path, csrf_token=token, version="9", title="Other")
    assert (stale.status, "could not be saved" in text) == (422, True)
    sent, text = await vendors_browser.post(
        made.url.path, csrf_token=token, version=version[1], title="Oak stool, oiled", then="submit"
    )
    assert sent.status == 200
    assert "In review since" in text
    assert "Oak stool, oiled" in text
    _, text = await vendors_browser.post(f"{made.url.path}/withdraw", csrf_token=token)
    assert "It is a draft again." in text


async def test_a_vendor_sees_nothing_of_another(vendors_browser: Browser, other_vendor: Client) -> None:
    foreign = await make_product(other_vendor, title="Not yours")
    for path in (f"/vendor/products/{foreign['id']}", f"/vendor/inventory/{foreign['id']}"):
        answer, text = await vendors_browser.get(path)
        assert (answer.status, "Not yours" in text) == (404, False)
    token = await vendors_browser.token()
    for what in ("submit", "withdraw", "archive", "images"):
        answer, _ = await vendors_browser.post(f"/vendor/products/{foreign['id']}/{what}", csrf_token=token)
        assert answer.status == 404


async def test_stock_is_counted_moved_and_watched_by_forms(vendors_browser: Browser, vendor: Client) -> None:
    product = await make_product(vendor, title="Bowl", on_hand=10)
    here, token = f"/vendor/inventory/{product['id']}", await vendors_browser.token()
    _, text = await vendors_browser.post(f"{here}/move", csrf_token=token, delta="5", note="delivery 7")
    assert "delivery 7" in text
    _, text = await vendors_browser.post(here, csrf_token=token, on_hand="4", expected_on_hand="10")
    assert "The stock is 15, not 10." in text
    _, text = await vendors_browser.post(
        here, csrf_token=token, on_hand="4", expected_on_hand="15", back="//evil.example"
    )
    assert "Bowl: 4 pieces." in text
    _, text = await vendors_browser.post(f"{here}/threshold", csrf_token=token, threshold="2")
    assert "You are told at 2 pieces." in text


async def test_signing_out_ends_it(vendors_browser: Browser) -> None:
    token = await vendors_browser.token()
    answer, _ = await vendors_browser.post("/logout", csrf_token=token)
    assert answer.url.path == "/login"
    answer, _ = await vendors_browser.get("/vendor")
    assert answer.url.path == "/login"


async def test_pages_of_who_is_signed_in_are_kept_and_packed_by_nobody(vendors_browser: Browser) -> None:
    answer, _ = await vendors_browser.get("/vendor")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in answer.headers
