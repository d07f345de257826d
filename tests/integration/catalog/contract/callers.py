"""The document's operations, and who may call them."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import ClientResponse, ClientSession, ClientTimeout

from deploy.docs import DOCS, OPENAPI
from shared.web.identity import Role
from tests.integration.catalog.accounts.browser import browser
from tests.integration.catalog.conftest import Gateway

JSON = {"Content-Type": "application/json"}
STREAM = "text/event-stream"


@dataclass(frozen=True)
class Op:
    """One operation as the document tells of it."""

    method: str
    path: str
    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its stable id."""
        return str(self.told["operationId"])

    @property
    def role(self) -> str:
        """Somebody who may call it."""
        return str(self.told["x-roles"][0])

    @property
    def parameters(self) -> set[str]:
        """What its parameters are called."""
        return {of.get("name", of.get("$ref", "").rpartition("/")[2]) for of in self.told.get("parameters", ())}

    @property
    def example(self) -> Any:
        """A body that fits; None where there is none."""
        return self.told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")

    @property
    def is_feed(self) -> bool:
        """Whether its answer never ends."""
        return STREAM in self.told["responses"].get("200", {}).get("content", {})

    def at(self, ids: Mapping[str, str]) -> str:
        """Its address: with the id that is given for the start of its path, else with one that nobody has."""
        path = self.path
        for start in sorted(ids, key=len, reverse=True):
            if path.startswith(f"{start}/{{"):
                path = start + re.sub(r"^/\{\w+\}", f"/{quote(ids[start])}", path.removeprefix(start))
                break
        return re.sub(r"\{\w+\}", "019c1d3a-7f00-7000-8000-0000000000ff", path)


def document() -> dict[str, Any]:
    """As it is committed."""
    found: dict[str, Any] = json.loads((DOCS / OPENAPI).read_bytes())
    return found


def operations() -> Iterator[Op]:
    """All there are."""
    for path, methods in document()["paths"].items():
        for method, told in methods.items():
            yield Op(method.upper(), path, told)


class Callers:
    """Somebody of each role."""

    def __init__(self, clients: Mapping[str, ClientSession]) -> None:
        self._clients = clients

    @asynccontextmanager
    async def call(self, op: Op, at: str, *, method: str = "", **sent: Any) -> AsyncIterator[ClientResponse]:
        """Send a request as somebody who may; `If-Match` is there where it must be."""
        headers = {**({"If-Match": '"1"'} if "If-Match" in op.parameters else {}), **sent.pop("headers", {})}
        async with self._clients[op.role].request(
            method or op.method, at, headers=headers, timeout=ClientTimeout(total=30), **sent
        ) as answer:
            yield answer


@asynccontextmanager
async def calling(gateway: Gateway) -> AsyncIterator[Callers]:
    """While the block runs."""
    keys = {
        Role.ADMIN: gateway.accounts.admin.api_key,
        Role.OPS: gateway.accounts.ops.api_key,
        Role.CHANNEL: gateway.accounts.channel_api_key,
        Role.VENDOR: gateway.accounts.vendors[0].api_key,
    }
    async with AsyncExitStack() as stack:
        clients: dict[str, ClientSession] = {"public": await stack.enter_async_context(browser(gateway.url))}
        for role, key in keys.items():
            clients[role] = await stack.enter_async_context(browser(gateway.url, Authorization=f"Bearer {key}"))
        yield Callers(clients)
