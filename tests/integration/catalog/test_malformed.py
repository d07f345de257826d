"""What is no HTTP, no JSON, no multipart, or not whole gets a 4xx or a close: never a 5xx, never a hang."""

import asyncio
import gzip
import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest

from shared.web.receiving import ReceiveLimits
from tests.factories import offer
from tests.integration.catalog.conftest import Client, Gateway

HANGS_SECONDS = 30.0
JSON_HEAD = "Content-Type: application/json\r\n"
B = "boundary"
FORM_HEAD = f"Content-Type: multipart/form-data; boundary={B}\r\n"
PART = f'--{B}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'


@pytest.fixture
def receive_limits() -> ReceiveLimits:
    """Short ones: what comes too late comes so at once."""
    return ReceiveLimits(head_seconds=0.3, body_seconds=0.3, idle_seconds=5.0)


class Raw:
    """Speaks bytes to a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._port = urlsplit(gateway.url).port
        self.key = f"Authorization: Bearer {gateway.accounts.vendors[0].api_key}\r\n"

    async def say(self, data: bytes) -> list[int]:
        """Send, and read until the answer is whole or the connection closed: the statuses, none for a mere close."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        heard = bytearray()
        try:
            async with asyncio.timeout(HANGS_SECONDS):
                writer.write(data)
                while chunk := await reader.read(65536):
                    heard += chunk
                    if _is_whole(bytes(heard)):
                        break
        except ConnectionError:
            """Closed while we were still speaking."""
        finally:
            writer.transport.abort()
        return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", heard, re.MULTILINE)]

    def post(self, path: str, head: str, body: bytes, *, length: int | None = None) -> bytes:
        """A POST of a vendor."""
        size = len(body) if length is None else length
        return f"POST {path} HTTP/1.1\r\nHost: x\r\n{self.key}{head}Content-Length: {size}\r\n\r\n".encode() + body


def _is_whole(heard: bytes) -> bool:
    head, separator, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
    return bool(separator) and length is not None and len(body) >= int(length[1])


