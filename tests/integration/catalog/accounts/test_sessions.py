"""Where an account is signed in, and how that ends; the proof that a page of ours asks."""

from io import BytesIO

import pytest
from aiohttp import FormData

from tests.factories import make_product
from tests.integration.catalog.accounts.browser import browser, listed_sessions, sign_in
from tests.integration.catalog.conftest import Client, Gateway
from tests.pictures import photo

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_an_account_sees_where_it_is_signed_in_and_ends_it_there(gateway: Gateway, other_vendor: Client) -> None:
    shop = gateway.accounts.vendors[0]
    async with browser(gateway.url, **{"User-Agent": "Desk"}) as desk, browser(gateway.url) as phone:
        await sign_in(phone, shop.email, shop.password)
        token = await sign_in(desk, shop.email, shop.password)
        here, there = await listed_sessions(desk)
        assert (here["is_current"], here["user_agent"], here["address"]) == (True, "Desk", "127.0.0.1")
        assert not there["is_current"]
        async with other_vendor.delete(f"/api/sessions/{there['id']}") as response:
            assert response.status == 404
        assert await status(phone) == 200
        for expected in (204, 404):
            async with desk.delete(f"/api/sessions/{there['id']}", headers=token) as response:
                assert response.status == expected
        assert (await status(phone), await status(desk)) == (401, 200)
        assert [session["id"] for session in await listed_sessions(desk)] == [here["id"]]


async def test_all_but_the_one_that_asks_end_at_once(gateway: Gateway, vendor: Client) -> None:
    shop = gateway.accounts.vendors[0]
    async with browser(gateway.url) as desk, browser(gateway.url) as phone:
        await sign_in(phone, shop.email, shop.password)
        token = await sign_in(desk, shop.email, shop.password)
        async with desk.delete("/api/sessions", headers=token) as response:
            assert response.status == 204
        assert (await status(phone), await status(desk)) == (401, 200)
        async with vendor.delete("/api/sessions") as response:
            assert response.status == 204
        assert await status(desk) == 401


async def test_a_new_password_ends_every_session_but_the_one_that_gave_it(gateway: Gateway) -> None:
    shop = gateway.accounts.vendors[0]
    async with browser(gateway.url) as desk, browser(gateway.url) as phone:
        await sign_in(phone, shop.email, shop.password)
        token = await sign_in(desk, shop.email, shop.password)
        change = {"new_password": "correct horse battery", "current_password": shop.password}
        async with desk.patch("/api/me", json=change, headers={"If-Match": '"1"', **token}) as response:
            assert response.status == 200
        assert (await status(phone), await status(desk)) == (401, 200)


@pytest.mark.parametrize(
    ("body", "is_let_in"),
    [
        ("csrf_token={token}", True),
        ("note=a&csrf_token={token}", True),
        ("csrf_token=guess", False),
        ("note=a", False),
        ("csrf_token=%ff", False),
        ("&" * 2000, False),
    ],
)
async def test_a_form_proves_itself_by_its_hidden_field(gateway: Gateway, body: str, is_let_in: bool) -> None:
    shop = gateway.accounts.vendors[0]
    async with browser(gateway.url) as desk:
        token = (await sign_in(desk, shop.email, shop.password))["X-CSRF-Token"]
        async with desk.post("/api/auth/logout", data=body.format(token=token), headers=FORM) as response:
            assert response.status in ((204,) if is_let_in else (400, 403))
        assert (await status(desk) == 401) == is_let_in


@pytest.mark.parametrize(("field", "expected"), [("csrf_token", 201), ("note", 403)])
async def test_a_form_with_a_file_has_the_field_first(gateway: Gateway, field: str, expected: int) -> None:
    shop = gateway.accounts.vendors[0]
    async with browser(gateway.url) as desk:
        token = await sign_in(desk, shop.email, shop.password)
        desk.headers.update(token)
        product = await make_product(desk)
        desk.headers.popall("X-CSRF-Token")
        form = FormData({field: token["X-CSRF-Token"]})
        form.add_field("file", BytesIO(photo()), filename="front.jpg", content_type="image/jpeg")
        async with desk.post(f"/api/vendor/products/{product['id']}/images", data=form) as response:
            assert response.status == expected, await response.text()


async def status(client: Client) -> int:
    async with client.get("/api/me") as response:
        return response.status
