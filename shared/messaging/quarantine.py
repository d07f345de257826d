"""Which jobs run beside which: a job that may kill its process runs with nothing else in it.

After a crash the jobs that ran are suspects, here at once, in other workers when the ledger has told them. A suspect of
a crash that this slot told of waits for the ledger's word on it: the word may be that the job is parked.
"""

import asyncio
from typing import Final
from uuid import UUID

from shared.log import get_logger
from shared.messaging.control import Controls
from shared.messaging.journal import Crash, Journal

log = get_logger(__name__)

WORD_SECONDS: Final = 60.0
"""How long a suspect waits for the ledger's word; then it runs, alone, as the ledger seems to be away."""


class Quarantine:
    """Every job of this process goes in here before its handler runs, and out after it.

    Nobody who is in waits for anybody here, and a suspect that waits to be alone holds only its own place of its type:
    those who are in go out by themselves, within their time limits.
    """

    def __init__(self, journal: Journal, controls: Controls) -> None:
        self._journal = journal
        self._controls = controls
        self._inside = 0
        self._suspects_waiting = 0
        self._may_enter = asyncio.Event()
        self._may_enter.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._alone = asyncio.Lock()
        self._is_alone = False

    def suspect(self, crash: Crash) -> None:
        """Take the jobs of a crash for suspects from now on, each until the ledger has said what becomes of it."""
        for attempt in crash.attempts:
            self._controls.suspect_until_told(attempt.job_id, crash.id)

    def awaits_word_on(self, job_id: UUID) -> bool:
        """Whether the ledger is yet to say what becomes of a job that this slot crashed with."""
        return self._controls.awaited(job_id) is not None

    async def word_on(self, job_id: UUID) -> None:
        """Wait until the ledger has said what becomes of a job that this slot crashed with; others return at once."""
        if (told := self._controls.awaited(job_id)) is not None:
            try:
                async with asyncio.timeout(WORD_SECONDS):
                    await told.wait()
            except TimeoutError:
                log.warning("no_word_on_suspect", job_id=str(job_id))

    async def enter(self, job_id: UUID, job_type: str, fence: int, attempt: int) -> int:
        """Return when the job may run, noted in the journal; give what it returns to `leave`."""
        if self._controls.is_suspect(job_id):
            await self._be_alone()
        else:
            while not self._may_enter.is_set():
                await self._may_enter.wait()
        self._inside += 1
        self._empty.clear()
        return self._journal.begin(job_id, job_type, fence, attempt)

    def leave(self, place: int) -> None:
        """The handler has ended, however it did."""
        self._journal.end(place)
        self._inside -= 1
        if not self._inside:
            self._empty.set()
        if self._is_alone:
            self._is_alone = False
            self._alone.release()
            self._let_others_in()

    async def _be_alone(self) -> None:
        self._suspects_waiting += 1
        self._may_enter.clear()
        try:
            await self._alone.acquire()
            try:
                await self._empty.wait()
            except BaseException:
                self._alone.release()
                raise
            self._is_alone = True
        finally:
            self._suspects_waiting -= 1
            if not self._is_alone:
                self._let_others_in()

    def _let_others_in(self) -> None:
        if not self._suspects_waiting:
            self._may_enter.set()
