"""Passwords: argon2id, off the event loop, a few at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from services.catalog.accounts.errors import SignInBusy

THREADS: Final = 2
MAX_WAITING: Final = 20
"""About two seconds of work for the threads; each check costs 0.1 s and 64 MiB."""
NOBODYS_HASH: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$mXVnHRqUXstr1fhVSVmU+Q$tHgsKAC8U5OSOwV4VCXcNAi5teErCCY+lT7CveWj2vk"
)
"""The hash of a password nobody knows, at the parameters in use: an unknown address costs as much as a known one."""

T = TypeVar("T")


class Passwords:
    """Makes and checks hashes. Raises `SignInBusy` when too many wait."""

    def __init__(self, executor: ThreadPoolExecutor, hasher: PasswordHasher | None = None) -> None:
        self._executor = executor
        self._hasher = hasher or PasswordHasher()
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """What to store; it carries salt and parameters."""
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether this is the password. Without a stored hash the answer is no, after as long a time."""
        is_right = await self._run(lambda: self._verify(stored or NOBODYS_HASH, password))
        return is_right and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise SignInBusy("Too many people sign in at once.", retry_after_seconds=3)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1


@asynccontextmanager
async def open_passwords(hasher: PasswordHasher | None = None) -> AsyncIterator[Passwords]:
    """Passwords with threads of their own, so that sign-ins never take those of anything else."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="argon2") as executor:
        yield Passwords(executor, hasher)
