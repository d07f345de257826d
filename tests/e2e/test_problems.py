"""Whatever goes wrong at the gateway is told as problem+json, over sockets as strangers use them."""

import asyncio
import json
import uuid
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.marketplace import Shop

OFFER = "/api/vendor/products"


class Answer:
    """An HTTP answer taken apart by hand, so that nothing mends it on the way."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.is_last = False
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document; each has these members, and names no software."""
        assert self.headers["content-type"].split(";")[0] == "application/problem+json", self.headers
        assert self.headers["server"] == "souk"
        document: dict[str, Any] = json.loads(self.body)
        assert {"type", "title", "status", "detail", "instance", "request_id"} <= document.keys()
        assert document["status"] == self.status
        assert "aiohttp" not in json.dumps(document).lower()
        assert "python" not in json.dumps(document).lower()
        return document


async def raw(shop: Shop, request: bytes) -> Answer:
    """Send bytes, read until the server closes or the announced body is whole."""
    place = urlsplit(shop.gateway)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(15):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(Answer(head).headers.get("content-length", "0"))
            answer = Answer(head + await reader.readexactly(length))
        try:
            async with asyncio.timeout(0.2):
                answer.is_last = not await reader.read(1)
        except TimeoutError:
            pass  # kept alive
        return answer
    finally:
        writer.close()


def request(
    method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"", length: int | None = None
) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: souk"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def check_named(answer: Answer) -> None:
    """A request that was read has an id, in the document and in the header."""
    assert uuid.UUID(answer.problem["request_id"]).version == 7
    assert answer.headers["x-request-id"] == answer.problem["request_id"]


async def test_an_unknown_address_is_404(shop: Shop) -> None:
    answer = await raw(shop, request("GET", "/no/such/thing"))
    assert (answer.status, answer.problem["instance"]) == (404, "/no/such/thing")
    check_named(answer)


async def test_a_wrong_method_is_405_and_tells_the_right_ones(shop: Shop) -> None:
    answer = await raw(shop, request("DELETE", OFFER, headers=shop.as_("vendor")))
    assert answer.status == 405
    assert {"GET", "POST"} <= set(answer.headers["allow"].replace(" ", "").split(","))
    check_named(answer)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS to a plain port
        b"GET / HTTP/9.9\r\nHost: souk\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost souk\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: souk\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: souk\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: souk\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: souk\r\n\r\n",
    ],
    ids=["words", "tls", "version", "no-colon", "length", "smuggling", "large-header", "large-line"],
)
async def test_what_is_not_http_is_400_and_no_stack_trace(shop: Shop, garbage: bytes) -> None:
    answer = await raw(shop, garbage)
    assert answer.status in (400, 414, 431, 505)
    assert answer.problem["request_id"] is None  # there was no request
    assert b"Traceback" not in answer.body
    assert answer.is_last, "the server goes on after what it could not read"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{not json", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"sku": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"sku": "a\\u0000"}', "application/json", 422),
        (b'{"price": {"amount_minor": NaN, "currency": "EUR"}}', "application/json", 422),
        (b"sku=1", "application/x-www-form-urlencoded", 415),
        (b"<sku/>", "text/xml", 415),
        (b"{}", "application/json; charset=latin-1", 415),
    ],
)
async def test_a_body_that_does_not_fit_is_told_why(shop: Shop, body: bytes, content_type: str, status: int) -> None:
    headers = {**shop.as_("vendor"), "Content-Type": content_type}
    answer = await raw(shop, request("POST", OFFER, headers=headers, body=body, length=len(body)))
    assert answer.status == status, answer.body
    check_named(answer)
    if status == 422:
        assert all({"pointer", "code", "detail"} <= error.keys() for error in answer.problem["errors"])


async def test_a_body_over_the_limit_is_413(shop: Shop) -> None:
    headers = {**shop.as_("vendor"), "Content-Type": "application/json"}
    body = b'{"sku": "' + b"a" * 2_000_000 + b'"}'
    async with shop.http.post(f"{shop.gateway}{OFFER}", headers=headers, data=BytesIO(body)) as answer:
        said = await answer.json(content_type="application/problem+json")
    assert (answer.status, said["status"]) == (413, 413)


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer souk_aaaaaaaa_bbbb", "Basic YTpi", ""])
async def test_nobody_is_401(shop: Shop, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await raw(shop, request("GET", OFFER, headers=headers))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    check_named(answer)


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [
        ("vendor", "GET", "/api/admin/products"),
        ("vendor", "GET", "/api/admin/jobs?action=stats"),
        ("vendor", "POST", "/api/orders"),
        ("admin", "GET", OFFER),
        ("channel", "GET", OFFER),
        ("ops", "GET", "/api/admin/products"),
        ("ops", "POST", "/api/admin/schedules/check-low-stock/run"),
    ],
)
async def test_the_wrong_role_is_403(shop: Shop, who: str, method: str, path: str) -> None:
    answer = await raw(shop, request(method, path, headers=shop.as_(who), length=0))
    assert answer.status == 403
    check_named(answer)


async def test_another_vendors_product_is_404_like_one_that_never_was(shop: Shop) -> None:
    product = await shop.submit()
    other = shop.as_("other vendor")
    foreign = await raw(shop, request("GET", f"{OFFER}/{product['id']}", headers=other))
    unknown = await raw(shop, request("GET", f"{OFFER}/{uuid.uuid4()}", headers=other))
    assert (foreign.status, unknown.status) == (404, 404)
    assert {**foreign.problem, "instance": "", "request_id": ""} == {
        **unknown.problem,
        "instance": "",
        "request_id": "",
    }
    for answer in (foreign, unknown):
        check_named(answer)


async def test_what_the_owner_of_a_route_refuses_comes_through_as_it_is(shop: Shop) -> None:
    for path, status in (("/api/admin/jobs?action=none", 422), (f"/api/admin/jobs?action=job&id={uuid.uuid4()}", 404)):
        answer = await raw(shop, request("GET", path, headers=shop.as_("admin")))
        assert answer.status == status
        check_named(answer)


async def test_a_request_id_of_the_callers_is_kept_if_it_is_harmless(shop: Shop) -> None:
    kept = await raw(shop, request("GET", "/none", headers={"X-Request-Id": "checkout-4711"}))
    assert kept.problem["request_id"] == kept.headers["x-request-id"] == "checkout-4711"
    replaced = await raw(shop, request("GET", "/none", headers={"X-Request-Id": "a b<script>"}))
    check_named(replaced)


async def test_half_a_request_does_not_disturb_the_others(shop: Shop) -> None:
    place = urlsplit(shop.gateway)
    half = [await asyncio.open_connection(place.hostname, place.port) for _ in range(50)]
    for _, writer in half:
        writer.write(b"GET /api/products HTTP/1.1\r\nHost: so")
    try:
        answer = await raw(shop, request("GET", "/api/products"))
        assert answer.status == 200
    finally:
        for _, writer in half:
            writer.close()
