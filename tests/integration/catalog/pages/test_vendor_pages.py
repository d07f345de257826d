"""A vendor's stock sources, members, preview and day, by forms alone."""

import re
from typing import Any
from uuid import UUID

import pytest

from services.catalog.sync import runs_store
from services.catalog.sync.models import Cause
from shared.db.pool import Pool, connection
from shared.ids import new_id
from tests.factories import make_product
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.pages.browser import Browser

SOURCES = "/vendor/sync-sources"
MEMBERS = "/vendor/members"
PULL = {
    "name": "Till",
    "kind": "pull",
    "url": "https://example.com/stock.csv",
    "format": "csv",
    "interval": "900",
    "layout_sku": "article",
    "layout_quantity": "",
    "layout_delimiter": ";",
    "credentials_header": "Authorization",
    "credentials_value": "Bearer of-secrets",
}


async def test_a_source_is_kept_changed_run_and_given_up(vendors_browser: Browser, vendor: Client) -> None:
    token = await vendors_browser.token(f"{SOURCES}/new")
    wrong, text = await vendors_browser.post(f"{SOURCES}/new", csrf_token=token, **{**PULL, "url": "stock.csv"})
    assert (wrong.status, 'value="stock.csv"' in text, 'aria-invalid="true"' in text) == (422, True, True)
    made, text = await vendors_browser.post(f"{SOURCES}/new", csrf_token=token, **PULL)
    here, source_id = made.url.path, made.url.name
    assert ("Kept. It is pulled now." in text, "Bearer of-secrets" in text) == (True, False)
    assert 'value="article"' in text
    source = await read(vendor, source_id)
    assert (source["layout"]["delimiter"], source["has_credentials"], source["interval_seconds"]) == (";", True, 900)

    fields = {"name": "Till two", "url": PULL["url"], "format": "json", "interval": "", "enabled": "on"}
    stale, text = await vendors_browser.post(here, csrf_token=token, version="99", **fields)
    assert (stale.status, "could not be saved" in text) == (422, True)
    version = str(source["version"])
    await vendors_browser.post(here, csrf_token=token, version=version, **fields)
    source = await read(vendor, source_id)
    assert (source["name"], source["interval_seconds"], source["has_credentials"]) == ("Till two", None, True)
    version = str(source["version"])
    await vendors_browser.post(here, csrf_token=token, version=version, forget_credentials="on", **fields)
    assert not (await read(vendor, source_id))["has_credentials"]

    for said in ("It is being pulled.", "A run of this source is in hand."):
        _, text = await vendors_browser.post(f"{here}/run", csrf_token=token)
        assert said in text
    assert "By hand" in text
    _, text = await vendors_browser.post(f"{here}/secret", csrf_token=token)
    assert "A pull has no secret" in text
    _, text = await vendors_browser.post(f"{here}/delete", csrf_token=token)
    assert ("The source is gone." in text, "No sources yet" in text) == (True, True)


async def test_the_secret_of_a_push_is_shown_once(vendors_browser: Browser) -> None:
    token = await vendors_browser.token(f"{SOURCES}/new")
    push = {"name": "Warehouse", "kind": "push", "format": "json", "interval": "900", "credentials_header": "X"}
    _, text = await vendors_browser.post(f"{SOURCES}/new", csrf_token=token, **push)
    secret, source_id = secret_in(text), UUID(re.search(r"/hooks/inventory/([0-9a-f-]{36})", text)[1])  # type: ignore[index]
    _, text = await vendors_browser.get(f"{SOURCES}/{source_id}")
    assert (secret in text, "How to send it" in text) == (False, True)
    _, text = await vendors_browser.post(f"{SOURCES}/{source_id}/secret", csrf_token=token)
    assert secret_in(text) != secret
    _, text = await vendors_browser.post(f"{SOURCES}/{source_id}/run", csrf_token=token)
    assert "A push comes by itself" in text


async def test_a_run_tells_what_it_could_not_use_and_products_are_named(
    vendors_browser: Browser, vendor: Client, pool: Pool
) -> None:
    await make_product(vendor, sku="BOWL-1")
    token = await vendors_browser.token(f"{SOURCES}/new")
    made, _ = await vendors_browser.post(f"{SOURCES}/new", csrf_token=token, **{**PULL, "interval": ""})
    here, source_id, run_id = made.url.path, UUID(made.url.name), new_id()
    async with connection(pool) as conn:
        await runs_store.insert(conn, run_id, source_id, Cause.HAND)
        await conn.execute(
            "UPDATE catalog.sync_runs SET state = 'failed', problem = 'Row 2 is cut off.', finished_at = now(),"
            ' unmatched = 2, unmatched_skus = \'["<A>", "B"]\', errors = $2 WHERE id = $1',
            run_id,
            [{"row": 2, "code": "short", "detail": "it ends early"}],
        )
    _, text = await vendors_browser.get(f"{here}/runs/{run_id}")
    for said in ("Row 2 is cut off.", "it ends early", "&lt;A&gt;", "Which products are these?"):
        assert said in text
    names = {"external.0": "<A>", "external.1": "B"}
    _, text = await vendors_browser.post(f"{here}/skus", csrf_token=token, **names, **{"sku.0": "BOWL-1", "sku.1": ""})
    assert "1 product named." in text
    _, text = await vendors_browser.post(f"{here}/skus", csrf_token=token, **names, **{"sku.0": "NOBODYS", "sku.1": ""})
    assert "Some products are not yours. NOBODYS" in text
    async with vendor.get(f"/api{here}/skus") as answer:
        assert [item["external_sku"] for item in (await answer.json())["items"]] == ["<A>"]


