"""Every error as RFC 9457 problem+json, whoever raises it: a use case, a route, aiohttp itself."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPMethod, HTTPStatus
from typing import Final, NotRequired

import orjson
from aiohttp import web
from typing_extensions import TypedDict

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
from shared.log import get_logger

log = get_logger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"
REQUEST_ID: Final = web.RequestKey("request_id", str)

_STATUS: Final[dict[type[AppError], int]] = {
    Unparsable: 400,
    Unauthorised: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    InvalidInput: 422,
    TooMany: 429,
    Unavailable: 503,
}


class WrongField(TypedDict):
    """One thing wrong with a request. `pointer` is a JSON pointer into the body, or names a parameter."""

    pointer: str
    code: str
    detail: str


class Problem(TypedDict):
    """What went wrong (RFC 9457). `type` is stable and for programs, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None
    request_id: str | None
    errors: NotRequired[list[WrongField]]


def status_of(error: AppError) -> int:
    """The HTTP status of an error: that of the nearest class in the table, 500 for none."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def problem(
    status: int,
    detail: str,
    *,
    code: str,
    request_id: str | None,
    instance: str | None = None,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> web.Response:
    """A problem document as a response. `code` is stable and for programs, `detail` is for people."""
    document: Problem = {
        "type": f"urn:souk:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _valid(detail),
        "instance": None if instance is None else _valid(instance),
        "request_id": request_id,
    }
    if errors:
        document["errors"] = [
            {"pointer": _valid(error.pointer), "code": error.code, "detail": _valid(error.detail)} for error in errors
        ]
    return web.Response(
        status=status, body=orjson.dumps(document), headers={"Content-Type": PROBLEM_TYPE, **(headers or {})}
    )


def _valid(text: str) -> str:
    """What is quoted from a request may hold lone surrogates, which JSON cannot."""
    return text.encode(errors="replace").decode()


def problem_for(error: AppError, *, request_id: str | None, instance: str | None) -> web.Response:
    """The problem document of one of our own errors."""
    headers: dict[str, str] = {}
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, round(retry_after)))
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(
        status_of(error),
        error.detail,
        code=error.code,
        request_id=request_id,
        instance=instance,
        errors=error.errors,
        headers=headers,
    )


def allowed_by(refused: web.HTTPMethodNotAllowed) -> str:
    """The `Allow` header of an address that refused a method."""
    return ", ".join(sorted({*refused.allowed_methods, HTTPMethod.OPTIONS}))


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised below into a problem document."""
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:  # a redirect is an answer
            raise
        return problem_for_http(exc, request)
    except Exception as exc:  # noqa: BLE001 - the last that sees it
        return problem_of(exc, request)


def problem_of(error: Exception, request: web.BaseRequest) -> web.Response:
    """What to answer to an error, which is logged if it is a bug or a dependency that is away."""
    request_id, instance = request.get(REQUEST_ID), request.path
    if isinstance(error, AppError):
        if status_of(error) == HTTPStatus.SERVICE_UNAVAILABLE:
            log.warning("dependency_unavailable", error=error.detail)
        return problem_for(error, request_id=request_id, instance=instance)
    if isinstance(error, ConnectionResetError):
        # The client is gone in the middle of its own request: nobody hears the answer, and it is no bug of ours.
        log.info("client_gone")
        return problem(400, "The request broke off.", code="broken_off", request_id=request_id)
    log.error("request_bug", exc_info=error)
    detail = "An unexpected error. It is logged under the request id."
    return problem(500, detail, code="internal", request_id=request_id, instance=instance)


def problem_for_http(exc: web.HTTPException, request: web.BaseRequest) -> web.Response:
    """aiohttp's own errors: unknown route, method not allowed, body too large, bad multipart."""
    kept = {name: value for name, value in exc.headers.items() if name in ("Allow", "Retry-After")}
    if isinstance(exc, web.HTTPMethodNotAllowed):
        kept["Allow"] = allowed_by(exc)
    details = {
        404: "There is nothing at this address.",
        405: f"{request.method} is not possible here.",
        413: "The body is larger than this address takes.",
        415: "The body's Content-Type is not one this address takes.",
    }
    return problem(
        exc.status,
        details.get(exc.status, exc.reason),
        code=HTTPStatus(exc.status).phrase.lower().replace(" ", "_"),
        request_id=request.get(REQUEST_ID),
        instance=request.path,
        headers=kept,
    )
