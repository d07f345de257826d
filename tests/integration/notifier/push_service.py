"""A browser and its push service: takes what is pushed, checks who signed it, and decrypts with the browser's keys."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import http_ece  # type: ignore[import-untyped]
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02  # type: ignore[import-untyped]

from services.notifier.pusher import VapidKey, padless
from shared.web.server import serving

VAPID = VapidKey.of(padless(b"\x07" * 32))


@dataclass
class Browser:
    """One browser's subscription."""

    endpoint: str
    _private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _auth: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def keys(self) -> dict[str, str]:
        """As `PushSubscription.toJSON()` has them."""
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": padless(point), "auth": padless(self._auth)}

    def opened(self, body: bytes) -> dict[str, Any]:
        """What was pushed, in clear."""
        clear = http_ece.decrypt(body, private_key=self._private, auth_secret=self._auth, version="aes128gcm")
        content: dict[str, Any] = json.loads(clear)
        return content


@dataclass(frozen=True)
class Pushed:
    """A message that came in: at which address, with which headers, and what it says."""

    at: str
    headers: dict[str, str]
    content: dict[str, Any]


@dataclass
class PushService:
    """Answers 201, or what a test puts into `statuses` by the name of a browser."""

    host: str = ""
    browsers: dict[str, Browser] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    taken: list[Pushed] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    """For these nothing is answered until `over`."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def browser(self, name: str) -> Browser:
        """A browser of this push service."""
        return self.browsers.setdefault(name, Browser(f"http://{self.host}/send/{name}"))

    async def send(self, request: web.Request) -> web.Response:
        """`POST /send/{name}`, as RFC 8030 has it."""
        name = request.match_info["name"]
        self.asked.append(name)
        assert Vapid02.verify(request.headers["Authorization"]), "the signature is of the key it names"
        if name in self.silent:
            await self.over.wait()
        status = self.statuses.get(name, 201)
        if status < 300:
            content = self.browsers[name].opened(await request.read())
            self.taken.append(Pushed(name, dict(request.headers), content))
        return web.Response(status=status, headers={"Retry-After": "7"} if status >= 500 else {})

    def told(self) -> list[str]:
        """Which browsers took a message, in order."""
        return [each.at for each in self.taken]


@asynccontextmanager
async def running() -> AsyncIterator[PushService]:
    """A push service on a port of this machine."""
    service = PushService()
    app = web.Application()
    app.router.add_post("/send/{name}", service.send)
    async with serving(app, host="127.0.0.1", port=0, grace_seconds=0.5) as port:
        service.host = f"127.0.0.1:{port}"
        try:
            yield service
        finally:
            service.over.set()
