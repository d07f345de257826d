"""The whole jobs api as composed: what holds for every route."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from services.jobs import api as jobs_api
from services.jobs.settings import Settings
from shared.ids import new_id
from shared.web.identity import HEADER, sign
from tests.integration.jobs.test_routes import KEY, OPS

SOME = new_id()
WITHOUT_BODY = [
    ("POST", f"/api/admin/jobs/{SOME}/retry", 404),
    ("POST", f"/api/admin/jobs/{SOME}/cancel", 404),
    ("POST", f"/api/admin/dead-letters/{SOME}/replay", 404),
    ("DELETE", f"/api/admin/dead-letters/{SOME}", 404),
    ("POST", "/api/admin/job-types/send-email/pause", 200),
    ("POST", "/api/admin/job-types/send-email/resume", 200),
]


@pytest.fixture
async def session(settings: Settings, unused_tcp_port: int) -> AsyncIterator[aiohttp.ClientSession]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(jobs_api.running(settings.model_copy(update={"http_port": unused_tcp_port})))
        yield await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}"))


async def test_a_route_that_reads_no_body_refuses_one_that_says_something(session: aiohttp.ClientSession) -> None:
    for method, path, otherwise in WITHOUT_BODY:
        bodies = ((b'{"dry_run": true}', 422), (b"nonsense", 400), (b"{}", otherwise), (b"", otherwise))
        for body, status in bodies:
            token = sign(OPS, service="jobs", key=KEY, method=method, path=path, request_id="r" * 8)
            headers = {HEADER: token, "Content-Type": "application/json"}
            async with session.request(method, path, headers=headers, data=body) as answer:
                assert answer.status == status, (method, path, body, await answer.text())
