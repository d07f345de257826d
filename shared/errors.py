"""The errors Souk raises on purpose, drawn once; each edge maps them once.

HTTP answers them as problem+json (`shared.web.problems`), the message edge as a disposition
(`shared.messaging.delivery`). A service derives its own from these and names the condition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with an input. `pointer` is an RFC 6901 JSON pointer into the body ("" is all of it)."""

    pointer: str
    code: str
    detail: str


class CannotStart(Exception):
    """What a person must mend before the process can start. Its text is all that is said, and goes to stderr."""


class AppError(Exception):
    """Base of every expected failure. `retryable` says whether the same call may succeed later."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)


class Unparsable(AppError):
    """The bytes are not what they claim to be: no JSON, no multipart, no envelope."""

    code = "unparsable"


class InvalidInput(AppError):
    """Well-formed but not acceptable; `errors` points at what to change."""

    code = "invalid_input"


class Unauthorised(AppError):
    """Nobody is signed in, or the credentials are wrong, revoked or expired."""

    code = "unauthorised"


class Forbidden(AppError):
    """Signed in, but this role may not do this."""

    code = "forbidden"


class NotFound(AppError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not_found"


class Conflict(AppError):
    """The thing is in a state that does not allow this; read it again and decide."""

    code = "conflict"


class Stale(AppError):
    """The caller's `If-Match` names an older version; read again."""

    code = "stale"


class TooMany(AppError):
    """The caller's share is used up; come back after `retry_after_seconds`."""

    code = "too_many"

    def __init__(self, detail: str, *, retry_after_seconds: float) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(AppError):
    """A dependency did not answer. The same call may succeed later, after `retry_after_seconds` if given."""

    code = "unavailable"
    retryable = True

    def __init__(self, detail: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class DependencyDown(Unavailable):
    """What everybody of a kind depends on is away itself: the mail server, the object store, the database.

    Raised only where the very asking failed, never for one mailbox or one object: whoever asks next fares no better.
    A worker stops taking jobs of that type, burns no attempt, and tries one now and then (`shared.messaging.breaker`).
    """
