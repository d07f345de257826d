"""What a client may send, and what it hears when it sends something else: never a 500."""

import asyncio
import gzip
import io
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import Field, JsonValue

from shared.web.bodies import ONE_LINE, Body, Moment, Query, read_body, read_query
from shared.web.server import new_app, serving

JSON = {"Content-Type": "application/json"}


class Inner(Body):
    """Nested."""

    text: str = ""


class Example(Body):
    """Any body."""

    count: Annotated[int, Field(ge=0, le=10)] = 0
    text: str = ""
    price: float = 0.0
    anything: JsonValue = None
    many: tuple[Inner, ...] = ()
    line: Annotated[str, ONE_LINE] = ""
    at: Moment | None = None
    either: dict[str, Annotated[str, Field(max_length=3)] | bool | int | list[Inner]] = Field(default_factory=dict)


class Filter(Query):
    """Any query."""

    limit: Annotated[int, Field(ge=1, le=100)] = 48
    q: str = ""


async def _post(request: web.Request) -> web.Response:
    body = await read_body(request, Example)
    return web.json_response({"count": body.count})


async def _get(request: web.Request) -> web.Response:
    query = read_query(request, Filter)
    return web.json_response({"limit": query.limit, "q": query.q})


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    app = new_app()
    app.add_routes([web.post("/", _post), web.get("/", _get)])
    async with (
        serving(app, host="127.0.0.1", port=0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as opened,
    ):
        yield opened


Client = aiohttp.ClientSession

# what is sent | status | the pointer of its first error, where there is one
BODIES: dict[str, tuple[bytes, int, str | None]] = {
    "nothing": (b"", 400, None),
    "no JSON": (b"{", 400, None),
    "two values": (b"{} {}", 400, None),
    "invalid UTF-8": (b'{"text": "\xff"}', 400, None),
    "a surrogate in UTF-8": (b'{"text": "\xed\xa0\x80"}', 400, None),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, None),
    "UTF-16": ('{"count": 1}'.encode("utf-16"), 400, None),
    "a bare NaN": (b"NaN", 422, ""),
    "NaN": (b'{"price": NaN}', 422, "/price"),
    "Infinity": (b'{"price": -Infinity}', 422, "/price"),
    "a number that becomes infinite": (b'{"price": 1e400}', 422, "/price"),
    "NUL": (b'{"text": "a\\u0000b"}', 422, "/text"),
    "NUL deep inside": (b'{"many": [{}, {"text": "\\u0000"}]}', 422, "/many/1/text"),
    "NUL in a key": (b'{"anything": {"a\\u0000": 1}}', 422, "/anything"),
    "a lone surrogate": (b'{"text": "\\ud800"}', 422, "/text"),
    "a lone low surrogate": (b'{"text": "x\\udfffy"}', 422, "/text"),
    "a lone surrogate in a key": (b'{"\\ud800": "\\ud800"}', 422, None),
    "a key twice": (b'{"count": 1, "count": 2}', 422, "/count"),
    "a key twice deep inside": (b'{"anything": [{"a/b": 1, "a/b": 1}]}', 422, "/anything/0/a~1b"),
    "an unknown field": (b'{"nonsense": 1}', 422, "/nonsense"),
    "text for a number": (b'{"count": "1"}', 422, "/count"),
    "a truth for a number": (b'{"count": true}', 422, "/count"),
    "a fraction for a number": (b'{"count": 1.0}', 422, "/count"),
    "out of range": (b'{"count": 11}', 422, "/count"),
    "an integer of 400 digits": (b'{"count": ' + b"9" * 400 + b"}", 422, "/count"),
    "an integer of 5,000 digits": (b'{"count": ' + b"9" * 5000 + b"}", 400, None),
    "not an object": (b"[]", 422, ""),
    "null": (b"null", 422, ""),
    "deeper than allowed": (b'{"anything": ' + b"[" * 70 + b"]" * 70 + b"}", 422, None),
    "300 deep": (b'{"anything": ' + b"[" * 300 + b"]" * 300 + b"}", 422, None),
    "100,000 deep": (b"[" * 100_000 + b"]" * 100_000, 400, None),
    "100,000 deep, unfinished": (b'{"a":' * 100_000, 400, None),
    "too large": (b'{"text": "' + b"x" * (1024 * 1024) + b'"}', 413, None),
    "a line with a break": (b'{"line": "a\\r\\nBcc: b"}', 422, "/line"),
    "a time before time": (b'{"at": "0001-01-01T00:00:00+14:00"}', 422, "/at"),
    "a time stored as -infinity": (b'{"at": "0001-01-01T00:00:00Z"}', 422, "/at"),
    "a time after all times": (b'{"at": "9999-12-31T23:59:59-14:00"}', 422, "/at"),
    "no day": (b'{"at": "2026-02-30T00:00:00Z"}', 422, "/at"),
    "a time as seconds": (b'{"at": "1700000000"}', 422, "/at"),
    "a day for a time": (b'{"at": "2026-01-01"}', 422, "/at"),
    "a time without a zone": (b'{"at": "2026-01-01T00:00:00"}', 422, "/at"),
    "a line turned around": (b'{"line": "a\\u202eb"}', 422, "/line"),
    "none of several kinds": (b'{"either": {"a": 1, "int": 1.5}}', 422, "/either/int"),
    "none of several kinds, inside": (b'{"either": {"a": [{"text": ""}, {"text": 1}]}}', 422, "/either/a"),
    "too long for one of them": (b'{"either": {"a": "long"}}', 422, "/either/a"),
    "pointers escape": (b'{"a~/b": 1}', 422, "/a~0~1b"),
}


