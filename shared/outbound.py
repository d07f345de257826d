"""The one way to addresses that strangers give us: remote pictures, stock sources, web push endpoints.

A vendor may name any URL, so every request could be aimed at our own network (server-side request forgery). The guard:

- only http and https, to ports 80, 443 and 1024 up, without credentials in the URL;
- every address a name resolves to must be public, and the connection goes to one of the addresses that were checked:
  the resolver refuses, and the socket is only made for an address that passes, so a literal, an odd spelling
  (`127.1`, full-width digits) or a name that changes its mind between check and use gets no further;
- each redirect is such a request again, at most three, and the caller's headers stay with the first origin;
- bytes and seconds are bounded while reading, and nothing is decompressed;
- `outbound_allow` opens exact `host:port` targets that are not public, for a demo, tests, or a partner's private line.

Checked addresses follow https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 sibling.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from shared.errors import InvalidInput, Unavailable

MAX_REDIRECTS: Final = 3
_MAX_URL_CHARS: Final = 2000
_CONNECT_SECONDS: Final = 10.0
_CHUNK_BYTES: Final = 64 * 1024
_MAX_RETRY_AFTER_SECONDS: Final = 86_400.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LATER: Final = frozenset({408, 425, 429})
"""Client errors that ask to come again."""

_NOT_PUBLIC: Final = tuple(
    ip_network(network)
    for network in (
        # What is_global of some Python versions lets through, and what only looks public.
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's metadata and DNS: a public address that only exists inside
        "2001::/23",  # protocol assignments, Teredo (which carries an IPv4 address) among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",
    )
)
_UNICAST_V6: Final = ip_network("2000::/3")
_NAT64: Final = ip_network("64:ff9b::/96")


class UrlRefused(InvalidInput):
    """The address is none we connect to: malformed, another scheme, credentials in it, or not public."""

    code = "url_refused"


class RemoteTooLarge(InvalidInput):
    """The answer has more bytes than the caller takes."""

    code = "remote_too_large"


class RemoteRejected(InvalidInput):
    """The other side answered, but not with what was asked for: 4xx, an endless redirect, a compressed body."""

    code = "remote_rejected"


class RemoteUnavailable(Unavailable):
    """No answer in time, none at all, or one that says to come later. Retryable."""

    code = "remote_unavailable"


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """What came back. `url` is the last one after redirects; header names are case-insensitive."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: str


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one that everybody on the internet means by it, looking through embedded IPv4 addresses."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST_V6 or address.scope_id is not None:
            return False
        if int(address) >> 32 & 0xFDFFFFFF == 0x5EFE:  # ISATAP: the last half is ::[200:]5efe:<IPv4 address>
            return False
    elif not address.is_global:
        return False
    return not any(address in network for network in _NOT_PUBLIC if network.version == address.version)


def parse_allow(entries: Iterable[str]) -> frozenset[tuple[str, int]]:
    """The targets of `outbound_allow`. Raises `ValueError` for anything but an exact `host:port`."""
    targets = set()
    for entry in entries:
        host, _, port = entry.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]").lower()
        if not host or not (port.isascii() and port.isdigit()) or any(char in "*/@?#\\ " for char in host):
            raise ValueError(f"outbound_allow takes exact host:port entries, not {entry!r}")
        targets.add((host, int(port)))
    return frozenset(targets)


