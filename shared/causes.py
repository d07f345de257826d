"""Which job is being worked on: what its handler tells the world is caused by it, without the handler saying so."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

_job: Final[ContextVar[UUID | None]] = ContextVar("job", default=None)


def current_job() -> UUID | None:
    """The job whose attempt is going on; None outside of one."""
    return _job.get()


@contextmanager
def working_on(job_id: UUID) -> Iterator[None]:
    """Inside of the block, and in the tasks begun there, this job is going on."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)
