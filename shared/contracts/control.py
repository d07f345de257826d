"""What every worker is told by the ledger, in the stream `jobs.control`."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import NonNegativeInt

from shared.contracts.base import Contract, Text


class Control(Contract):
    """One instruction. A later one about the same type or job replaces an earlier one; told twice it changes nothing.

    `pause` and `resume` name a `job_type`. `cancel` names a `job_id`: its messages up to `fence` are dropped, and
    a handler at work is asked to stop before its effect.
    """

    kind: Literal["pause", "resume", "cancel"]
    issued_at: datetime
    job_type: Text | None = None
    job_id: UUID | None = None
    fence: NonNegativeInt = 0
