"""What the gateway passes on, to services that run in the test's own process."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from aiohttp import ClientPayloadError, web
from yarl import URL

from services.catalog import proxy
from services.catalog.access import ACCESS
from services.catalog.addresses import AN_ID
from shared.errors import Conflict
from shared.web.identity import IDENTITY, identity_middleware
from shared.web.server import MAX_BODY_BYTES, new_app, serving
from tests.integration.catalog.conftest import KEY, NOBODY_THERE, Client, Gateway

ASLEEP = "/api/admin/jobs/groups"


async def echo(request: web.Request) -> web.StreamResponse:
    """Tell what arrived, as a stream with headers that belong to this hop only."""
    identity = request[IDENTITY]
    told = {
        "account": str(identity.account_id),
        "role": identity.role,
        "vendor": str(identity.vendor_id),
        "query": request.rel_url.raw_query_string,
        "body": await request.text(),
        "headers": {name.lower(): value for name, value in request.headers.items()},
    }
    response = web.json_response(
        told,
        status=202,
        headers={"Server": "inner", "Set-Cookie": "a=b", "Keep-Alive": "timeout=5", "X-Own": "1", "Link": "<x>"},
    )
    response.headers["Connection"] = "x-own"
    return response


async def refuse(request: web.Request) -> web.Response:
    raise Conflict("The job is running.")


async def break_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"[")
    assert request.transport is not None
    request.transport.close()
    return response


async def sleep_for_ever(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


@pytest.fixture
async def upstream_urls() -> AsyncIterator[dict[str, str]]:
    """Jobs and notifier answer; reporting and scheduler are away."""
    jobs = new_app(middlewares=[identity_middleware(service="jobs", key=KEY)])
    jobs.router.add_get("/api/admin/jobs", echo)
    jobs.router.add_post("/api/admin/jobs", echo)
    jobs.router.add_get("/api/vendor/jobs", echo)
    jobs.router.add_post("/api/admin/job-types/{type}/pause", refuse)
    jobs.router.add_get("/api/admin/jobs/list", break_off)
    jobs.router.add_get(ASLEEP, sleep_for_ever)
    wrong_key = new_app(middlewares=[identity_middleware(service="notifier", key="other" * 10)])
    wrong_key.router.add_get("/api/notifications", echo)
    async with (
        serving(jobs, host="127.0.0.1", port=0, grace_seconds=0.1) as jobs_port,
        serving(wrong_key, host="127.0.0.1", port=0, grace_seconds=0.1) as notifier_port,
    ):
        yield {
            "jobs": f"http://127.0.0.1:{jobs_port}",
            "notifier": f"http://127.0.0.1:{notifier_port}",
            "reporting": NOBODY_THERE,
            "scheduler": NOBODY_THERE,
        }


async def test_a_request_goes_on_with_who_asks_and_nothing_of_their_credentials(ops: Client) -> None:
    headers = {
        "X-Request-Id": "request-1234",
        "Cookie": "souk_session=abc",
        "Souk-Identity": "forged",
        "X-Forwarded-For": "192.0.2.1",
        "Idempotency-Key": "once",
    }
    async with ops.post("/api/admin/jobs?action=stats&q=%26", json={"action": "retry"}, headers=headers) as response:
        told = await response.json()
        assert response.status == 202
        assert response.headers["X-Request-Id"] == "request-1234"
        assert (response.headers["Server"], response.headers["Link"]) == ("souk", "<x>")
        assert not {"Set-Cookie", "Keep-Alive", "X-Own", "Connection"} & set(response.headers)
    assert (told["role"], told["query"], told["body"]) == ("ops", "action=stats&q=%26", '{"action": "retry"}')
    assert told["headers"]["x-request-id"] == "request-1234"
    assert told["headers"]["idempotency-key"] == "once"
    assert told["headers"]["souk-identity"] != "forged"
    assert not {"authorization", "cookie", "x-forwarded-for"} & set(told["headers"])


async def test_a_vendor_is_known_by_its_shop(vendor: Client, gateway: Gateway) -> None:
    async with vendor.get("/api/vendor/jobs") as response:
        assert (await response.json())["vendor"] == str(gateway.accounts.vendors[0].vendor_id)


@pytest.mark.parametrize("name", ["a%2Fb", "%25%20%C3%A9", "a;b=c", "..%2f..%2finternal", "%2e%2e"])
async def test_an_odd_address_arrives_signed_as_it_is(admin: Client, name: str) -> None:
    async with admin.post(URL(f"/api/admin/job-types/{name}/pause", encoded=True)) as response:
        assert response.status == 409


async def test_a_problem_comes_back_as_it_is(admin: Client) -> None:
    async with admin.post("/api/admin/job-types/send-email/pause") as response:
        assert (response.status, response.content_type) == (409, "application/problem+json")
        assert (await response.json())["detail"] == "The job is running."


async def test_a_service_that_is_away_is_unavailable(vendor: Client) -> None:
    async with vendor.get("/api/vendor/reports") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert (await response.json())["type"] == "urn:souk:problem:upstream_silent"


async def test_a_service_that_does_not_answer_in_time_is_unavailable(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "ANSWER_SECONDS", 0.1)
    async with admin.get(ASLEEP) as response:
        assert response.status == 503


async def test_a_token_with_the_wrong_key_is_refused_by_the_service(vendor: Client) -> None:
    async with vendor.get("/api/notifications") as response:
        assert response.status == 401


async def test_a_body_over_the_limit_goes_nowhere(admin: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            yield bytes(65536)

    for body in (BytesIO(bytes(MAX_BODY_BYTES + 1)), chunks()):
        async with admin.post("/api/admin/jobs", data=body) as response:
            assert response.status == 413


async def test_a_body_that_cannot_be_read_is_the_clients_fault(admin: Client) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with admin.post("/api/admin/jobs", data=b"not gzip", headers=headers) as response:
        assert response.status == 400


async def test_an_answer_that_breaks_off_breaks_off_here(admin: Client) -> None:
    async with admin.get("/api/admin/jobs/list") as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()


def test_only_rows_with_an_owner_are_passed_on() -> None:
    owners = {access.owner for access in ACCESS.values()} - {None}
    assert owners == {"jobs", "notifier", "reporting", "scheduler"}
    routes = proxy.routes(dict.fromkeys(owners))  # type: ignore[arg-type] # none is called
    passed_on = {(route.method, route.path.replace(f":{AN_ID}}}", "}")) for route in routes}
    assert passed_on == {row for row, access in ACCESS.items() if access.owner}