HEADS: Mapping[str, bytes] = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200 + b"\r\n\r\n",
    "no version": b"GET /api/products\r\n\r\n",
    "HTTP 0.9": b"GET /\r\n\r\n",
    "HTTP 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP 9.9": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "NUL in the method": b"GE\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the path": b"GET /api/\x00products HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL encoded in the path": b"GET /api/products/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL encoded in the query": b"GET /api/products?q=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "half an escape": b"GET /api/products/%e2%82 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an escape of nothing": b"GET /api/products?limit=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the path": b"GET /api/products/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a way up": b"GET /media/../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "an encoded way up": b"GET /media/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "a proxy's address": b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown method": b"FROB /api/products HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long path": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
    "ten thousand headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: value\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\x00c\r\n\r\n",
    "a bare CR in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n",
    "bytes in Authorization": b"GET /api/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    "bytes in a cookie": b"GET /api/me HTTP/1.1\r\nHost: x\r\nCookie: souk_session=\xff\xfe\r\n\r\n",
    "an unknown expectation": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nExpect: much\r\nContent-Length: 0\r\n\r\n",
    "an upgrade": b"GET /api/nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "length and chunks": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /api/admin/audit HTTP/1.1\r\nHost: x\r\n\r\n"
    ),
    "two lengths": (b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}"),
    "a list of lengths": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 40\r\n\r\n{}",
    "a signed length": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
    "a negative length": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}",
    "a length beyond all": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n{}",
    "an unknown coding": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: cow\r\n\r\n{}",
    "chunked, but not last": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "chunked twice": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "the same length twice": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "a length in hex": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}",
    "a length of no digits": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: \xd9\xa2\r\n\r\n{}",
    "an empty length": b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n{}",
    "chunks behind a control character": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "chunks behind a space": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\n{}\n"
    ),
    "chunks behind a tab, and a length": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\tchunked\r\nContent-Length: 3\r\n\r\n"
        b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "chunks in HTTP 1.0": (b"POST /api/auth/login HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "chunks by a like-named header": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer_Encoding: chunked\r\nContent-Length: 2\r\n"
        b"Content-Type: application/json\r\n\r\n{}"
    ),
    "no Host": b"GET /api/products HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /api/products HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "a Host of nonsense": b"GET /api/products HTTP/1.1\r\nHost: a b/@\r\n\r\n",
    "bytes as Host": b"GET /api/products HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    "a Host with half a bracket": b"GET /api/products HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "a Host with a path": b"GET / HTTP/1.1\r\nHost: example.com/login\r\nAccept: text/html\r\n\r\n",
    "a Host with a port of letters": b"GET /api/products HTTP/1.1\r\nHost: x:http\r\n\r\n",
    "an address with a port beyond all": b"GET http://x:99999999/api/products HTTP/1.1\r\nHost: x\r\n\r\n",
    "an authority": b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "OPTIONS of everything": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "two slashes": b"GET //x/api/products HTTP/1.1\r\nHost: x\r\n\r\n",
    "backslashes": b"GET \\api\\products HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": b"TRACE /api/products HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT to a path": b"CONNECT /api/products HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT to nonsense": b"CONNECT ::: HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get /api/products HTTP/1.1\r\nHost: x\r\n\r\n",
    "a version in small letters": b"GET /api/products http/1.1\r\nHost: x\r\n\r\n",
    "tabs in the first line": b"GET\t/api/products\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "lines without CR": b"GET /api/products HTTP/1.1\nHost: x\n\n",
    "empty lines without end": b"\r\n" * 50_000,
    "an overlong slash": b"GET /api/products/%c0%af..%c0%af HTTP/1.1\r\nHost: x\r\n\r\n",
    "a page's name that is NUL": b"GET /products/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an escape of another kind": b"GET /api/products/%u0041 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header within an escape": b"GET /vendor%0d%0aSet-Cookie:a HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n",
    "a cursor of bytes": b"GET /api/products?cursor=%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    "hundreds of parameters": (
        b"GET /api/products?" + b"&".join(b"a%d=1" % number for number in range(800)) + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    ),
    "thousands of cookies": b"GET /api/me HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 1500 + b"\r\n\r\n",
    "nonsense as a cookie": b'GET /api/me HTTP/1.1\r\nHost: x\r\nCookie: =;;;"\\;souk_session="\\377\r\n\r\n',
    "nonsense as range": b"GET /media/x HTTP/1.1\r\nHost: x\r\nRange: cows=1-2\r\n\r\n",
    "nonsense as a date": b"GET /media/x HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: \xff\r\n\r\n",
    "nonsense as addresses": b"GET /api/nothing HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: \xff,::::,\r\n\r\n",
    "an upgrade of a POST": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    ),
    "rubbish behind a request": b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n\x00\xff\xfe rubbish\r\n\r\n",
    "half a head": b"GET /api/products HTTP/1.1\r\nHo",
    "half a first line": b"GET /api/pro",
}
CHUNKED = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
CHUNKS: Mapping[str, bytes] = {
    "a size of letters": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size beyond all": b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "more than the size": b"2\r\n{}{}{}\r\n0\r\n\r\n",
    "an endless extension": b"2;" + b"a" * 50_000 + b"\r\n{}\r\n0\r\n\r\n",
    "no end": b"2\r\n{}\r\n",
    "a header behind it": b"2\r\n{}\r\n0\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
}
BODIES: Mapping[str, tuple[str, bytes]] = {
    "no JSON": (JSON_HEAD, b"{'sku': 1}"),
    "nothing": (JSON_HEAD, b""),
    "deep": (JSON_HEAD, b"[" * 100_000 + b"]" * 100_000),
    "deep objects": (JSON_HEAD, b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "a number of 5,000 digits": (JSON_HEAD, b'{"on_hand": ' + b"9" * 5_000 + b"}"),
    "a number beyond all": (JSON_HEAD, b'{"on_hand": 1e999999}'),
    "NaN": (JSON_HEAD, b'{"on_hand": NaN}'),
    "no UTF-8": (JSON_HEAD, b'{"title": "\xff\xfe"}'),
    "UTF-16": (JSON_HEAD, '{"title": "a"}'.encode("utf-16")),
    "half a surrogate pair": (JSON_HEAD, b'{"title": "\\ud800"}'),
    "NUL": (JSON_HEAD, b'{"title": "\\u0000"}'),
    "a bogus charset": ("Content-Type: application/json; charset=bogus\r\n", b"{}"),
    "a bogus type": ("Content-Type: \xe4\xf6\r\n", b"{}"),
    "broken gzip": (f"{JSON_HEAD}Content-Encoding: gzip\r\n", b"\x1f\x8b\x08broken"),
    "half of a gzip": (f"{JSON_HEAD}Content-Encoding: gzip\r\n", gzip.compress(b"{}" * 100)[:-10]),
    "a gzip bomb": (f"{JSON_HEAD}Content-Encoding: gzip\r\n", gzip.compress(b" " * 50_000_000)),
    "broken deflate": (f"{JSON_HEAD}Content-Encoding: deflate\r\n", b"\x00\x01\x02"),
    "an unknown encoding": (f"{JSON_HEAD}Content-Encoding: cow\r\n", b"{}"),
    "an empty idempotency key": (f"{JSON_HEAD}Idempotency-Key: \r\n", json.dumps(offer()).encode()),
    "bytes as idempotency key": (f"{JSON_HEAD}Idempotency-Key: \xff\r\n", json.dumps(offer()).encode()),
}
FORMS: Mapping[str, tuple[str, bytes]] = {
    "no boundary": ("Content-Type: multipart/form-data\r\n", b"--\r\n\r\n"),
    "a boundary of 100 letters": (f"Content-Type: multipart/form-data; boundary={'b' * 100}\r\n", b"--b\r\n"),
    "an empty boundary": ('Content-Type: multipart/form-data; boundary=""\r\n', b"--\r\n\r\n"),
    "no part": (FORM_HEAD, b""),
    "another boundary": (FORM_HEAD, b"--other\r\n\r\nx\r\n--other--\r\n"),
    "no end": (FORM_HEAD, f"{PART}\r\nhello".encode()),
    "no head's end": (FORM_HEAD, f"{PART}Content-Type: image/jpeg".encode()),
    "no name": (FORM_HEAD, f"--{B}\r\n\r\nhello\r\n--{B}--\r\n".encode()),
    "a disposition of nonsense": (FORM_HEAD, f"--{B}\r\nContent-Disposition: ;;;=\r\n\r\nx\r\n--{B}--\r\n".encode()),
    "a header of nonsense": (FORM_HEAD, f"--{B}\r\nnonsense\r\n\r\nx\r\n--{B}--\r\n".encode()),
    "a long header": (FORM_HEAD, f"--{B}\r\nX-A: {'b' * 50_000}\r\n\r\nx\r\n--{B}--\r\n".encode()),
    "an unknown transfer encoding": (
        FORM_HEAD,
        f"{PART}Content-Transfer-Encoding: cow\r\n\r\nx\r\n--{B}--\r\n".encode(),
    ),
    "broken base64": (FORM_HEAD, f"{PART}Content-Transfer-Encoding: base64\r\n\r\n%%%\r\n--{B}--\r\n".encode()),
    "an unknown encoding": (FORM_HEAD, f"{PART}Content-Encoding: cow\r\n\r\nx\r\n--{B}--\r\n".encode()),
    "a bad length": (FORM_HEAD, f"{PART}Content-Length: -5\r\n\r\nx\r\n--{B}--\r\n".encode()),
    "a form within": (
        FORM_HEAD,
        f'--{B}\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n'
        f"--in\r\n\r\nx\r\n--in--\r\n--{B}--\r\n".encode(),
    ),
    "bytes as alt": (
        FORM_HEAD,
        f'--{B}\r\nContent-Disposition: form-data; name="alt"\r\n\r\n'.encode() + b"\xff\r\n" + f"--{B}--\r\n".encode(),
    ),
}


@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")
async def test_nothing_malformed_is_a_5xx_or_a_hang(gateway: Gateway, vendor: Client) -> None:
    async with vendor.post("/api/vendor/products", json=offer()) as made:
        images = f"/api/vendor/products/{(await made.json())['id']}/images"
    raw = Raw(gateway)
    cases = {
        **{f"head: {name}": data for name, data in HEADS.items()},
        **{f"chunks: {name}": _chunked(raw, body) for name, body in CHUNKS.items()},
        **{f"body: {name}": raw.post("/api/vendor/products", *given) for name, given in BODIES.items()},
        **{f"half a body: {name}": raw.post("/api/vendor/products", *given, length=500_000) for name, given in [
            ("JSON", (JSON_HEAD, b'{"sku":')), ("none of it", (JSON_HEAD, b""))
        ]},
        **{f"form: {name}": raw.post(images, *given) for name, given in FORMS.items()},
        "half a form": raw.post(images, FORM_HEAD, f"{PART}\r\nhello".encode(), length=500_000),
        "half a body to nowhere": raw.post("/api/nowhere", JSON_HEAD, b"{", length=500_000),
    }  # fmt: skip
    said = dict(zip(cases, await asyncio.gather(*map(raw.say, cases.values())), strict=True))
    assert {name: statuses for name, statuses in said.items() if any(status >= 500 for status in statuses)} == {}
    assert {name: statuses for name, statuses in said.items() if any(status < 400 for status in statuses)} == {}
    async with vendor.get("/api/me") as answer:
        assert answer.status == 200, "and it still answers"


SENSIBLE: Mapping[str, tuple[bytes, list[int]]] = {
    "an absolute address": (b"GET http://x/api/products HTTP/1.1\r\nHost: x\r\n\r\n", [200]),
    "an offer to speak HTTP 2": (
        b"GET /api/products HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", [200]
    ),
    "an offer of a WebSocket": (
        b"GET /api/products HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n", [200]
    ),
    "an empty line before": (b"\r\n\r\nGET /api/products HTTP/1.1\r\nHost: x\r\n\r\n", [200]),
    "a Host with a port": (b"GET /api/products HTTP/1.1\r\nHost: shop.example.com:8080\r\n\r\n", [200]),
    "a Host by number": (b"GET /api/products HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", [200]),
    "no Host in HTTP 1.0": (b"GET /api/products HTTP/1.0\r\n\r\n", [200]),
    "a body that nobody reads": (b"GET /api/products HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", [200]),
    "nonsense that may be ignored": (
        b"GET /api/products HTTP/1.1\r\nHost: x\r\nIf-None-Match: \xff\r\nAccept-Encoding: gzip;q=\xff\r\n"
        b"Accept: ;;;q=1\r\ntraceparent: \xff-00\r\nX-Request-Id: \xff\r\n\r\n", [200]
    ),
    "a body that waits to be asked for": (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n", [100, 408]
    ),
}  # fmt: skip
"""Odd, and allowed: answered as if it were not there, or as the standard says."""


async def test_what_is_odd_but_allowed_is_answered(gateway: Gateway) -> None:
    raw = Raw(gateway)
    said = await asyncio.gather(*(raw.say(data) for data, _ in SENSIBLE.values()))
    assert dict(zip(SENSIBLE, said, strict=True)) == {name: statuses for name, (_, statuses) in SENSIBLE.items()}


def _chunked(raw: Raw, body: bytes) -> bytes:
    return f"POST /api/vendor/products HTTP/1.1\r\nHost: x\r\n{raw.key}{CHUNKED}\r\n".encode() + body