async def test_owners_let_people_in_and_out(vendors_browser: Browser, gateway: Gateway) -> None:
    token = await vendors_browser.token(MEMBERS)
    wrong, text = await vendors_browser.post(MEMBERS, csrf_token=token, name="Nell", email="nell")
    assert (wrong.status, 'value="Nell"' in text) == (422, True)
    _, text = await vendors_browser.post(MEMBERS, csrf_token=token, name="Nell", email="nell@example.com")
    assert "Hand this to Nell" in text
    password = secret_in(text)
    _, text = await vendors_browser.get(MEMBERS)
    assert ("has not signed in yet" in text, password in text) == (True, False)
    nell = re.search(rf"{MEMBERS}/([0-9a-f-]{{36}})/ownership", text)
    assert nell is not None
    one = f"{MEMBERS}/{nell[1]}"
    _, text = await vendors_browser.post(f"{one}/one-time-password", csrf_token=token)
    assert secret_in(text) != password
    _, text = await vendors_browser.get(MEMBERS)
    version = re.search(r'name="version" value="(\d+)"', text)
    assert version is not None
    for said in ("An owner now.", "The member was changed in between."):
        _, text = await vendors_browser.post(f"{one}/ownership", csrf_token=token, is_owner="yes", version=version[1])
        assert said in text
    _, text = await vendors_browser.post(f"{one}/delete", csrf_token=token)
    assert ("Removed." in text, "nell@example.com" in text) == (True, False)


async def test_a_preview_shows_what_is_proposed_to_its_vendor_alone(
    vendors_browser: Browser, browser: Browser, vendor: Client, other_vendor: Client
) -> None:
    draft = await make_product(vendor, title="Bowl of <elm>", submit=False)
    answer, text = await vendors_browser.get(f"/vendor/products/{draft['id']}/preview")
    assert (answer.headers["Cache-Control"], 'name="robots" content="noindex"' in text) == ("no-store", True)
    assert ("Bowl of &lt;elm&gt;" in text, 'action="/vendor/products/' in text) == (True, True)
    foreign = await make_product(other_vendor, title="Not yours")
    answer, _ = await vendors_browser.get(f"/vendor/products/{foreign['id']}/preview")
    assert answer.status == 404


async def test_the_day_tells_why_products_were_turned_down_and_what_fails(
    vendors_browser: Browser, vendor: Client, admin: Client, pool: Pool
) -> None:
    for number in range(4):
        product = await make_product(vendor, title=f"Bowl {number}")
        reasons = [{"code": "title", "note": f"Of which wood is {number}?"}]
        async with admin.post(f"/api/admin/products/{product['id']}/reject", json={"reasons": reasons}) as answer:
            assert answer.status == 200, await answer.text()
    token = await vendors_browser.token(f"{SOURCES}/new")
    await vendors_browser.post(f"{SOURCES}/new", csrf_token=token, **PULL)
    async with connection(pool) as conn:
        await conn.execute("UPDATE catalog.sync_sources SET is_failing = true, failures = 3, problem = 'It is away.'")
    _, text = await vendors_browser.get("/vendor")
    assert "Changes needed: Bowl 3" in text
    assert "Of which wood is 3?" in text
    assert ("Of which wood is 0?" in text, "1 more product needs changes" in text) == (False, True)
    assert ("Stock source failing: Till" in text, "It is away." in text) == (True, True)


@pytest.mark.parametrize("path", ["/vendor/reports", f"/reports/{UUID(int=1)}"])
async def test_with_reporting_away_its_pages_say_so_and_all_else_goes_on(vendors_browser: Browser, path: str) -> None:
    answer, text = await vendors_browser.get(path)
    assert (answer.status, "Please try again in a moment" in text) == (503, True)
    answer, _ = await vendors_browser.get("/vendor")
    assert answer.status == 200


def secret_in(text: str) -> str:
    """The secret that a page shows."""
    match = re.search(r'<code class="secret[^"]*">([^<]+)</code>', text)
    assert match is not None, text
    return match[1]


async def read(vendor: Client, source_id: str) -> dict[str, Any]:
    async with vendor.get(f"/api/vendor/sync-sources/{source_id}") as answer:
        source: dict[str, Any] = await answer.json()
    return source
