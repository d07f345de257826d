"""Passwords are checked a few at a time, and nobody's as thoroughly as somebody's."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from services.catalog.accounts import passwords
from services.catalog.accounts.errors import SignInBusy
from services.catalog.accounts.passwords import MAX_WAITING, NOBODYS_HASH, open_passwords

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_a_password_matches_its_hash_only() -> None:
    async with open_passwords(QUICK) as opened:
        stored = await opened.hash("correct horse")
        assert await opened.matches(stored, "correct horse")
        assert not await opened.matches(stored, "wrong horse")
        assert not await opened.matches(None, "correct horse")


def test_nobodys_hash_costs_what_the_others_cost() -> None:
    assert not PasswordHasher().check_needs_rehash(NOBODYS_HASH)


async def test_nobodys_password_never_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "NOBODYS_HASH", QUICK.hash("guessed"))
    async with open_passwords(QUICK) as opened:
        assert not await opened.matches(None, "guessed")


async def test_a_crowd_is_told_to_come_back() -> None:
    release = threading.Event()

    class Slow(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            release.wait()
            return "hash"

    async with open_passwords(Slow()) as opened:
        waiting = [asyncio.create_task(opened.hash("x")) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(SignInBusy):
            await opened.hash("one too many")
        release.set()
        assert await asyncio.gather(*waiting) == ["hash"] * MAX_WAITING
