"""Where a request comes from: the other end of its connection, or what a proxy that is trusted says of it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from aiohttp import web

FORWARDED_FOR: Final = "X-Forwarded-For"
NOWHERE: Final = "unknown"


class Clients:
    """Tells callers' addresses. `trusted` are the networks of our own proxies; of others the header says nothing."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = tuple(ip_network(network) for network in trusted)

    def address_of(self, request: web.BaseRequest) -> str:
        """The caller's address as text; of IPv6 its network of 64 bits, which one customer has as a whole."""
        peer = request.remote or NOWHERE
        if self._trusted:
            peer = self._behind(peer, request.headers.getall(FORWARDED_FOR, ()))
        return _grouped(peer)

    def _behind(self, peer: str, headers: Sequence[str]) -> str:
        """From the nearest on, the first that is no proxy of ours: what stands before it anybody may have written."""
        told = [address.strip() for header in headers for address in header.split(",")]
        nearest = peer
        while told and self._is_trusted(nearest) and (_parsed(told[-1]) is not None):
            nearest = told.pop()
        return nearest

    def _is_trusted(self, text: str) -> bool:
        address = _parsed(text)
        return address is not None and any(address in network for network in self._trusted)


CLIENTS: Final = web.AppKey("clients", Clients)


@lru_cache(maxsize=4096)
def _grouped(text: str) -> str:
    address = _parsed(text)
    if address is None:
        return NOWHERE
    return str(address) if isinstance(address, IPv4Address) else str(ip_network((address, 64), strict=False))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
