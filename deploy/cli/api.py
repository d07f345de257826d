"""The gateway's HTTP API as the commands ask it: one address, one key, errors as sentences."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import typer

from deploy.cli.settings import CommandSettings
from deploy.cli.shown import ExitCode, complain
from deploy.local.home import Home
from deploy.local.run_file import RunFile

Json = dict[str, Any]
T = TypeVar("T")

ANSWER_SECONDS: Final = 20.0
PAGE: Final = 100
WHERE_ELSE: Final = "start one with `souk up`, or say where with --gateway or SOUK_GATEWAY_URL."


class Refused(Exception):
    """The gateway answered, and it was no; the text says why and what to do."""

    def __init__(self, sentence: str, *, status: int, problem: Json | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.problem = problem or None

    @property
    def code(self) -> ExitCode:
        """What the shell is told of it."""
        if self.status in (400, 413, 415, 422):
            return ExitCode.USAGE
        return ExitCode.AWAY if self.status >= 500 or self.status == 429 else ExitCode.FAILED


class Away(Exception):
    """Nothing answers, or not in time."""

    code = ExitCode.AWAY


@dataclass(frozen=True, slots=True)
class Place:
    """Which installation is meant."""

    gateway: str
    key: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line itself says of it."""

    gateway: str | None = None
    key_file: str | None = None


def command_settings() -> CommandSettings:
    """The settings of this command; says what is wrong with them and leaves."""
    try:
        return CommandSettings.read()
    except SystemExit as refused:
        complain(str(refused), ExitCode.USAGE)


def place_of(asked: Asked, settings: CommandSettings) -> Place | None:
    """Options, then variables, then the running stack of this clone; None when there is nothing.

    The stack's key goes to the stack's own gateway only, never to another address.
    """
    run = RunFile.read(Home(settings.home).run_file)
    gateway = asked.gateway or settings.gateway_url or (run.gateway if run else None)
    if gateway is None:
        return None
    if not gateway.startswith(("http://", "https://")):
        complain(f"--gateway {gateway}: an address begins with http:// or https://.", ExitCode.USAGE)
    key = _key_in(asked.key_file) if asked.key_file else None
    if key is None and settings.api_key is not None:
        key = settings.api_key.get_secret_value()
    if key is None and run is not None and gateway.rstrip("/") == run.gateway:
        key = run.accounts.admin.api_key
    return Place(gateway.rstrip("/"), key)


def ask(ctx: typer.Context, work: "Callable[[Api], Awaitable[T]]") -> T:
    """Do something with the gateway. Whatever goes wrong is said in a sentence, with its exit code."""
    asked = ctx.find_root().obj or Asked()
    place = place_of(asked, command_settings())
    if place is None:
        complain(f"No Souk runs in this clone: {WHERE_ELSE}", ExitCode.AWAY)
    try:
        return asyncio.run(_with_api(place, work))
    except Refused as refused:
        complain(str(refused), refused.code, problem=refused.problem)
    except Away as away:
        complain(str(away), away.code)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def read(ctx: typer.Context, path: str, **query: object) -> Json:
    """One GET."""
    return ask(ctx, lambda api: api.get(path, **query))


def send(ctx: typer.Context, path: str, body: Json | None = None) -> Json:
    """One POST."""
    return ask(ctx, lambda api: api.post(path, body))


class Api:
    """Made by `ask`. Raises `Refused` and `Away`."""

    def __init__(self, place: Place, http: aiohttp.ClientSession) -> None:
        self.place = place
        self._http = http

    async def get(self, path: str, **query: object) -> Json:
        """An answer's JSON; parameters that are None are left out."""
        return await self._call("GET", path, query=_given(query))

    async def post(self, path: str, body: Json | None = None) -> Json:
        """The same with a body, if there is one."""
        return await self._call("POST", path, body=body)

    async def delete(self, path: str) -> None:
        """One DELETE."""
        await self._call("DELETE", path)

    async def items(self, path: str, *, limit: int | None, **query: object) -> AsyncIterator[Json]:
        """A list page by page, at most `limit` items of it."""
        left, cursor = limit, None
        while left is None or left > 0:
            page = await self.get(path, limit=min(PAGE, left or PAGE), cursor=cursor, **query)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            left = None if left is None else left - len(page["items"])
            if cursor is None:
                return

    async def listed(self, path: str, *, limit: int | None = None, **query: object) -> list[Json]:
        """All of them at once."""
        return [item async for item in self.items(path, limit=limit, **query)]

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Json:
        headers = {} if self.place.key is None else {"Authorization": f"Bearer {self.place.key}"}
        url = f"{self.place.gateway}{path}"
        try:
            async with self._http.request(
                method, url, params=query, json=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status >= 300:
                    problem = await _problem(response)
                    raise Refused(_sentence(problem, response.status), status=response.status, problem=problem)
                answer: Json = await response.json() if response.status != 204 else {}
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            raise Away(f"{self.place.gateway} does not answer ({_reason(exc)}): {WHERE_ELSE}") from exc


async def _with_api(place: Place, work: Callable[[Api], Awaitable[T]]) -> T:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as http:
        return await work(Api(place, http))


def _given(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


async def _problem(response: aiohttp.ClientResponse) -> Json:
    try:
        problem = await response.json(content_type=None)
    except (ValueError, aiohttp.ClientError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _sentence(problem: Json, status: int) -> str:
    """What a problem says, and what to do about it."""
    if status == 401:
        return "The gateway does not know this API key: give one with --key-file, SOUK_API_KEY or SOUK_API_KEY_FILE."
    if not problem:
        return f"The gateway answered {status} without saying why: is this address Souk's?"
    told = [str(problem.get("detail") or problem.get("title") or status)]
    told += [f"  {error.get('pointer') or '/'}: {error.get('detail')}" for error in problem.get("errors", ())]
    if status == 403:
        told.append("Ask with the key of an account that may: an administrator's may do all of it.")
    if status >= 500:
        told.append(f"`souk status` shows what is away; the log has more under request {problem.get('request_id')}.")
    return "\n".join(told)


def _reason(exc: Exception) -> str:
    if isinstance(exc, TimeoutError):
        return f"no answer within {ANSWER_SECONDS:.0f} s"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return "nothing listens there" if isinstance(exc.os_error, ConnectionRefusedError) else str(exc.os_error)
    return type(exc).__name__


def _key_in(path: str) -> str:
    try:
        key = (sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")).strip()
    except (OSError, ValueError) as exc:
        complain(f"--key-file {path}: {exc}", ExitCode.USAGE)
    if not key:
        complain(f"--key-file {path}: there is no key in it.", ExitCode.USAGE)
    return key
