"""Every address keeps the conventions of docs/api.md: a walk over all operations of the document.

The document names the addresses, so a new one is walked too. Each part says what is wrong where, all at once.
"""

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientResponse

from services.catalog.access import ACCESS
from services.catalog.idempotency import LOCK
from shared.db.pool import transaction
from tests.factories import make_approved, make_product, order
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.contract.callers import JSON, Callers, Op, calling, operations

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SIGNED = {"pushInventory"}
"""Its signature is looked at before its body."""
WITHOUT_BODY = {204, 304}


@pytest.fixture
async def callers(gateway: Gateway) -> AsyncIterator[Callers]:
    """Somebody of each role."""
    async with calling(gateway) as found:
        yield found


@pytest.fixture
async def ids(vendor: Client, admin: Client, channel: Client, gateway: Gateway) -> dict[str, str]:
    """Something at each address, by the start of its path."""
    product = await make_approved(vendor, admin, images=[{"url": "https://example.com/a.jpg"}])
    for _ in range(3):
        await make_product(vendor)
    made = {
        "/api/vendor/sync-sources": (vendor, {"name": "Till", "url": "https://example.com/stock.json"}),
        "/api/vendor/members": (vendor, {"name": "Ada", "email": "ada.member@example.com"}),
        "/api/api-keys": (vendor, {"name": "robot"}),
        "/api/orders": (channel, order((product["id"], 2))),
        "/api/vendor/reports": (vendor, {"type": "daily_sales", "period": {"from": "2026-01-01", "to": "2026-01-02"}}),
        "/api/admin/reports": (admin, {"type": "daily_sales", "period": {"from": "2026-01-01", "to": "2026-01-02"}}),
        "/api/admin/jobs": (admin, {"type": "cleanup-cache", "payload": {}}),
    }
    found = {}
    for start, (client, body) in made.items():
        path = "/api/admin/jobs/enqueue" if start == "/api/admin/jobs" else start
        for number in range(2):
            async with client.post(path, json={**body, **another(body, number)}) as answer:
                assert answer.status == 201, await answer.text()
                found[start] = (await answer.json())["id"]
    return found | {
        "/api/products": product["id"],
        "/api/vendor/products": product["id"],
        "/api/admin/products": product["id"],
        "/api/vendor/inventory": product["id"],
        "/api/vendors": str(gateway.accounts.vendors[0].vendor_id),
        "/api/admin/vendors": str(gateway.accounts.vendors[1].vendor_id),
        "/api/admin/schedules": "cleanup-cache",
        "/api/admin/job-types": "cleanup-cache",
    }


def another(body: Mapping[str, Any], number: int) -> dict[str, Any]:
    """What tells one thing from the other that was made with this body."""
    if "email" in body:
        return {"email": f"ada.{number}@example.com"}
    if "external_id" in body:
        return {"external_id": f"walk-{number}"}
    if "period" in body:
        return {"period": {"from": f"2026-01-0{number + 1}", "to": "2026-01-03"}}
    return {"name": f"Walk {number}"} if "name" in body else {}


async def test_every_address_keeps_the_conventions(callers: Callers, ids: dict[str, str], gateway: Gateway) -> None:
    wrong = [
        *await edges(callers),
        *await heads(callers, ids),
        *await bodies(callers, ids),
        *await versions(callers, ids),
        *await creations(callers, ids),
        *await in_flight(callers, ids, gateway),
        *await lists(callers, ids),
        *await packed(callers),
    ]
    assert wrong == [], "\n" + "\n".join(wrong)


async def edges(callers: Callers) -> list[str]:
    """Headers of every answer, problems, `OPTIONS`, and methods that there are not."""
    wrong = []
    methods: dict[str, set[str]] = {}
    for op in operations():
        methods.setdefault(op.path, set()).add(op.method)
    for number, op in enumerate(operations()):
        if op.is_feed:
            continue
        at, name = op.at({}), f"walk-{number:06}"
        async with callers.call(op, at, headers={"X-Request-Id": name}) as answer:
            wrong += await common(op, answer, name)
            limits = {"RateLimit-Policy", "RateLimit"}
            if not limits <= answer.headers.keys():
                wrong.append(f"{op.name}: no {limits}")
        async with callers.call(op, at, headers={"X-Request-Id": "x" * 101}) as answer:
            if not 8 <= len(answer.headers["X-Request-Id"]) <= 100:
                wrong.append(f"{op.name}: a request id of {len(answer.headers['X-Request-Id'])}")
        allowed = methods[op.path] | {"OPTIONS"} | ({"HEAD"} if "GET" in methods[op.path] else set())
        async with callers.call(op, at, method="OPTIONS") as answer:
            told = set(answer.headers.get("Allow", "").split(", "))
            if (answer.status, told) != (204, allowed):
                wrong.append(f"{op.name}: OPTIONS {answer.status} {told}")
        other = next(method for method in METHODS if method not in methods[op.path])
        async with callers.call(op, at, method=other, headers={"X-Request-Id": name}) as answer:
            wrong += await common(op, answer, name)
            told = set(answer.headers.get("Allow", "").split(", "))
            if (answer.status, told) != (405, allowed):
                wrong.append(f"{op.name}: {other} {answer.status} {told}")
    return wrong


