"""Answers in fewer bytes, for who takes them so."""

import gzip

import brotli
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from shared.web.compression import PACKERS, WORTH_BYTES, coding_for, compression_middleware, weakened

LARGE = b'{"a": "' + b"b" * WORTH_BYTES + b'"}'


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("GZIP;q=1.0, br;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0, gzip; q=0", None),
        ("*", "br"),
        ("*;q=0", None),
        ("*;q=0.1, br;q=0", "gzip"),
        ("br;q=oops", None),
        ("zstd", None),
        (",,;q=1,", None),
    ],
)
def test_the_best_coding_that_is_taken_is_chosen(accepted: str | None, coding: str | None) -> None:
    assert coding_for(accepted) == coding


def test_what_is_packed_is_unpacked_to_the_same() -> None:
    assert brotli.decompress(PACKERS["br"](LARGE)) == LARGE
    assert gzip.decompress(PACKERS["gzip"](LARGE)) == LARGE


def test_an_etag_is_weakened_once() -> None:
    assert weakened(weakened('"1.2"')) == 'W/"1.2"'


async def answered(response: web.Response, accepted: str = "gzip") -> web.Response:
    async def handler(_: web.Request) -> web.StreamResponse:
        return response

    found = await compression_middleware(make_mocked_request("GET", "/", {"Accept-Encoding": accepted}), handler)
    assert isinstance(found, web.Response)
    return found


def json_response(body: bytes = LARGE, **headers: str) -> web.Response:
    return web.Response(
        body=body, headers={"Content-Type": "application/json"} | {n.replace("_", "-"): v for n, v in headers.items()}
    )


async def test_a_large_answer_is_packed_and_says_so() -> None:
    found = await answered(json_response(ETag='"7"'))
    assert isinstance(found.body, bytes)
    assert gzip.decompress(found.body) == LARGE
    assert (found.headers["Content-Encoding"], found.headers["ETag"]) == ("gzip", 'W/"7"')
    assert found.headers.getall("Vary") == ["Accept-Encoding"]


async def test_who_takes_no_coding_is_told_that_it_would_matter() -> None:
    found = await answered(json_response(ETag='"7"'), "identity")
    assert (found.body, found.headers["ETag"], found.headers["Vary"]) == (LARGE, '"7"', "Accept-Encoding")


async def test_what_is_stored_nowhere_is_left_alone() -> None:
    assert (await answered(json_response(Cache_Control="no-store"))).body == LARGE


async def test_what_sets_a_cookie_is_left_alone() -> None:
    response = json_response()
    response.set_cookie("a", "b")
    assert (await answered(response)).body == LARGE


@pytest.mark.parametrize(
    "response",
    [
        json_response(b"{}"),
        web.Response(body=b"x" * 5000, content_type="image/webp"),
        json_response(Content_Encoding="br"),
        web.Response(status=204),
    ],
    ids=["small", "a picture", "packed already", "empty"],
)
async def test_what_is_not_worth_it_is_left_alone(response: web.Response) -> None:
    before = response.body
    found = await answered(response)
    assert found.body == before
    assert "Vary" not in found.headers


async def test_an_answer_that_nothing_changed_says_what_it_depends_on() -> None:
    assert (await answered(web.Response(status=304))).headers["Vary"] == "Accept-Encoding"
