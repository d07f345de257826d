"""The table of route x role is complete, and holds."""

import re

import pytest
from aiohttp import ClientSession, ClientTimeout, web

from services.catalog.access import ACCESS, Access, RouteWithoutAccess, require_complete, routes_of
from services.catalog.gateway import open_app
from services.catalog.settings import GatewaySettings
from shared.db.pool import Pool
from shared.ids import new_id
from shared.web.identity import HEADER, Identity, Role, sign
from shared.web.server import new_app
from tests.integration.catalog.conftest import KEY, Client, Gateway

AN_ID = str(new_id())
ROWS = sorted(ACCESS.items())
ROW_NAMES = [f"{method} {path}" for (method, path), _ in ROWS]


async def test_every_route_has_a_row_and_every_row_a_route(gateway_settings: GatewaySettings, pool: Pool) -> None:
    async with open_app(gateway_settings, pool) as app:
        assert set(routes_of(app)) == set(ACCESS)


def test_a_route_without_a_row_keeps_the_app_from_starting() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    app = new_app()
    app.router.add_get("/api/forgotten/{id}", handler)
    with pytest.raises(RouteWithoutAccess, match=r"no row .* GET /api/forgotten"):
        require_complete(app)


async def test_nobody_gets_past_a_row_that_is_not_public(anonymous: Client) -> None:
    refused = {name: await status(anonymous, *row) for name, (row, access) in rows() if not access.is_public}
    assert set(refused.values()) == {401}, refused


async def test_a_role_gets_past_its_own_rows_and_no_others(
    gateway: Gateway, admin: Client, ops: Client, vendor: Client, channel: Client
) -> None:
    clients = {Role.ADMIN: admin, Role.OPS: ops, Role.VENDOR: vendor, Role.CHANNEL: channel}
    wrong = []
    for name, (row, access) in rows():
        if access.is_public or Role.SERVICE in access.roles:
            continue
        for role, client in clients.items():
            answered = await status(client, *row)
            if (answered != 403) if role not in access.roles else (answered in (401, 403, 500)):
                wrong.append(f"{role}: {name} -> {answered}")
    assert wrong == []


async def test_a_public_row_asks_for_nothing(anonymous: Client) -> None:
    answers = {
        name: await status(anonymous, *row)
        for name, (row, access) in rows()
        if access.is_public and name != "POST /api/auth/login"
    }
    assert not set(answers.values()) & {401, 403, 500}, answers


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SERVICE])
async def test_internal_rows_take_only_services(anonymous: Client, admin: Client, role: Role) -> None:
    for _, ((method, path), access) in rows():
        if Role.SERVICE not in access.roles:
            continue
        address = filled(path)
        person = sign(Identity(new_id(), role), service="catalog", key=KEY, method=method, path=address, request_id="r")
        assert await status(admin, method, path) == 401
        async with anonymous.request(method, address, headers={HEADER: person}) as response:
            assert response.status == 403


async def test_unknown_addresses_and_methods_are_problems(anonymous: Client) -> None:
    async with anonymous.get("/api/nothing") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")
    async with anonymous.delete("/api/categories") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    async with anonymous.head("/api/admin/vendors") as response:
        assert response.status == 401


def rows() -> list[tuple[str, tuple[tuple[str, str], Access]]]:
    return list(zip(ROW_NAMES, ROWS, strict=True))


def filled(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", AN_ID, path)


async def status(client: ClientSession, method: str, path: str) -> int:
    """What the row answers, without reading a body that may never end."""
    async with client.request(method, filled(path), timeout=ClientTimeout(total=10)) as response:
        return response.status
