"""Where a request comes from, and who may say so."""

from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from services.catalog.clients import Clients

PROXY = "10.0.0.1"
CASES = [
    # trusted, other end, headers, address
    ((), "192.0.2.1", [], "192.0.2.1"),
    ((), "192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
    (("10.0.0.0/8",), "192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
    (("10.0.0.0/8",), PROXY, ["198.51.100.7"], "198.51.100.7"),
    (("10.0.0.0/8",), PROXY, ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
    (("10.0.0.0/8",), PROXY, ["1.1.1.1", "198.51.100.7, 10.2.3.4"], "198.51.100.7"),
    (("10.0.0.0/8",), PROXY, ["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
    (("10.0.0.0/8",), PROXY, ["198.51.100.7, junk"], PROXY),
    (("10.0.0.0/8",), PROXY, [], PROXY),
    ((), "2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
    ((), "::ffff:192.0.2.1", [], "192.0.2.1"),
    (("10.0.0.0/8",), "::ffff:10.0.0.1", ["2001:db8::5"], "2001:db8::/64"),
    ((), None, [], "unknown"),
]


@pytest.mark.parametrize(("trusted", "peer", "headers", "address"), CASES)
def test_only_a_trusted_proxy_is_believed(
    trusted: tuple[str, ...], peer: str | None, headers: list[str], address: str
) -> None:
    transport = Mock(get_extra_info=lambda name: (peer, 4711) if name == "peername" and peer else None)
    told = CIMultiDict([("X-Forwarded-For", header) for header in headers])
    request = make_mocked_request("GET", "/", headers=told, transport=transport)
    assert Clients(trusted).address_of(request) == address
