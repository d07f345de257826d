"""What every request gets: one line, and a place in a trace."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared import tracing
from shared.web.server import new_app, serving

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def _told(_: web.Request) -> web.Response:
    return web.Response(text=tracing.current() or "nothing goes on")


async def _elsewhere(_: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/told")


async def _broken(_: web.Request) -> web.Response:
    raise RuntimeError("a bug")


async def _followed(request: web.Request) -> web.StreamResponse:
    feed = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await feed.prepare(request)
    await feed.write(b": so long\n\n")
    return feed


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """An application with the edge that every service has."""
    app = new_app()
    app.router.add_get("/told", _told)
    app.router.add_get("/elsewhere", _elsewhere)
    app.router.add_get("/broken", _broken)
    app.router.add_get("/followed", _followed)
    async with serving(app, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def test_a_callers_trace_goes_on_in_what_a_request_causes(site: str, http: ClientSession) -> None:
    async with http.get(f"{site}/told", headers={tracing.HEADER: GIVEN}) as answer:
        assert (await answer.text(), answer.headers[tracing.ANSWER_HEADER]) == (GIVEN, GIVEN)


@pytest.mark.parametrize("header", [None, "nonsense"])
async def test_another_request_begins_a_trace_and_its_answer_tells_which(
    site: str, http: ClientSession, header: str | None
) -> None:
    async with http.get(f"{site}/told", headers={} if header is None else {tracing.HEADER: header}) as answer:
        told = await answer.text()
        assert told == answer.headers[tracing.ANSWER_HEADER]
        assert tracing.trace_id_of(told) is not None


@pytest.mark.parametrize(("path", "status"), [("/told", 200), ("/elsewhere", 303), ("/broken", 500), ("/none", 404)])
async def test_each_request_writes_one_line_and_counts_once(
    site: str, http: ClientSession, path: str, status: int
) -> None:
    labels = {"method": "GET", "route": "unknown" if status == 404 else path, "status": str(status)}
    before = REGISTRY.get_sample_value("souk_http_request_seconds_count", labels) or 0
    with capture_logs() as lines:
        async with http.get(f"{site}{path}", allow_redirects=False) as answer:
            assert answer.status == status
            assert tracing.trace_id_of(answer.headers[tracing.ANSWER_HEADER]) is not None
    [line] = [line for line in lines if line["event"] == "request"]
    assert (line["path"], line["status"]) == (path, status)
    assert REGISTRY.get_sample_value("souk_http_request_seconds_count", labels) == before + 1


async def test_a_feed_that_lasts_is_no_slow_answer(site: str, http: ClientSession) -> None:
    labels = {"method": "GET", "route": "/followed", "status": "200"}
    async with http.get(f"{site}/followed") as answer:
        assert await answer.text() == ": so long\n\n"
    assert REGISTRY.get_sample_value("souk_http_request_seconds_count", labels) is None