async def common(op: Op, answer: ClientResponse, name: str) -> list[str]:
    """What holds for every answer."""
    wrong = []
    headers = answer.headers
    if (headers.get("Server"), headers.get("X-Content-Type-Options")) != ("souk", "nosniff"):
        wrong.append(f"{op.name} {answer.status}: {headers.get('Server')} {headers.get('X-Content-Type-Options')}")
    if headers.getall("X-Request-Id") != [name]:
        wrong.append(f"{op.name} {answer.status}: X-Request-Id {headers.getall('X-Request-Id')}")
    if answer.status >= 500:
        wrong.append(f"{op.name}: {answer.status}")
    if answer.status >= 400:
        wrong += [f"{op.name} {answer.status}: {said}" for said in await no_problem(answer, name)]
    return wrong


async def no_problem(answer: ClientResponse, name: str) -> list[str]:
    """What a problem document lacks."""
    if answer.content_type != "application/problem+json":
        return [f"is {answer.content_type}"]
    told = await answer.json(content_type=None)
    lacks = {"type", "title", "status", "detail", "instance", "request_id"} - told.keys()
    if lacks:
        return [f"lacks {lacks}"]
    if (told["status"], told["request_id"], told["instance"]) != (answer.status, name, answer.url.path):
        return [f"says {told}"]
    return []


async def heads(callers: Callers, ids: Mapping[str, str]) -> list[str]:
    """`HEAD` is `GET` without its body; and what has an ETag is not sent twice."""
    wrong = []
    for op in operations():
        if op.method != "GET" or op.is_feed:
            continue
        at = op.at(ids) + ("?action=stats" if op.name == "readJobs" else "")
        async with callers.call(op, at) as got:
            await got.read()
        async with callers.call(op, at, method="HEAD") as head:
            if (head.status, head.content_type, await head.read()) != (got.status, got.content_type, b""):
                wrong.append(f"{op.name}: HEAD {head.status} {head.content_type}, GET {got.status} {got.content_type}")
        if "304" not in op.told["responses"] or got.status != 200:
            continue
        etag = got.headers.get("ETag")
        async with callers.call(op, at, headers={"If-None-Match": etag or "none"}) as again:
            if (again.status, await again.read()) != (304, b""):
                wrong.append(f"{op.name}: {etag} again is {again.status}")
    return wrong


BODIES: Mapping[str, tuple[bytes, Mapping[str, str], int, str | None]] = {
    "nothing": (b"", JSON, 400, None),
    "half": (b"{", JSON, 400, None),
    "another charset": (b"{}", {"Content-Type": "application/json; charset=utf-16"}, 415, None),
    "a form": (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, None),
    "no gzip": (b"{}", {**JSON, "Content-Encoding": "gzip"}, 400, None),
    "too large": (b'{"nonsense": "' + b"x" * (1024 * 1024) + b'"}', JSON, 413, None),
    "too large inside": (
        gzip.compress(b'"' + b"x" * 3_000_000 + b'"'),
        {**JSON, "Content-Encoding": "gzip"},
        413,
        None,
    ),
    "a list": (b"[]", JSON, 422, ""),
    "an unknown field": (b'{"nonsense": 1}', JSON, 422, "/nonsense"),
    "NaN": (b'{"nonsense": [NaN]}', JSON, 422, "/nonsense/0"),
    "NUL": (b'{"nonsense": "\\u0000"}', JSON, 422, "/nonsense"),
    "half a pair": (b'{"nonsense": "\\ud800"}', JSON, 422, "/nonsense"),
    "a key twice": (b'{"nonsense": 1, "nonsense": 2}', JSON, 422, "/nonsense"),
}
"""What is sent, its headers, the status, a pointer among its errors."""


