"""A load balancer as a client has it: requests go to the replicas in turn, and on when one does not answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

PASSED_ON: Final = frozenset({502, 503, 504})
"""Answers that say "not I, not now"."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, and the body when that is a JSON object."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        """The last word of a problem's type."""
        return str(self.body.get("type", "")).rpartition(":")[2]


class Balancer:
    """Each request may take `within_seconds`, of which every replica that is tried has an equal part.

    A replica is tried once for a request: with one replica nothing is sent again. What is sent on has the same
    `Idempotency-Key`, so it happens once even where the first replica died after its commit.
    """

    def __init__(self, http: aiohttp.ClientSession, replicas: Sequence[str], *, within_seconds: float) -> None:
        self._http = http
        self._replicas = tuple(replicas)
        self._timeout = aiohttp.ClientTimeout(total=within_seconds / len(self._replicas))
        self._next = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        json: object = None,
        form: Callable[[], aiohttp.FormData] | None = None,
    ) -> Reply:
        """The first good answer, else the last one. Raises aiohttp.ClientError, TimeoutError, ValueError (no JSON)."""
        *others, last = self._in_turn()
        for replica in others:
            try:
                reply = await self._ask(f"{replica}{path}", method, headers, json, form)
            except (aiohttp.ClientError, TimeoutError, ValueError):
                continue
            if reply.status not in PASSED_ON:
                return reply
        return await self._ask(f"{last}{path}", method, headers, json, form)

    def _in_turn(self) -> tuple[str, ...]:
        first = self._next
        self._next = (first + 1) % len(self._replicas)
        return self._replicas[first:] + self._replicas[:first]

    async def _ask(
        self,
        url: str,
        method: str,
        headers: Mapping[str, str],
        json: object,
        form: Callable[[], aiohttp.FormData] | None,
    ) -> Reply:
        data = None if form is None else form()
        async with self._http.request(
            method, url, headers=headers, json=json, data=data, timeout=self._timeout
        ) as answer:
            body = await answer.json(content_type=None)
            return Reply(answer.status, body if isinstance(body, dict) else {})
