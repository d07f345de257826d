"""Browsers for the tests of pages."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar

from tests.integration.catalog.conftest import Gateway
from tests.integration.catalog.pages.browser import Browser


@pytest.fixture
async def browser(gateway: Gateway) -> AsyncIterator[Browser]:
    """Nobody yet."""
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        yield Browser(http)


@pytest.fixture
async def vendors_browser(browser: Browser, gateway: Gateway) -> Browser:
    """The first vendor's."""
    account = gateway.accounts.vendors[0]
    answer, _ = await browser.sign_in(account.email, account.password)
    assert answer.url.path == "/vendor"
    return browser