async def bodies(callers: Callers, ids: Mapping[str, str]) -> list[str]:
    """Bodies that fit nowhere; and for every field, a value of a type that it is not."""
    wrong, tried = [], 0
    for op in operations():
        if op.example is None or op.name in SIGNED:
            continue
        tried += 1
        at = op.at(ids)
        is_optional = not op.told["requestBody"]["required"]
        for name, (body, headers, status, pointer) in BODIES.items():
            if name == "nothing" and is_optional:
                continue
            async with callers.call(op, at, data=BytesIO(body), headers=headers) as answer:
                told = await answer.json(content_type=None)
            pointers = [error["pointer"] for error in told.get("errors", ())]
            if answer.status != status or (pointer is not None and pointer not in pointers):
                wrong.append(f"{op.name}: {name} is {answer.status} {told.get('detail')} {pointers}")
        for field in op.example:
            other = {**op.example, field: {"nonsense": []}}
            async with callers.call(op, at, data=json.dumps(other), headers=JSON) as answer:
                told = await answer.json(content_type=None)
            pointers = [error["pointer"] for error in told.get("errors", ())]
            if answer.status != 422 or not any(one.startswith(f"/{field}") for one in pointers):
                wrong.append(f"{op.name}: a wrong {field} is {answer.status} {told.get('detail')} {pointers}")
    return [*wrong, *([] if tried >= 30 else [f"{tried} with bodies"])]


async def versions(callers: Callers, ids: Mapping[str, str]) -> list[str]:
    """Where `If-Match` is needed: 428 without, 412 with an old one."""
    wrong, seen = [], 0
    for op in operations():
        if "428" not in op.told["responses"]:
            continue
        seen += 1
        body = {"name": "Other"} if op.name in ("changeMe", "changeSource") else op.example
        for given, status in ((None, 428), ('"99999"', 412), ("nonsense", 412)):
            headers = {} if given is None else {"If-Match": given}
            bare = Op(op.method, op.path, {**op.told, "parameters": []})
            async with callers.call(bare, op.at(ids), json=body, headers=headers) as answer:
                if answer.status != status:
                    wrong.append(f"{op.name}: If-Match {given} is {answer.status} {await answer.text()}")
    return [*wrong, *([] if seen >= 4 else [f"{seen} with versions"])]


async def creations(callers: Callers, ids: Mapping[str, str]) -> list[str]:
    """An `Idempotency-Key` makes one thing, and is no other's."""
    wrong, seen = [], 0
    for op in operations():
        if op.method == "POST" and "201" in op.told["responses"] and op.name not in OF_THEMSELVES:
            seen += 1
            if "Idempotency-Key" not in op.parameters:
                wrong.append(f"{op.name} takes no Idempotency-Key")
        if "Idempotency-Key" not in op.parameters:
            continue
        body = TO_MAKE.get(op.name, op.example)
        if op.name == "adjustLevels":
            body = {"lines": [{"product_id": ids["/api/vendor/inventory"], "delta": 1}]}
        headers = {"Idempotency-Key": f"walk {op.name}"}
        answers = []
        for sent in (body, body, body | OTHERWISE.get(op.name, {"name": "Another"})):
            async with callers.call(op, op.at(ids), json=sent, headers=headers) as answer:
                told = await answer.json(content_type=None)
                answers.append((answer.status, answer.headers.get("Idempotent-Replayed"), told))
        first, again, other = answers
        if first[:2] not in ((201, None), (200, None)) or again[1] != "true" or again[0] not in (200, first[0]):
            wrong.append(f"{op.name}: {first[:2]} and again {again[:2]} {again[2]}")
        elif first[2].get("id") != again[2].get("id"):
            wrong.append(f"{op.name}: {first[2]} and again {again[2]}")
        if other[0] != 422 or other[2]["type"] != "urn:souk:problem:idempotency_key_reused":
            wrong.append(f"{op.name}: another body is {other}")
    return [*wrong, *([] if seen >= 6 else [f"{seen} that create"])]


async def in_flight(callers: Callers, ids: Mapping[str, str], gateway: Gateway) -> list[str]:
    """While the first request with a key is in hand the second is 409 and makes nothing; afterwards it may be sent."""
    wrong, seen = [], 0
    for op in operations():
        owner = ACCESS[(op.method, op.path)].owner
        if "Idempotency-Key" not in op.parameters or owner is not None:
            continue
        seen += 1
        key, body = f"held {op.name}", TO_MAKE.get(op.name, op.example) | AFRESH.get(op.name, {})
        if op.name == "adjustLevels":
            body = {"lines": [{"product_id": ids["/api/vendor/inventory"], "delta": 1}]}
        me = Op("GET", "/api/me", {**op.told, "parameters": []})
        async with callers.call(me, me.path) as answer:
            account = UUID((await answer.json())["id"])
        async with transaction(gateway.pool) as first:
            assert await first.fetchval(LOCK, account, key)
            async with callers.call(op, op.at(ids), json=body, headers={"Idempotency-Key": key}) as answer:
                told = await answer.json(content_type=None)
        if (answer.status, told["type"]) != (409, "urn:souk:problem:idempotency_key_in_flight"):
            wrong.append(f"{op.name}: in flight {answer.status} {told}")
        async with callers.call(op, op.at(ids), json=body, headers={"Idempotency-Key": key}) as answer:
            if answer.status not in (200, 201) or "Idempotent-Replayed" in answer.headers:
                wrong.append(f"{op.name}: after it {answer.status} {await answer.text()}")
    return [*wrong, *([] if seen >= 6 else [f"{seen} that lock"])]


