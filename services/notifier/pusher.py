"""Web push: one message to one browser, by the push service that the browser chose.

The message is encrypted for the browser (RFC 8291), so its push service reads nothing but how long to keep it, what it
replaces and how urgent it is (RFC 8030). We prove who we are with a key pair of our own (VAPID, RFC 8292). Addresses
come from strangers: every request goes through the guard of `shared.outbound`.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02  # type: ignore[import-untyped]
from pywebpush import WebPusher  # type: ignore[import-untyped]
from yarl import URL

from services.notifier.errors import PushPutOff
from services.notifier.models import PushOutcome, Subscription
from shared.clock import Clock
from shared.errors import InvalidInput
from shared.outbound import Outbound, RemoteAnswer, RemoteTooLarge

ANSWER_SECONDS: Final = 4.0
SIGNED_FOR_SECONDS: Final = 12 * 3600
"""A signature may hold for a day at most; push services refuse longer ones."""
KEY_BYTES: Final = 32
POINT_BYTES: Final = 65
AUTH_BYTES: Final = 16
_TAKEN: Final = frozenset({200, 201, 202, 204})
_GONE: Final = frozenset({404, 410})
_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class VapidKey:
    """Our key pair. `public` is what browsers subscribe with; with another one all subscriptions are worth nothing."""

    private: str = field(repr=False)
    public: str

    @classmethod
    def of(cls, private: str) -> "VapidKey":
        """The pair of a private key, 32 bytes in base64url. Raises `ValueError`."""
        raw = unpadded(private, KEY_BYTES)
        point = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1()).public_key()
        return cls(private, padless(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)))


@dataclass(frozen=True, slots=True)
class Push:
    """A message on its way: encrypted for one browser only when it is sent."""

    content: bytes
    topic: str
    ttl_seconds: int
    is_urgent: bool

    @property
    def headers(self) -> dict[str, str]:
        """What its push service is told. Waiting messages of one topic are replaced by the newest."""
        return {
            "TTL": str(self.ttl_seconds),
            "Topic": topic_of(self.topic),
            "Urgency": "high" if self.is_urgent else "normal",
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pusher:
    """Sends. `contact` is whom a push service writes to about us: `mailto:…`."""

    outbound: Outbound
    key: VapidKey
    contact: str
    clock: Clock

    async def send(self, subscription: Subscription, push: Push) -> PushOutcome:
        """Hand one message over: what its push service made of it.

        Raises `PushPutOff` where it did not answer, or asked to come later. After silence it may have taken it all the
        same; the next copy has the same topic and the same tag, so that the browser shows one.
        """
        headers = {**push.headers, **self._signed(subscription.endpoint)}
        try:
            body = encrypted(subscription, push.content)
            answer = await self.outbound.post(subscription.endpoint, body, headers=headers, max_seconds=ANSWER_SECONDS)
        except RemoteTooLarge:  # it answered, at length
            return PushOutcome.REFUSED
        except InvalidInput:  # no address that we connect to
            return PushOutcome.REFUSED
        return _outcome(answer)

    def _signed(self, endpoint: str) -> dict[str, str]:
        claims = {
            "aud": str(URL(endpoint).origin()),
            "exp": int(self.clock().timestamp()) + SIGNED_FOR_SECONDS,
            "sub": self.contact,
        }
        signed: dict[str, str] = Vapid02.from_raw(self.key.private.encode()).sign(claims)
        return signed


def encrypted(subscription: Subscription, content: bytes) -> bytes:
    """The content so that one browser alone can read it."""
    pusher = WebPusher(
        {"endpoint": subscription.endpoint, "keys": {"p256dh": subscription.p256dh, "auth": subscription.auth}}
    )
    encoded: dict[str, Any] = pusher.encode(content, content_encoding="aes128gcm")
    body: bytes = encoded["body"]
    return body


def checked_keys(p256dh: str, auth: str) -> list[str]:
    """Which of a browser's keys are none: `p256dh` is a point of P-256, `auth` 16 bytes."""
    wrong = []
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unpadded(p256dh, POINT_BYTES))
    except (ValueError, InvalidKey):
        wrong.append("p256dh")
    try:
        unpadded(auth, AUTH_BYTES)
    except ValueError:
        wrong.append("auth")
    return wrong


def topic_of(text: str) -> str:
    """A topic as push services take it: up to 32 letters of base64url."""
    return padless(hashlib.sha256(text.encode()).digest())[:32]


def padless(raw: bytes) -> str:
    """Base64url without padding, as all of web push writes it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpadded(text: str, length: int) -> bytes:
    """So many bytes of base64url without padding. Raises `ValueError`."""
    if not text.isascii() or not all(char.isalnum() or char in "-_" for char in text):
        raise ValueError("this is no base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != length:
        raise ValueError(f"{length} bytes are needed, in base64url")
    return raw


def _outcome(answer: RemoteAnswer) -> PushOutcome:
    if answer.status in _TAKEN:
        return PushOutcome.SENT
    if answer.status in _GONE:
        return PushOutcome.GONE
    if answer.status in _LATER or answer.status >= 500:
        said = answer.headers.get("Retry-After", "")
        later = min(float(said), 3600.0) if said.isascii() and said.isdigit() else None
        raise PushPutOff(f"A push service answered {answer.status}.", later)
    return PushOutcome.REFUSED
