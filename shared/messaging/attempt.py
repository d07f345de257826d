"""One attempt of a job as its handler and the ledger see it: what it is told, how it may fail, what is kept of it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import JsonValue

from shared.contracts.base import Job
from shared.contracts.reports import MAX_ERROR_CHARS, MAX_RESULT_BYTES, AttemptError
from shared.errors import AppError
from shared.messaging.delivery import JobCancelled


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a handler may want to know of the attempt it is."""

    job_id: UUID
    number: int
    limit: int
    cause_id: UUID | None
    caused_at: datetime
    is_cancelled: Callable[[], bool] = lambda: False
    progressed: Callable[[float], None] = lambda _: None
    """For a handler to call with the share that is done, 0 to 1, as often as it likes: it costs nothing, and people see
    the newest within a second or two."""

    def stop_if_cancelled(self) -> None:
        """For a handler to call just before its effect: raises `JobCancelled` when a person cancelled the job."""
        if self.is_cancelled():
            raise JobCancelled("A person cancelled the job.")


Handler = Callable[[Any, Attempt], Awaitable[Any]]
"""Takes the job of its type and the attempt; returns the job's result (a small JSON value)."""
HandlerTable = Mapping[type[Job], Handler]


class AttemptTimeout(AppError):
    """The handler did not end within the job's time limit and was cancelled."""

    code = "timeout"
    retryable = True


class HandlerCancelled(AppError):
    """Something the handler waited for was cancelled, while nobody stops this worker."""

    code = "handler_cancelled"
    retryable = True


def described(error: Exception) -> AttemptError:
    """An error as the history keeps it, cut at 2 KB."""
    message = error.detail if isinstance(error, AppError) else str(error) or repr(error)
    return AttemptError(error_class=type(error).__name__, message=storable(message)[:MAX_ERROR_CHARS])


_NUL_IN_JSON: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def storable(text: str) -> str:
    """A text that PostgreSQL and JSON can hold: no NUL, no lone surrogate. Errors quote what strangers sent."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def kept_result(result: object) -> JsonValue:
    """A handler's result as the ledger keeps it. One that is no small JSON is replaced by a note, never an error.

    The effect has happened: a result that cannot be told must not make the job run again.
    """
    if result is None:
        return None
    try:
        body = _NUL_IN_JSON.sub(rb"\1\\ufffd", orjson.dumps(result))
    except TypeError as exc:
        return {"result_not_kept": f"no JSON: {exc}"}
    if len(body) > MAX_RESULT_BYTES:
        return {"result_not_kept": f"{len(body)} bytes are over {MAX_RESULT_BYTES}"}
    kept: JsonValue = orjson.loads(body)
    return kept
