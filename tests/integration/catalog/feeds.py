"""A client of live feeds, as a browser's EventSource is one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientResponse, ClientSession


class Heard:
    """A feed that is open: its events one by one."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def next(self) -> tuple[str, Any]:
        """Name and data of the next event; comments and the like pass."""
        name, data = "", b""
        async for line in self.response.content:
            field, _, value = line.rstrip(b"\n").partition(b": ")
            match field:
                case b"id":
                    self.last_id = value.decode()
                case b"event":
                    name = value.decode()
                case b"data":
                    data = value
                case b"" if data:
                    return name, orjson.loads(data)
        raise EOFError("the feed is over")

    async def until(self, name: str) -> Any:
        """The data of the next event of this name."""
        while True:
            found, data = await self.next()
            if found == name:
                return data


@asynccontextmanager
async def following(client: ClientSession, address: str, *, last_id: str = "") -> AsyncIterator[Heard]:
    """Open a feed, perhaps behind the last event of another one."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with client.get(address, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Heard(response)
