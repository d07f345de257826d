"""No page has a barrier that axe knows of, in either theme, on a phone or at a desk; none is wider than its window."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page

from services.catalog.pages.navigation import NAVIGATION
from shared.web.identity import Role
from tests.browser import new_page, open_browser, sign_in
from tests.e2e.marketplace import JSON, Shop, small_photo
from tests.eventually import eventually

PUBLIC: Sequence[str] = (
    "/",
    "/products",
    "/products?q=chair&in_stock=yes&sort=price",
    "/products?q=nothing+like+it",
    "/products/{slug}",
    "/vendors/{vendor}",
    "/login",
    "/api/docs",
    "/nothing/here",
)
TOLD: Sequence[str] = ("/notifications", "/notifications/preferences")
BELOW: Mapping[str, Sequence[str]] = {
    "vendor": (
        *TOLD,
        "/vendor/products/new",
        "/vendor/products/{id}",
        "/vendor/products/{id}/preview",
        "/vendor/inventory?low=yes",
        "/vendor/inventory/{id}",
        "/vendor/sync-sources/new",
        "/vendor/sync-sources/{source}",
        "/vendor/sync-sources/{source}/runs/{run}",
        "/vendor/reports/{report}",
    ),
    "admin": (
        "/admin",
        "/admin/approvals?kind=new",
        "/admin/products?q=nothing+like+it",
        "/admin/products/{id}",
        "/admin/products/{waiting}",
        "/admin/vendors/new",
        "/admin/vendors/{vendor_id}",
        "/admin/audit?kind=product&id={id}",
    ),
    "ops": (
        *TOLD,
        "/admin/jobs?state=completed&type=send-email",
        "/admin/jobs?q=nothing+like+it",
        "/admin/jobs?q=x",
        "/admin/jobs/failures",
        "/admin/jobs/types",
        "/admin/jobs/bulk?action=retry&type=send-email",
        "/admin/jobs/{job}",
        "/admin/jobs/{job}/copy",
        "/admin/schedules/check-low-stock",
        "/admin/dead-letters/bulk?action=purge",
    ),
}
"""Pages that no navigation names; those it names are looked at by themselves."""

THEMES: Sequence[Literal["light", "dark"]] = ("light", "dark")
WIDTHS = (360, 1280)

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with open_browser() as opened:
        yield opened


@pytest.fixture
async def product(shop: Shop) -> JSON:
    """One with a picture, on sale, that was rejected before and has a change proposed."""
    made = await shop.submit(pictures=[small_photo(51)])
    decision = "/api/admin/approve-product"
    reasons = [{"code": "title", "note": "Say of which wood."}]
    await shop.post_once("admin", decision, json={"product_id": made["id"], "action": "reject", "reasons": reasons})
    await shop.post_once("vendor", f"/api/vendor/products/{made['id']}/submit")
    await shop.post_once("admin", decision, json={"product_id": made["id"], "action": "approve"})
    await shop.post_once("vendor", f"/api/vendor/products/{made['id']}/images", picture=small_photo(52))
    waiting = await shop.submit()
    at = "/api/vendor/sync-sources"
    till = {"name": f"Till of {made['sku']}", "url": "https://127.0.0.1/stock.json"}
    source = await shop.post_once("vendor", at, json=till)
    run = await shop.post_once("vendor", f"{at}/{source['id']}/run")
    wanted = {"type": "catalog_quality", "period": {"from": "2026-01-01", "to": "2026-01-01"}}
    report = await shop.post_once("vendor", "/api/vendor/reports", json=wanted)
    job = await eventually(lambda: _any_job(shop))
    others = {"source": source["id"], "run": run["id"], "report": report["id"], "job": job["id"]}
    return {**made, **others, "waiting": waiting["id"], "vendor_id": made["vendor"]["id"]}


async def _any_job(shop: Shop) -> JSON:
    jobs: list[JSON] = (await shop.get("ops", "/api/admin/jobs/list?state=completed"))["items"]
    assert jobs, "nothing is done yet"
    return jobs[0]


@pytest.mark.parametrize("who", ["nobody", *BELOW])
async def test_pages_have_no_barriers(shop: Shop, browser: Browser, product: JSON, who: str) -> None:
    async with new_page(browser, shop.gateway, bypasses_policy=True) as (page, troubles):
        if who != "nobody":
            account = shop.stack.run.accounts.vendors[0] if who == "vendor" else getattr(shop.stack.run.accounts, who)
            await sign_in(page, account.email, account.password)
        problems = [problem for path in _paths(who, product) for problem in await _barriers(page, path)]
        troubles.found.clear()  # a page of an error is looked at, too
    assert problems == []


def _paths(who: str, product: JSON) -> list[str]:
    """What admins see as operators do is looked at once, as an operator."""
    if who == "nobody":
        places = PUBLIC
    else:
        seen = NAVIGATION[Role.OPS] if who == "admin" else ()
        places = [*(place.path for place in NAVIGATION[Role(who)] if place not in seen), *BELOW[who]]
    return [path.format(**{**product, "vendor": product["vendor"]["slug"]}) for path in places]


async def _barriers(page: Page, path: str) -> list[str]:
    await page.goto(path)
    problems = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 900})
        wide: int = await page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            problems.append(f"{path} is {wide} wide at {width}")
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)
            found = (await Axe().run(page)).response
            assert len(found["passes"]) > 10, f"{path} was not looked at"
            problems += [
                f"{path}, {theme}, {width}: {violation['id']} at {node['html'][:200]}"
                for violation in found["violations"]
                for node in violation["nodes"]
            ]
    return problems
