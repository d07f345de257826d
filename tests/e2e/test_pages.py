"""The main job in a real browser: a vendor's pages, live and without scripts, beside an admin who decides."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from playwright.async_api import Browser, FilePayload, Page, expect

from tests.browser import new_page, open_browser, sign_in
from tests.e2e.marketplace import Shop, small_photo
from tests.eventually import eventually


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with open_browser() as opened:
        yield opened


@dataclass
class Somebody:
    """Someone at work. Without scripts the page is loaded anew to see what happened."""

    page: Page
    is_scripted: bool

    async def sees(self, text: str) -> None:
        """Wait until the page says so."""
        if self.is_scripted:
            await expect(self.page.get_by_text(text).first).to_be_visible()
            return

        async def said() -> bool:
            await self.page.reload()
            return await self.page.get_by_text(text).count() > 0

        await eventually(said, 20, every=0.3)

    async def sends(self, button: str) -> None:
        """Press a form's button, and arrive at the page that answers."""
        async with self.page.expect_navigation():
            await self.page.click(button)


class Vendor(Somebody):
    """A vendor at work."""

    async def makes_product(self, title: str, sku: str) -> str:
        """A draft; its id."""
        page = self.page
        await page.goto("/vendor/products/new")
        await page.fill("[name=title]", title)
        await page.fill("[name=description]", "A stool of oak.")
        await page.select_option("[name=category]", "furniture")
        await page.fill("[name=sku]", sku)
        await page.fill("[name=price]", "129.50")
        await page.fill("[name=on_hand]", "9")
        await self.sends("text=Save and add pictures")
        await page.wait_for_url(re.compile("/vendor/products/[0-9a-f-]{36}$"))
        return page.url.rsplit("/", 1)[1]

    async def adds_picture(self) -> None:
        """Upload one and wait until it is shown."""
        page = self.page
        picture = FilePayload(name="stool.jpg", mimeType="image/jpeg", buffer=small_photo(41))
        await page.set_input_files("#file", picture)
        await page.fill("#alt", "The stool from the front")
        if self.is_scripted:
            await page.click("#upload button")
            await expect(page.locator("#pictures img[alt='The stool from the front']")).to_be_visible()
        else:
            await self.sends("#upload button")
            await eventually(self._picture_is_ready, 20, every=0.3)

    async def _picture_is_ready(self) -> bool:
        await self.page.reload()
        return await self.page.locator("#pictures img[alt='The stool from the front']").count() > 0


@pytest.mark.parametrize("is_scripted", [True, False], ids=["scripted", "plain"])
async def test_a_product_is_submitted_rejected_resubmitted_approved_and_sold_low(
    shop: Shop, browser: Browser, is_scripted: bool
) -> None:
    mark = uuid4().hex[:8]
    account = shop.stack.run.accounts.vendors[0]
    async with new_page(browser, shop.gateway, is_scripted=is_scripted) as (page, _):
        await sign_in(page, account.email, account.password)
        vendor = Vendor(page, is_scripted)
        product_id = await vendor.makes_product(f"Stool {mark}", f"STOOL-{mark}")
        await vendor.adds_picture()
        await page.click("text=Preview")
        await expect(page.locator("h1")).to_have_text(f"Stool {mark}")
        await page.click("text=Back to the editor")
        await vendor.sends("text=Save and submit")
        await vendor.sees("In review since")

        decision = "/api/admin/approve-product"
        reasons = [{"code": "description", "note": f"How high is {mark}?"}]
        rejection = {"product_id": product_id, "action": "reject", "reasons": reasons}
        await shop.post_once("admin", decision, json=rejection)
        await vendor.sees(f"How high is {mark}?")
        await page.goto("/vendor")
        await vendor.sees(f"How high is {mark}?")
        await page.click(f"text=Changes needed: Stool {mark}")
        await page.fill("[name=description]", "A stool of oak, 45 cm high.")
        await vendor.sends("text=Save and submit again")
        await vendor.sees("In review since")
        await shop.post_once("admin", decision, json={"product_id": product_id, "action": "approve"})
        await vendor.sees("See it in the shop")

        await page.goto(f"/vendor/inventory/{product_id}")
        await page.fill("[name=on_hand]", "2")
        await vendor.sends("text=Save the count")
        await vendor.sees("2 pieces")
        await page.goto("/vendor")
        await vendor.sees("running low")
        await page.goto(f"/products?q={mark}")
        await page.click(f"text=Stool {mark}")
        await expect(page.locator("h1")).to_have_text(f"Stool {mark}")
        await expect(page.get_by_text("In stock")).to_be_visible()


@pytest.mark.parametrize("is_scripted", [True, False], ids=["scripted", "plain"])
async def test_an_admin_reads_the_mail_before_it_goes_decides_and_sees_what_happened(
    shop: Shop, browser: Browser, is_scripted: bool
) -> None:
    first, second = await shop.submit(), await shop.submit()
    account, subject = shop.stack.run.accounts.admin, f"Changes needed: {first['title']}"
    async with new_page(browser, shop.gateway, is_scripted=is_scripted) as (page, _):
        await sign_in(page, account.email, account.password)
        admin = Somebody(page, is_scripted)
        await page.goto("/admin/approvals")
        await admin.sees(first["title"])
        await page.get_by_role("link", name=first["title"]).click()
        await expect(page.locator("h1")).to_have_text(first["title"])
        await (page.keyboard.press("r") if is_scripted else page.click("#refuse > summary"))
        await page.check("[name=reason-images]")
        await page.fill("[name=note-images]", "Lighter, please.")
        await page.click("#preview")
        letter = page.frame_locator("#letter")
        await expect(letter.locator("dd").last).to_have_text(subject)
        await expect(letter.frame_locator("iframe").get_by_text("Lighter, please.")).to_be_visible()
        await admin.sends("#refuse form .danger")
        await expect(page.get_by_text("went back to its vendor")).to_be_visible()

        await page.goto(f"/admin/products/{second['id']}")
        async with page.expect_navigation():
            await (page.keyboard.press("a") if is_scripted else page.click("#approve"))
        await expect(page.get_by_text("is in the catalogue as you saw it")).to_be_visible()
        await page.goto("/admin/monitoring")
        await admin.sees(f"“{second['title']}” was approved.")

        async def is_sent() -> bool:
            return subject in {mail["subject"] for mail in await shop.mails_about(first["title"])}

        await eventually(is_sent, 30)


