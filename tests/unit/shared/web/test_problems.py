"""Errors as problem documents."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import web

from services.jobs.errors import JobNotFound
from shared.errors import (
    AppError,
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    Stale,
    TooMany,
    Unauthorised,
    Unavailable,
    Unparsable,
)
from shared.web.problems import problem_for, status_of
from shared.web.server import new_app, serving

CASES: list[tuple[AppError, int, str]] = [
    (Unparsable("x"), 400, "unparsable"),
    (Unauthorised("x"), 401, "unauthorised"),
    (Forbidden("x"), 403, "forbidden"),
    (NotFound("x"), 404, "not_found"),
    (Conflict("x"), 409, "conflict"),
    (Stale("x"), 412, "stale"),
    (InvalidInput("x"), 422, "invalid_input"),
    (TooMany("x", retry_after_seconds=3), 429, "too_many"),
    (Unavailable("x"), 503, "unavailable"),
    (JobNotFound("x"), 404, "job_not_found"),
    (AppError("x"), 500, "error"),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=[case[2] for case in CASES])
def test_each_error_has_its_status_and_its_code(error: AppError, status: int, code: str) -> None:
    assert status_of(error) == status
    answer = problem_for(error, request_id="r", instance="/x")
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    document = orjson.loads(answer.body)  # type: ignore[arg-type]
    assert {**document, "title": ""} == {
        "type": f"urn:souk:problem:{code}",
        "title": "",
        "status": status,
        "detail": "x",
        "instance": "/x",
        "request_id": "r",
    }


def test_every_error_of_ours_has_a_status_of_its_own() -> None:
    assert {kind for kind in AppError.__subclasses__() if kind.__module__ == "shared.errors"} <= {
        type(error) for error, _, _ in CASES
    }


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (3.6, "4"), (60, "60")])
def test_when_to_come_back_is_a_whole_second_at_least(seconds: float, header: str) -> None:
    answer = problem_for(TooMany("x", retry_after_seconds=seconds), request_id=None, instance=None)
    assert answer.headers["Retry-After"] == header


def test_what_a_stranger_sent_can_always_be_quoted() -> None:
    error = InvalidInput("\ud800", errors=[FieldError("/\ud800", "c", "\udfff")])
    answer = problem_for(error, request_id=None, instance="/\ud800")
    assert orjson.loads(answer.body)["errors"][0]["pointer"] == "/?"  # type: ignore[arg-type]


async def _raise(request: web.Request) -> web.Response:
    match request.match_info["what"]:
        case "bug":
            raise ZeroDivisionError("secret 42")
        case "redirect":
            raise web.HTTPFound("/elsewhere")
        case "teapot":
            raise web.HTTPUnavailableForLegalReasons(link=None)
        case "away":
            raise Unavailable("The store is away.", retry_after_seconds=2)
        case _:
            return web.Response(text="fine")


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    app = new_app()
    app.add_routes([web.get("/{what}", _raise)])
    async with (
        serving(app, host="127.0.0.1", port=0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as opened,
    ):
        yield opened


async def problem_of(answer: aiohttp.ClientResponse) -> dict[str, object]:
    assert answer.content_type == "application/problem+json"
    found: dict[str, object] = await answer.json(content_type=None)
    assert found["status"] == answer.status
    assert found["request_id"] == answer.headers["X-Request-Id"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/bug", 500, "internal"),
        ("GET", "/teapot", 451, "unavailable_for_legal_reasons"),
        ("GET", "/away", 503, "unavailable"),
        ("GET", "/no/such", 404, "not_found"),
        ("GET", "/no/%ED%A0%80%FF", 404, "not_found"),
        ("POST", "/bug", 405, "method_not_allowed"),
        ("PROPFIND", "/bug", 405, "method_not_allowed"),
    ],
)
async def test_whoever_raises_it_the_answer_is_a_problem(
    client: aiohttp.ClientSession, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    found = await problem_of(answer)
    assert (answer.status, found["type"]) == (status, f"urn:souk:problem:{code}")
    assert "42" not in str(found["detail"])


async def test_what_is_no_http_is_a_problem_too(client: aiohttp.ClientSession) -> None:
    answer = await client.request("BREW", "/bug")
    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert answer.headers["Server"] == "souk"
    assert (await answer.json(content_type=None))["request_id"] is None


async def test_what_is_refused_before_the_middlewares_is_a_problem_too(client: aiohttp.ClientSession) -> None:
    answer = await client.get("/fine", headers={"Expect": "the impossible"})
    assert answer.content_type == "application/problem+json"
    found = await answer.json(content_type=None)
    assert (answer.status, found["type"]) == (417, "urn:souk:problem:expectation_failed")


async def test_a_redirect_is_an_answer(client: aiohttp.ClientSession) -> None:
    assert (await client.get("/redirect", allow_redirects=False)).status == 302


async def test_what_is_allowed_is_said_with_405(client: aiohttp.ClientSession) -> None:
    assert "GET" in (await client.delete("/bug")).headers["Allow"]


async def test_the_servers_name_tells_no_version(client: aiohttp.ClientSession) -> None:
    for path in ("/fine", "/bug", "/no/such"):
        answer = await client.get(path)
        assert answer.headers["Server"] == "souk"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("offered", "is_taken"),
    [("abcdefgh-1", True), ("short", False), ("x" * 101, False), ("has space", False), ("a" * 100, True)],
)
async def test_a_request_id_is_echoed_if_it_can_be_one(
    client: aiohttp.ClientSession, offered: str, is_taken: bool
) -> None:
    answer = await client.get("/fine", headers={"X-Request-Id": offered})
    assert (answer.headers["X-Request-Id"] == offered) is is_taken