@pytest.mark.parametrize(("body", "status", "pointer"), BODIES.values(), ids=BODIES)
async def test_a_body_that_does_not_fit_is_told_where(
    client: Client, body: bytes, status: int, pointer: str | None
) -> None:
    found = await _refused(client, status, data=io.BytesIO(body), headers=JSON)
    if pointer is not None:
        assert found["errors"][0]["pointer"] == pointer
    assert ("errors" in found) == (status == 422)


GZIP = {**JSON, "Content-Encoding": "gzip"}
HEADERS: dict[str, tuple[bytes, dict[str, str], int]] = {
    "a form": (b"count=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "text": (b"{}", {"Content-Type": "text/plain"}, 415),
    "multipart without a boundary": (b"{}", {"Content-Type": "multipart/form-data"}, 415),
    "a bogus charset": (b"{}", {"Content-Type": "application/json; charset=bogus"}, 415),
    "another charset": (b"{}", {"Content-Type": "application/json; charset=utf-16"}, 415),
    "gzip that is none": (b"{}", GZIP, 400),
    "gzip that ends early": (gzip.compress(b'{"text": "' + b"x" * 5000 + b'"}')[:40], GZIP, 400),
    "gzip with a wrong checksum": (gzip.compress(b"{}")[:-8] + b"\0" * 8, GZIP, 400),
    "deflate that is none": (b"\x78\x9c\xff\xff\xff", {**JSON, "Content-Encoding": "deflate"}, 400),
    "gzip that is too large inside": (gzip.compress(b'"' + b"x" * 5_000_000 + b'"'), GZIP, 413),
}


@pytest.mark.parametrize(("body", "headers", "status"), HEADERS.values(), ids=HEADERS)
async def test_a_body_that_is_not_what_its_headers_say_is_refused(
    client: Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    await _refused(client, status, data=body, headers=headers)


async def test_after_a_body_that_broke_off_the_client_is_told_that_the_connection_ends(client: Client) -> None:
    async with client.post("/", data=b"no gzip", headers=GZIP) as answer:
        assert (answer.status, answer.headers["Connection"]) == (400, "close")
    await _refused(client, 422, data=b'{"count": 11}', headers=JSON)


async def test_a_body_that_never_comes_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.web.bodies.RECEIVE_SECONDS", 0.05)

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    await _refused(client, 408, data=endless(), headers=JSON)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"count": 3}', JSON),
        (b'{"count": 3}', {"Content-Type": "application/json; charset=UTF-8"}),
        (gzip.compress(b'{"count": 3}'), GZIP),
        (zlib.compress(b'{"count": 3}'), {**JSON, "Content-Encoding": "deflate"}),
        (b'{"count": 3, "at": "2026-01-31t12:00:00.123+02:00"}', JSON),
        ('{"count": 3, "text": "smile \\ud83d\\ude00 \U0001f600"}'.encode(), JSON),
    ],
    ids=["plain", "charset", "gzip", "deflate", "a time", "pairs of surrogates"],
)
async def test_a_body_that_fits_is_read(client: Client, body: bytes, headers: Mapping[str, str]) -> None:
    answer = await client.post("/", data=body, headers=headers)
    assert (answer.status, await answer.json()) == (200, {"count": 3})


async def test_a_value_of_no_kind_is_one_error(client: Client) -> None:
    found = await _refused(client, 422, data=b'{"either": {"a": 1.5, "b": {}}}', headers=JSON)
    assert [error["pointer"] for error in found["errors"]] == ["/either/a", "/either/b"]
    assert "; or: " in found["errors"][0]["detail"]


async def test_no_answer_lists_more_errors_than_anybody_reads(client: Client) -> None:
    body = b'{"anything": [' + b",".join([b'"\\u0000"'] * 5000) + b"]}"
    found = await _refused(client, 422, data=body, headers=JSON)
    assert len(found["errors"]) == 100


QUERIES: dict[str, tuple[str, str]] = {
    "unknown": ("nonsense=1", "/nonsense"),
    "no number": ("limit=x", "/limit"),
    "out of range": ("limit=0", "/limit"),
    "a fraction": ("limit=1.5", "/limit"),
    "a fraction that is none": ("limit=5.0", "/limit"),
    "digits apart": ("limit=1_0", "/limit"),
    "a sign": ("limit=%2B5", "/limit"),
    "blanks around": ("limit=%205%20", "/limit"),
    "twice": ("limit=1&limit=2", "/limit"),
    "NUL": ("q=a%00b", "/q"),
    "5,000 digits": ("limit=" + "9" * 5000, "/limit"),
}


@pytest.mark.parametrize(("query", "pointer"), QUERIES.values(), ids=QUERIES)
async def test_a_query_that_does_not_fit_is_told_where(client: Client, query: str, pointer: str) -> None:
    answer = await client.get(f"/?{query}")
    assert answer.status == 422
    assert (await answer.json(content_type=None))["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("query", ["q=%ED%A0%80", "q=%FF", "q=%", "%00=1", "%ED%A0%80=1", "&&&", "q"])
async def test_no_query_is_a_bug_of_ours(client: Client, query: str) -> None:
    async with client.get(f"/?{query}") as answer:
        assert answer.status in (200, 422)


async def _refused(client: Client, status: int, **sent: Any) -> dict[str, Any]:
    async with client.post("/", **sent) as answer:
        found: dict[str, Any] = await answer.json(content_type=None)
        assert (answer.status, found["status"]) == (status, status), found
        assert answer.content_type == "application/problem+json"
        return found
