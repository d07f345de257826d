"""A browser in tests: it keeps its cookies, and the token its pages have."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, CookieJar


@asynccontextmanager
async def browser(url: str, **headers: str) -> AsyncIterator[ClientSession]:
    """Nobody yet."""
    async with ClientSession(url, cookie_jar=CookieJar(unsafe=True), headers=headers) as client:
        yield client


async def sign_in(client: ClientSession, email: str, password: str) -> dict[str, str]:
    """Sign in; the header that proves a request to be a page's."""
    async with client.post("/api/auth/login", json={"email": email, "password": password}) as response:
        assert response.status == 200, await response.text()
        return {"X-CSRF-Token": (await response.json())["csrf_token"]}


async def listed_sessions(client: ClientSession) -> list[dict[str, Any]]:
    """What the account sees of its sessions."""
    async with client.get("/api/sessions") as response:
        assert response.status == 200, await response.text()
        items: list[dict[str, Any]] = (await response.json())["items"]
        return items
