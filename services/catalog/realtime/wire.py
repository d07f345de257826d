"""A feed's connection: frames go straight into the transport, shared by all clients, without a task or a queue each."""

import asyncio
from typing import Final

from aiohttp import HttpVersion11, web

from services.catalog.realtime.feeds import CUT_OFF

MAX_WAITING_BYTES: Final = 64 * 1024
"""What may wait for a slow client beyond what the kernel holds for it."""
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # proxies of the nginx kind pass each event on at once
}


class Wire:
    """A client as a `Sink`. A frame is a chunk of the answer's body (RFC 9112, section 7.1)."""

    __slots__ = ("_is_chunked", "_transport")

    def __init__(self, transport: asyncio.Transport, *, is_chunked: bool) -> None:
        self._transport = transport
        self._is_chunked = is_chunked

    def send(self, frame: bytes) -> bool:
        """As `Sink`. Who is over the limit is cut off, which drops what waits: it comes back for it."""
        transport = self._transport
        if transport.is_closing():
            return False
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            CUT_OFF.inc()
            transport.abort()
            return False
        transport.write(b"%x\r\n%s\r\n" % (len(frame), frame) if self._is_chunked else frame)
        return True


async def opened(request: web.Request, greeting: bytes) -> tuple[web.StreamResponse, Wire]:
    """Send the head and the first bytes of a feed. Raises `ConnectionResetError` for a client that is gone."""
    response = web.StreamResponse(headers=HEADERS)
    response.force_close()
    await response.prepare(request)
    await response.write(greeting)
    if request.transport is None:
        raise ConnectionResetError("the client is gone")
    return response, Wire(request.transport, is_chunked=request.version >= HttpVersion11)
