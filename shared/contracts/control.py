"""What every worker is told by the ledger, in the stream `jobs.control`."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import NonNegativeInt

from shared.contracts.base import Contract, Text


class Control(Contract):
    """One instruction. A later one about the same type or job replaces an earlier one; told twice it changes nothing.

    About a `job_type`:
    - `pause` and `resume`: an operator wants no worker to take its jobs, or wants it again.
    - `break` and `mend`: what its jobs depend on is away, or is back. Meanwhile `worker` alone takes one job now and
      then, to see.
    About a `job_id`; its messages up to `fence` are meant:
    - `cancel`: they are dropped, and a handler at work is asked to stop before its effect.
    - `superseded`: they are dropped unrun, since the ledger has published the job again.
    - `suspect`: the job runs with nothing else in its process, which it may kill. `cause` is the crash that says so.
    - `park`: they are kept as dead letters, unrun. `cause` is the last crash.
    """

    kind: Literal["pause", "resume", "cancel", "break", "mend", "superseded", "suspect", "park"]
    issued_at: datetime
    job_type: Text | None = None
    job_id: UUID | None = None
    fence: NonNegativeInt = 0
    worker: Text | None = None
    cause: UUID | None = None
