"""Waiting for something that another process or task brings about."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, overload

T = TypeVar("T")


@overload
async def eventually(probe: Callable[[], Awaitable[T]], timeout: float = ..., *, every: float = ...) -> T: ...
@overload
async def eventually(probe: Callable[[], T], timeout: float = ..., *, every: float = ...) -> T: ...
async def eventually(probe: Callable[[], T | Awaitable[T]], timeout: float = 10.0, *, every: float = 0.02) -> T:
    """Call `probe` until it answers something truthy, and return that.

    A probe may also raise `AssertionError`, `OSError` or `LookupError` for "not yet". After `timeout`
    seconds it is an AssertionError that tells what the probe said last.
    """
    last: object = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    outcome = probe()
                    answer = await outcome if inspect.isawaitable(outcome) else outcome
                    if answer:
                        return cast(T, answer)
                    last = answer
                except (AssertionError, OSError, LookupError) as not_yet:
                    last = not_yet
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"not within {timeout} s; the last answer was {last!r}") from None