OF_THEMSELVES = {"placeOrder", "requestOwnReport", "requestAnyReport", "subscribeToPush"}
"""What is made is one by what it is: an order's `external_id`, a report's period, a browser's address."""
TO_MAKE: Mapping[str, dict[str, Any]] = {
    "addMember": {"email": "new.member@example.com", "name": "Ada"},
    "createProduct": {
        "sku": "WALK-1",
        "title": "Chair",
        "description": "",
        "price": {"amount_minor": 100, "currency": "EUR"},
        "category": "furniture",
        "on_hand": 1,
    },
}
FIRST = {"email": "held@example.com", "name": "Held", "password": "correct horse battery"}
AFRESH: Mapping[str, dict[str, Any]] = {
    "addMember": {"email": "held.member@example.com"},
    "createProduct": {"sku": "HELD-1"},
    "createVendor": {"name": "Held", "slug": "held", "account": FIRST},
    "createSource": {"name": "Held"},
    "createApiKey": {"name": "Held"},
}
"""What makes it another thing than the one before."""
OTHERWISE: Mapping[str, dict[str, Any]] = {
    "createProduct": {"title": "Another"},
    "addPicture": {"alt": "Another"},
    "adjustLevels": {"note": "Another"},
    "enqueueJob": {"priority": 5},
}


async def lists(callers: Callers, ids: Mapping[str, str]) -> list[str]:
    """Pages: `next` is in `Link`, leads on, and fits neither when it was altered nor with another filter."""
    wrong, seen = [], []
    for op in operations():
        if "cursor" not in op.parameters:
            continue
        at = op.at(ids) + ("?status=pending&" if op.name == "listProductsByStatus" else "?") + "limit=1"
        async with callers.call(op, at) as answer:
            told = await answer.json(content_type=None)
        if answer.status != 200:
            wrong.append(f"{op.name}: {answer.status} {told}")
            continue
        following, link = told["next"], answer.links.get("next")
        if (following is None) is not (link is None):
            wrong.append(f"{op.name}: next {following}, Link {answer.headers.get('Link')}")
        async with callers.call(op, f"{at}&cursor=nonsense") as answer:
            if (answer.status, (await answer.json(content_type=None))["type"]) != (422, "urn:souk:problem:bad_cursor"):
                wrong.append(f"{op.name}: a made-up cursor is {answer.status}")
        if following is None or link is None:
            continue
        seen.append(op.name)
        async with callers.call(op, str(link["url"])) as answer:
            page = await answer.json(content_type=None)
        if answer.status != 200 or page["items"] == told["items"]:
            wrong.append(f"{op.name}: {link['url']} is {answer.status} {page}")
        altered = following[:-2] + ("AA" if following[-2:] != "AA" else "BB")
        async with callers.call(op, f"{at}&cursor={altered}") as answer:
            if answer.status != 422:
                wrong.append(f"{op.name}: an altered cursor is {answer.status}")
        if op.name in FILTERED:
            async with callers.call(op, f"{at}&{FILTERED[op.name]}&cursor={following}") as answer:
                if answer.status != 422:
                    wrong.append(f"{op.name}: a cursor of another filter is {answer.status}")
    return [*wrong, *(f"{name} had no second page" for name in {*FILTERED, "listOwnReports"} - {*seen})]


FILTERED: Mapping[str, str] = {
    "listOwnProducts": "status=pending",
    "listLevels": "low=true",
    "listJobs": "type=cleanup-cache",
    "listDeeds": "object_kind=product&object_id=019c1d3a-7f00-7000-8000-0000000000ff",
}
"""Lists that have more than one page in this walk, and a filter that they were not read with."""


async def packed(callers: Callers) -> list[str]:
    """Large answers go out in fewer bytes to who takes them so."""
    wrong = []
    op = next(one for one in operations() if one.name == "readOpenApi")
    for accepted, coding in (("br, gzip", "br"), ("gzip", "gzip"), ("identity", None), ("*;q=0", None)):
        async with callers.call(op, op.path, headers={"Accept-Encoding": accepted}) as answer:
            if answer.headers.get("Content-Encoding") != coding or "Accept-Encoding" not in answer.headers["Vary"]:
                wrong.append(f"{accepted}: {answer.headers}")
    return wrong
