"""Operations in a real browser: a failed job is found and retried, and a schedule run now, with scripts and without."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import new_page, open_browser, sign_in
from tests.e2e.marketplace import JSON, Shop
from tests.e2e.test_pages import Vendor as Person
from tests.eventually import eventually


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with open_browser() as opened:
        yield opened


async def refuse(shop: Shop, *addresses: str) -> None:
    """Have the mail server refuse these for good, and nobody else."""
    body = {"addresses": addresses, "reply": "550 5.1.1 No such mailbox"}
    async with shop.http.put(f"{shop.stack.run.mailbox}/api/refusals", json=body) as answer:
        assert answer.status == 200, await answer.text()


async def failed_mail(shop: Shop, title: str) -> JSON:
    """A letter to the third vendor that the mail server has refused."""
    vendor = shop.stack.run.accounts.vendors[2]
    await refuse(shop, vendor.email)
    params = {"product_id": str(uuid4()), "title": title, "slug": "a-lamp"}
    letter = {"letter": "product_approved", "audience": {"kind": "vendor", "vendor_id": vendor.vendor_id}}
    body = {"type": "send-email", "payload": {**letter, "params": params}}
    made = await shop.post_once("ops", "/api/admin/jobs/enqueue", json=body)

    async def failed() -> JSON:
        job = await shop.get("ops", f"/api/admin/jobs/{made['id']}")
        assert job["state"] == "failed", job["error"]
        return job

    return await eventually(failed, 30, every=0.2)


@pytest.mark.parametrize("is_scripted", [True, False], ids=["scripted", "plain"])
async def test_a_failed_job_is_retried_and_a_schedule_run_now(shop: Shop, browser: Browser, is_scripted: bool) -> None:
    title = f"Lamp {uuid4().hex[:8]}"
    accounts = shop.stack.run.accounts
    async with new_page(browser, shop.gateway, is_scripted=is_scripted) as (page, _):
        await sign_in(page, accounts.ops.email, accounts.ops.password)
        await page.goto("/admin/jobs?state=failed&type=send-email")
        job = await failed_mail(shop, title)
        operator = Person(page, is_scripted)
        await operator.sees(job["id"][-8:])  # the list follows
        if is_scripted:
            await page.keyboard.press("j")
            await expect(page.locator("[data-row]:focus")).to_have_count(1)
        await _opens(page, f"#job-{job['id']}")
        await expect(page.get_by_text("MailboxRejected").first).to_be_visible()
        await refuse(shop)
        await operator.sends("text=Retry")
        await expect(page.get_by_text("It goes round again.")).to_be_visible()
        await operator.sees("Sent round again by hand")
        await _comes(operator, "#head .badge.good")
        assert len(await shop.mails_about(title)) == 1

        await page.goto("/admin/schedules/check-low-stock")
        assert await page.get_by_text("Run now").count() == 0, "operators only look at the schedule"
    async with new_page(browser, shop.gateway, is_scripted=is_scripted, width=360, theme="dark") as (page, _):
        await sign_in(page, accounts.admin.email, accounts.admin.password)
        await page.goto("/admin/schedules/check-low-stock")
        administrator = Person(page, is_scripted)
        await administrator.sends("text=Run now")
        await administrator.sees("by hand")
        await _comes(administrator, "#ticks .badge.good")
        await _opens(page, "#ticks tbody tr:first-child a")
        await expect(page.locator("h1")).to_contain_text("check-low-stock")
        await page.goto("/admin/queues")
        await expect(page.get_by_text("RabbitMQ management")).to_be_visible()
        await expect(page.get_by_text("jobs.check-low-stock").first).to_be_visible()


async def _opens(page: Page, link: str) -> None:
    """Follow a link. The list may be put in place anew meanwhile, so the address decides."""
    address = await page.locator(link).get_attribute("href")
    assert address is not None
    await page.goto(address)


async def _comes(person: Person, part: str) -> None:
    """Wait until a part of the page is there; without scripts by loading it anew."""
    if person.is_scripted:
        await expect(person.page.locator(part).first).to_be_visible()
        return

    async def is_there() -> bool:
        await person.page.reload()
        return await person.page.locator(part).count() > 0

    await eventually(is_there, 30, every=0.3)