class Outbound:
    """Guarded requests. Made by `guarded_session`; safe to share between tasks."""

    def __init__(
        self,
        guarded: aiohttp.ClientSession,
        unguarded: aiohttp.ClientSession,
        allow: frozenset[tuple[str, int]],
    ) -> None:
        self._guarded = guarded
        self._unguarded = unguarded
        self._allow = allow

    async def fetch(
        self,
        url: str,
        *,
        max_bytes: int,
        max_seconds: float,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
    ) -> RemoteAnswer:
        """GET `url`, following redirects, and read all of a 2xx or 304 answer.

        `accept` is only asked for: look at what came. `headers` go to the origin of `url` and no other.
        Not retryable: `UrlRefused`, `RemoteTooLarge`, `RemoteRejected`. Retryable: `RemoteUnavailable`.
        """
        target = self._checked(url)
        sent = {"Accept": accept, **(headers or {})}
        async with _time_limit(max_seconds):
            for _ in range(MAX_REDIRECTS + 1):
                answer = await self._once("GET", target, sent, None, max_bytes)
                if answer.status not in _REDIRECTS:
                    return _accepted(answer)
                following = self._checked(_location(answer, target))
                if following.origin() != target.origin():
                    sent = {"Accept": accept}
                target = following
        raise RemoteRejected(f"The address redirects more than {MAX_REDIRECTS} times.")

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], max_bytes: int = 64_000, max_seconds: float
    ) -> RemoteAnswer:
        """POST once, without following redirects, and give back whatever is answered, whichever status it has.

        Raises `UrlRefused`, `RemoteTooLarge`, `RemoteUnavailable`. After the last one the other side may have taken
        the request or not.
        """
        async with _time_limit(max_seconds):
            return await self._once("POST", self._checked(url), dict(headers), body, max_bytes)

    def _checked(self, url: str) -> URL:
        """The URL as it will be requested. yarl parses it once, for the check and for the request."""
        if len(url) > _MAX_URL_CHARS:
            raise UrlRefused(f"The address has more than {_MAX_URL_CHARS} characters.")
        if any(char <= " " or char in "\\\x7f" for char in url):
            raise UrlRefused("The address contains blanks, control characters or backslashes.")
        try:
            parsed = URL(url).with_fragment(None)
            host, port = parsed.host, parsed.port
        except ValueError as exc:
            raise UrlRefused("The address is no valid URL.") from exc
        if parsed.scheme not in ("http", "https"):
            raise UrlRefused("Only http and https addresses are taken.")
        if not host or port is None or "%" in host:
            raise UrlRefused("The address has no valid host.")
        if "@" in parsed.raw_authority:
            raise UrlRefused("The address must not contain a user name or password.")
        if not self._is_allowed(parsed) and port not in (80, 443) and port < 1024:
            raise UrlRefused(f"Port {port} is not one that web servers use.")
        return parsed

    def _is_allowed(self, url: URL) -> bool:
        return ((url.host or "").lower(), url.port) in self._allow

    async def _once(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, max_bytes: int
    ) -> RemoteAnswer:
        session = self._unguarded if self._is_allowed(url) else self._guarded
        sent = CIMultiDict(headers)
        sent["Accept-Encoding"] = "identity"
        try:
            async with session.request(method, url, headers=sent, data=body, allow_redirects=False) as response:
                received = b"" if response.status in _REDIRECTS else await _read(response, max_bytes)
                return RemoteAnswer(response.status, response.headers, received, str(url))
        except (aiohttp.InvalidURL, UnicodeError) as exc:
            raise UrlRefused("The address is no valid URL.") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise RemoteUnavailable(f"{url.host} did not answer ({type(exc).__name__}).") from exc


@asynccontextmanager
async def guarded_session(*, allow: Iterable[str] = ()) -> AsyncIterator[Outbound]:
    """Open the guard. `allow` lists exact `host:port` targets that need not be public; `*` is refused."""
    targets = parse_allow(allow)
    async with AsyncExitStack() as stack:

        async def session(**options: Any) -> aiohttp.ClientSession:
            return await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=100, limit_per_host=8, use_dns_cache=False, **options),
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    headers={"User-Agent": "Souk"},
                )
            )

        guarded = await session(resolver=_PublicOnly(), socket_factory=_public_socket)
        yield Outbound(guarded, await session(), targets)


class _PublicOnly(AbstractResolver):
    """Resolves like the system, and refuses a name as soon as one of its addresses is not public."""

    def __init__(self) -> None:
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        answers = await self._system.resolve(host, port, family)
        for answer in answers:
            _check_address(answer["host"])
        return answers

    async def close(self) -> None:
        await self._system.close()


def _public_socket(target: tuple[Any, ...]) -> socket.socket:
    """A socket for one resolved address. The last gate: literals reach it without the resolver."""
    family, kind, protocol, _, address = target
    _check_address(address[0])
    return socket.socket(family, kind, protocol)


def _check_address(text: str) -> None:
    try:
        address = ip_address(text)
    except ValueError as exc:
        raise UrlRefused("The address resolves to nothing we know.") from exc
    if not is_public(address):
        raise UrlRefused("The address is not a public one.")


@asynccontextmanager
async def _time_limit(seconds: float) -> AsyncIterator[None]:
    """All of a request, name resolution and redirects included, takes at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as exc:
        raise RemoteUnavailable(f"No complete answer within {seconds:g} s.") from exc


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise RemoteRejected("The answer is compressed although that was not asked for.")
    if (response.content_length or 0) > max_bytes:
        raise RemoteTooLarge(f"The answer has {response.content_length:,} bytes; at most {max_bytes:,} are taken.")
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise RemoteTooLarge(f"The answer has more than {max_bytes:,} bytes.")
    return bytes(body)


def _accepted(answer: RemoteAnswer) -> RemoteAnswer:
    if 200 <= answer.status < 300 or answer.status == 304:
        return answer
    if answer.status in _LATER or answer.status >= 500:
        raise RemoteUnavailable(f"The other side answered {answer.status}.", _retry_after(answer))
    raise RemoteRejected(f"The other side answered {answer.status}.")


def _location(answer: RemoteAnswer, current: URL) -> str:
    try:
        return str(current.join(URL(answer.headers["Location"])))
    except KeyError as exc:
        raise RemoteRejected(f"The other side answered {answer.status} without a Location.") from exc
    except ValueError as exc:
        raise UrlRefused("The address redirects to something that is no valid URL.") from exc


def _retry_after(answer: RemoteAnswer) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return min(float(value), _MAX_RETRY_AFTER_SECONDS) if value.isascii() and value.isdigit() else None
