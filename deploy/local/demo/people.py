"""The people of the demo: each speaks HTTP with its own key, and every request is shown."""

import time
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp

from deploy.local.demo.timeline import Timeline


class DemoFailed(Exception):
    """A step of the story does not hold; the message says which and what was seen instead."""


class Person:
    """Somebody who calls the gateway. Each call raises DemoFailed for an answer that was not expected."""

    def __init__(
        self, who: str, http: aiohttp.ClientSession, gateway: str, timeline: Timeline, *, key: str = "", email: str = ""
    ) -> None:
        self.who = who
        self.email = email
        self._http = http
        self._gateway = gateway
        self._timeline = timeline
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def get(self, path: str, *, expect: int = 200, quiet: bool = False) -> Any:
        """GET; the JSON body. `quiet` requests are polls and are not shown."""
        return await self._call("GET", path, expect=expect, quiet=quiet)

    async def post(
        self,
        path: str,
        json: Mapping[str, Any] | None = None,
        *,
        form: aiohttp.FormData | None = None,
        expect: int | Collection[int] = 200,
        quiet: bool = False,
    ) -> Any:
        """POST JSON or a form; the JSON body of the answer."""
        return await self._call("POST", path, json=json, data=form, expect=expect, quiet=quiet)

    async def put(self, path: str, json: Mapping[str, Any], *, expect: int = 200) -> Any:
        """PUT JSON; the JSON body of the answer."""
        return await self._call("PUT", path, json=json, expect=expect)

    async def patch(self, path: str, json: Mapping[str, Any], *, version: int, expect: int = 200) -> Any:
        """PATCH what was read at `version`; the JSON body of the answer."""
        return await self._call("PATCH", path, json=json, expect=expect, headers={"If-Match": f'"{version}"'})

    async def delete(self, path: str, *, expect: int = 204) -> None:
        """DELETE; there is nothing to be read in the answer. Not shown."""
        async with self._http.delete(f"{self._gateway}{path}", headers=self._headers) as response:
            if response.status != expect:
                raise DemoFailed(f"DELETE {path} answered {response.status} instead of {expect}")

    async def fetch(self, path: str) -> tuple[str, int]:
        """GET a file; its content type and size in bytes."""
        started = time.perf_counter()
        async with self._http.get(f"{self._gateway}{path}") as response:
            content = await response.read()
        self._timeline.request(self.who, "GET", _shortened(path), response.status, _ms(started))
        if response.status != 200:
            raise DemoFailed(f"GET {path} answered {response.status}")
        return response.content_type, len(content)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        expect: int | Collection[int],
        quiet: bool = False,
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> Any:
        started = time.perf_counter()
        url = f"{self._gateway}{path}"
        signed = {**self._headers, **(headers or {})}
        async with self._http.request(method, url, headers=signed, **content) as response:
            body = await response.json(content_type=None)
        if not quiet:
            problem = problem_of(body) if response.status >= 400 else ""
            self._timeline.request(self.who, method, _shortened(path), response.status, _ms(started), problem)
        if response.status not in ({expect} if isinstance(expect, int) else expect):
            raise DemoFailed(f"{method} {path} answered {response.status} instead of {expect}: {body}")
        return body


def problem_of(body: Mapping[str, Any]) -> str:
    """A problem document in few words: its code, and the first thing it points at."""
    code = str(body["type"]).rpartition(":")[2]
    pointers = [error["pointer"] for error in body.get("errors", ()) if error["pointer"]]
    return f"{code} {pointers[0]}" if pointers else code


def _ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def _shortened(path: str) -> str:
    """Ids in full make lines that nobody reads."""
    parts = [f"{part[:8]}…" if len(part) > 35 and "?" not in part else part for part in path.split("/")]
    return "/".join(parts)
