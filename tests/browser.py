"""A real browser for tests of pages: Debian's Chromium, and a record of whatever went wrong in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from deploy import setup
from tests.servers import is_ci

PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
CALM = ["--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"]
"""Tests run as root, too, where Chromium has no sandbox; they open our own pages only."""


@dataclass
class Troubles:
    """What a person would not see, but a developer must."""

    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note errors of the console, scripts that throw, answers of 400 and more, requests that fail."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"{response.status}: {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left while it loaded, or a feed ended with it
            self.found.append(f"{request.failure}: {request.url}")


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Chromium without a window. Without one the test is skipped, or fails where CI=true."""
    path = setup.browser()
    if path is None:
        if is_ci():
            pytest.fail(setup.NO_BROWSER, pytrace=False)
        pytest.skip(setup.NO_BROWSER)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CALM)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def new_page(
    browser: Browser,
    gateway: str,
    *,
    is_scripted: bool = True,
    width: int = 1280,
    theme: str = "light",
    bypasses_policy: bool = False,
) -> AsyncIterator[tuple[Page, Troubles]]:
    """A page of a browser that was never here. At the end of the block nothing may have gone wrong in it.

    `bypasses_policy` lets a test put a script of its own into our pages.
    """
    context: BrowserContext = await browser.new_context(
        base_url=gateway,
        java_script_enabled=is_scripted,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        bypass_csp=bypasses_policy,
    )
    context.set_default_timeout(PATIENCE_MS)
    page, troubles = await context.new_page(), Troubles()
    troubles.watch(page)
    try:
        yield page, troubles
    finally:
        await context.close()
    assert not troubles.found, "\n".join(troubles.found)


async def sign_in(page: Page, email: str, password: str) -> None:
    """Through the page, as a person does."""
    await page.goto("/login")
    await page.fill("[name=email]", email)
    await page.fill("[name=password]", password)
    await page.click("main button")
    await page.wait_for_url(lambda url: not url.endswith("/login"))
