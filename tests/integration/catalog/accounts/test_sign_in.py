"""Signing in and out, over HTTP."""

import pytest
from aiohttp import ClientSession, CookieJar

from tests.integration.catalog.conftest import Client, Gateway


async def test_a_session_signs_in_changes_with_its_csrf_token_and_signs_out(gateway: Gateway) -> None:
    account = gateway.accounts.admin
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as browser:
        login = {"email": account.email.upper(), "password": account.password}
        async with browser.post("/api/auth/login", json=login) as response:
            assert response.status == 200, await response.text()
            cookie = response.cookies["souk_session"]
            assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")
            csrf = (await response.json())["csrf_token"]
        async with browser.get("/api/me") as response:
            me = await response.json()
            assert (me["email"], me["role"], me["csrf_token"]) == (account.email, "admin", csrf)
        async with browser.post("/api/api-keys", json={"name": "k"}) as response:
            assert response.status == 403
            assert (await response.json())["type"] == "urn:souk:problem:csrf_mismatch"
        token = {"X-CSRF-Token": csrf}
        async with browser.post("/api/api-keys", json={"name": "k"}, headers=token) as response:
            assert response.status == 201
        async with browser.post("/api/auth/logout", headers=token) as response:
            assert response.status == 204
        async with (
            ClientSession(gateway.url, cookies={"souk_session": cookie.value}) as thief,
            thief.get("/api/me") as response,
        ):
            assert response.status == 401


@pytest.mark.parametrize(
    ("email", "password"), [("admin@example.com", "wrong"), ("nobody@example.com", "wrong"), ("\U0001f600", "")]
)
async def test_a_wrong_sign_in_is_refused_in_the_same_words(anonymous: Client, email: str, password: str) -> None:
    async with anonymous.post("/api/auth/login", json={"email": email, "password": password}) as response:
        problem = await response.json()
        assert response.status == 401
        assert problem["detail"] == "The address or the password is wrong."
