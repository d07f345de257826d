"""`/account`, for everybody who signs in."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar

from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.pages.browser import Browser

PASSWORD = "correct horse battery"


@pytest.fixture
async def browser(gateway: Gateway) -> AsyncIterator[Browser]:
    """Nobody yet."""
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        yield Browser(http)


@pytest.mark.parametrize("who", ["vendor", "admin", "ops"])
async def test_everybody_has_one_and_changes_what_is_theirs(browser: Browser, gateway: Gateway, who: str) -> None:
    account = gateway.accounts.vendors[0] if who == "vendor" else getattr(gateway.accounts, who)
    await browser.sign_in(account.email, account.password)
    _, text = await browser.send("/account", "/account/name", name="Ada <Admin>")
    assert "That is your name now" in text
    assert "Ada &lt;Admin&gt;" in text
    answer, text = await browser.send("/account", "/account/email", email="ada@example.com", current_password="wrong")
    assert (answer.status, "your password as it is now" in text) == (422, True)
    fields = {"new_password": "short", "current_password": account.password}
    answer, text = await browser.send("/account", "/account/password", **fields)
    assert (answer.status, "at least 12" in text) == (422, True)
    _, text = await browser.send("/account", "/account/password", **{**fields, "new_password": PASSWORD})
    assert "Your password is new" in text
    await browser.post("/logout", csrf_token=await browser.token("/account"))
    answer, _ = await browser.sign_in(account.email, PASSWORD)
    assert answer.url.path != "/login"


async def test_a_form_of_an_older_account_changes_nothing(browser: Browser, gateway: Gateway) -> None:
    account = gateway.accounts.admin
    await browser.sign_in(account.email, account.password)
    token = await browser.token("/account")
    await browser.send("/account", "/account/name", name="Ada")
    _, text = await browser.post("/account/name", csrf_token=token, version="1", name="Ben")
    assert "nothing was saved" in text
    assert 'value="Ada"' in text


async def test_sessions_are_seen_and_ended(browser: Browser, gateway: Gateway) -> None:
    account = gateway.accounts.admin
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        elsewhere = Browser(http)
        await elsewhere.sign_in(account.email, account.password)
        await browser.sign_in(account.email, account.password)
        _, text = await browser.get("/account")
        ends = re.findall(r"/account/sessions/[0-9a-f-]{36}/end", text)
        assert len(ends) == 1
        _, text = await browser.send("/account", ends[0])
        assert "Signed out there" in text
        answer, _ = await elsewhere.get("/account")
        assert answer.url.path == "/login"
    answer, _ = await browser.send("/account", "/account/sessions/end-others")
    assert answer.url.path == "/account"


async def test_a_key_is_shown_once_and_revoked(browser: Browser, gateway: Gateway, anonymous: Client) -> None:
    account = gateway.accounts.vendors[0]
    await browser.sign_in(account.email, account.password)
    _, text = await browser.send("/account", "/account/keys", key_name="Till", scope="read", days="30")
    match = re.search(r"souk_[0-9A-Za-z]+_[0-9A-Za-z_-]+", text)
    assert match is not None
    key = {"Authorization": f"Bearer {match[0]}"}
    async with anonymous.get("/api/vendor/products", headers=key) as answer:
        assert answer.status == 200
    _, text = await browser.get("/account")
    assert match[0] not in text
    revoke = next(one for one in re.findall(r"/account/keys/[0-9a-f-]{36}/revoke", text))
    await browser.send("/account", revoke)
    async with anonymous.get("/api/vendor/products", headers=key) as answer:
        assert answer.status == 401
    answer, text = await browser.send("/account", "/account/keys", key_name="", scope="full", days="1000")
    assert (answer.status, "one of the list" in text) == (422, True)


async def test_who_came_with_a_one_time_password_chooses_another_first(browser: Browser, vendor: Client) -> None:
    async with vendor.post("/api/vendor/members", json={"email": "ben@example.com", "name": "Ben"}) as answer:
        assert answer.status == 201
        member = await answer.json()
    answer, text = await browser.sign_in("ben@example.com", member["one_time_password"])
    assert (answer.url.path, "Choose a password of your own" in text) == ("/account", True)
    fields = {"current_password": member["one_time_password"], "new_password": PASSWORD}
    answer, _ = await browser.send("/account", "/account/password", **fields)
    assert answer.url.path == "/vendor"