@pytest.mark.parametrize("is_scripted", [True, False], ids=["scripted", "plain"])
async def test_a_vendor_is_told_chooses_watches_a_report_and_keeps_a_source(
    shop: Shop, browser: Browser, is_scripted: bool
) -> None:
    product = await shop.submit()
    account = shop.stack.run.accounts.vendors[0]
    async with new_page(browser, shop.gateway, is_scripted=is_scripted) as (page, _):
        await sign_in(page, account.email, account.password)
        vendor = Vendor(page, is_scripted)
        await page.goto("/notifications")
        decision = {"product_id": product["id"], "action": "approve"}
        await shop.post_once("admin", "/api/admin/approve-product", json=decision)
        title = f"Approved: {product['title']}"
        await vendor.sees(title)
        await vendor.sends(f"#lines >> text={title}")  # a toast may say the same
        await expect(page.locator("h1")).to_have_text(product["title"])
        await page.goto("/notifications")
        await expect(page.locator(f"li:not(.unread) >> text={title}")).to_be_visible()

        await page.goto("/notifications/preferences")
        await page.set_checked("[name='stock_low.email']", checked=is_scripted)
        await vendor.sends("text=Save")
        await vendor.sees("It holds for what happens from now on.")
        assert await page.is_checked("[name='stock_low.email']") is is_scripted
        assert await page.is_checked("[name='stock_low.push']")

        await page.goto("/vendor/reports")
        await page.check("[value=catalog_quality]")
        await page.select_option("[name=days]", "month" if is_scripted else "week")
        await vendor.sends("text=Ask for it")
        await vendor.sees("Figures of")
        await page.click("text=Open")
        await expect(page.locator("h1")).to_be_visible()

        await page.goto("/vendor/sync-sources/new")
        await page.fill("[name=name]", f"Till {product['sku']} {is_scripted}")
        await page.fill("[name=url]", "https://127.0.0.1/stock.json")
        await page.select_option("[name=interval]", "")
        await vendor.sends("text=Keep the source")
        await vendor.sends("text=Run now")
        await vendor.sees("The address is not a public one.")
        await page.click("text=Delete")
        await vendor.sends("text=Delete it")
        await vendor.sees("Stock sources")


async def test_what_is_pushed_is_shown_and_news_of_one_matter_replace_each_other(shop: Shop, browser: Browser) -> None:
    account = shop.stack.run.accounts.vendors[0]
    async with new_page(browser, shop.gateway) as (page, _):
        await page.context.grant_permissions(["notifications"])
        await sign_in(page, account.email, account.password)
        await page.goto("/notifications/preferences")
        await expect(page.locator("[data-push-on]")).to_be_visible()
        devtools = await page.context.new_cdp_session(page)
        registered: list[str] = []
        devtools.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda told: registered.extend(each["registrationId"] for each in told["registrations"]),
        )
        await devtools.send("ServiceWorker.enable")
        await eventually(lambda: registered)
        for title, tag in (("Low stock: Bowl", "stock"), ("Low stock: 2 products", "stock"), ("Approved: Cup", "cup")):
            pushed = json.dumps({"title": title, "body": "", "path": "/vendor/inventory", "tag": tag})
            arguments = {"origin": shop.gateway, "registrationId": registered[-1], "data": pushed}
            await devtools.send("ServiceWorker.deliverPushMessage", arguments)

        async def shown() -> bool:
            titles = await page.evaluate(
                "navigator.serviceWorker.ready.then(async (one) => (await one.getNotifications()).map((n) => n.title))"
            )
            return sorted(titles) == ["Approved: Cup", "Low stock: 2 products"]

        await eventually(shown)
        await page.click("text=Sign out")
        await page.wait_for_url("**/login")


async def test_the_search_suggests_and_a_page_follows_what_is_sold(shop: Shop, browser: Browser) -> None:
    product = await shop.submit()
    mark = product["title"].split()[-1]
    await shop.post_once("admin", "/api/admin/approve-product", json={"product_id": product["id"], "action": "approve"})
    async with new_page(browser, shop.gateway, width=360, theme="dark") as (page, _):
        await page.goto("/")
        await page.locator("#search").press_sequentially(mark)
        await page.locator("[role=option]").first.click()
        await page.wait_for_url(f"**/products/{product['slug']}")
        await expect(page.get_by_text("In stock")).to_be_visible()
        inventory = f"/api/vendor/inventory/{product['id']}"
        level = {"on_hand": 0, "expected_on_hand": product["on_hand"]}
        async with shop.http.put(f"{shop.gateway}{inventory}", json=level, headers=shop.as_("vendor")) as answer:
            assert answer.status == 200, await answer.text()
        await expect(page.get_by_text("Sold out").first).to_be_visible()
