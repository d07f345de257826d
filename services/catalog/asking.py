"""Asking the services behind the gateway in the caller's name, for pages: by the addresses and answers of the API."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import aiohttp
from aiohttp import web
from pydantic import BaseModel, ValidationError
from yarl import URL

from services.catalog.proxy import ANSWER_SECONDS, Upstream, UpstreamSilent
from shared.encoding import to_json
from shared.errors import AppError, Conflict, FieldError, Forbidden, InvalidInput, NotFound, Stale
from shared.log import get_logger
from shared.web.identity import IDENTITY
from shared.web.problems import REQUEST_ID

log = get_logger(__name__)

A = TypeVar("A", bound=BaseModel)

REFUSALS: Final[Mapping[int, type[AppError]]] = {
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Stale,
    422: InvalidInput,
}
"""What another service refuses is refused by us in the same words."""


async def ask(
    request: web.Request,
    upstream: Upstream,
    answer: type[A],
    path: str | URL,
    *,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
    seconds: float = ANSWER_SECONDS,
) -> A:
    """Call a service for who makes this request, and read the part of its answer that `answer` names.

    Raises what it refuses (`NotFound`, `Conflict`, `InvalidInput` with its pointers, …), and `UpstreamSilent` when it
    does not answer within `seconds`: what was asked may have happened then.
    """
    status, received = await _answered(request, upstream, URL(path), method, body, seconds)
    if status in REFUSALS:
        raise _refusal(REFUSALS[status], received)
    if not 200 <= status < 300:
        raise UpstreamSilent(f"The service `{upstream.service}` answered {status}.", 1)
    try:
        return answer.model_validate_json(received or b"{}")
    except ValidationError as exc:
        raise UpstreamSilent(f"The service `{upstream.service}` gave an answer that cannot be read.") from exc


async def _answered(
    request: web.Request, upstream: Upstream, url: URL, method: str, body: Mapping[str, Any] | None, seconds: float
) -> tuple[int, bytes]:
    sent = None if body is None else to_json(body)
    try:
        return await upstream.called(
            method, url, request[IDENTITY], request_id=request[REQUEST_ID], seconds=seconds, body=sent
        )
    except (aiohttp.ClientError, TimeoutError) as exc:
        log.warning("upstream_silent", service=upstream.service, error=repr(exc))
        raise UpstreamSilent(f"The service `{upstream.service}` does not answer now.", 1) from exc


class _WrongField(BaseModel):
    pointer: str
    code: str
    detail: str


class _Problem(BaseModel):
    detail: str
    errors: tuple[_WrongField, ...] = ()


def _refusal(kind: type[AppError], received: bytes) -> AppError:
    try:
        told = _Problem.model_validate_json(received)
    except ValidationError:
        return kind("It was refused.")
    return kind(told.detail, errors=[FieldError(each.pointer, each.code, each.detail) for each in told.errors])
