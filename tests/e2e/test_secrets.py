"""Secrets and addresses that people give to a running stack, through every door there is, and all that it tells.

What it tells is its logs, the spans that it sends, and the figures of its operations ports.
"""

import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests import factories
from tests.e2e.collector import Collector
from tests.e2e.marketplace import JSON, Shop, Stack
from tests.eventually import eventually

MARK = f"canary{uuid.uuid4().hex}"
"""Part of every false secret below; the rest of each says at which door it was given."""
MADE_HERE = {"mailsink"}
"""The mail sink is no part of an installation: it stands for the world outside, and is not searched."""


async def test_no_secret_and_no_address_is_logged_or_told(shop: Shop, collector: Collector) -> None:
    knocks = await knock_with_false_ones(shop)
    await sign_in_at_the_page(shop)
    true_ones = await sign_in(shop)
    true_ones.update(await keep_stock_sources(shop))
    true_ones.update(await let_a_member_in(shop))
    await offer_a_picture_that_cannot_be_had(shop)
    await let_a_mail_be_put_off(shop)
    secrets = {**dict(of_the_stack(shop.stack)), **true_ones}
    assert len(secrets) > 20

    logged = [(process, line) for process, line in shop.stack.lines() if process not in MADE_HERE]
    assert {process for process, _ in logged} >= {each.name for each in shop.stack.run.processes}
    assert {line["request_id"] for line in requests_in(logged)} >= knocks, "what was refused is logged, too"
    told = [*logged, *collector.texts(), *await figures(shop)]
    assert {"gateway", "figures of gateway", "span of gateway"} <= {place for place, _ in told}
    assert [(place, text) for place, text in told if MARK in text] == []
    assert [(name, text) for name, secret in secrets.items() for _, text in told if secret in text] == []
    assert [text for _, text in told if "eyJ" in text] == [], "a signed identity"


async def figures(shop: Shop) -> list[tuple[str, str]]:
    """What each process tells Prometheus."""
    found = []
    for process in shop.stack.run.processes:
        async with shop.http.get(f"{process.ops_url}/metrics") as answer:
            found.append((f"figures of {process.name}", await answer.text()))
    return found


def requests_in(logged: list[tuple[str, str]]) -> Iterator[JSON]:
    """The gateway's own line of each request."""
    for process, text in logged:
        if process == "gateway" and '"event":"request"' in text:
            yield json.loads(text)


async def knock_with_false_ones(shop: Shop) -> set[str]:
    """Give what is wrong, malformed or not asked for, wherever a secret may be given; the ids of the requests."""
    gateway, offer = shop.gateway, f'{{"sku": "{MARK}-body", "password": "{MARK}-field"'
    ids: set[str] = set()
    knocks: list[tuple[str, str, dict[str, str], str | bytes]] = [
        ("POST", "/api/auth/login", {}, f'{{"email": "{MARK}-mail@example.com", "password": "{MARK}-password"}}'),
        ("POST", "/api/auth/login", {}, f'{{"email": "a@example.com", "password": {{"x": "{MARK}-nested"}}}}'),
        ("POST", "/api/auth/login", {}, f'{{"password": "{MARK}-broken"'),
        ("POST", "/api/auth/login", {"Content-Encoding": "gzip"}, f"{MARK}-no-gzip"),
        ("GET", "/api/me", {"Authorization": f"Bearer souk_0a1b2c3d4e5f_{MARK}-key"}, ""),
        ("GET", "/api/me", {"Authorization": f"Basic {MARK}-basic"}, ""),
        ("GET", "/api/me", {"Cookie": f"souk_session={MARK}-session; other={MARK}-cookie"}, ""),
        ("POST", "/api/vendor/products", {"X-CSRF-Token": f"{MARK}-csrf"}, offer),
        ("GET", "/api/admin/jobs?action=stats", {"Souk-Identity": f"eyJ.{MARK}.identity"}, ""),
        ("GET", f"/api/products?token={MARK}-query", {}, ""),
        ("GET", f"/nowhere?password={MARK}-nowhere", {}, ""),
        ("POST", "/api/vendor/products", shop.as_("vendor"), offer),
        ("POST", "/api/admin/jobs", {**shop.as_("admin"), "Idempotency-Key": f"{MARK}-once"}, offer),
    ]
    for method, path, headers, body in knocks:
        ids.add(request_id := f"knock-{uuid.uuid4().hex}")
        headers = {"Content-Type": "application/json", "X-Request-Id": request_id, **headers}
        async with shop.http.request(method, f"{gateway}{path}", headers=headers, data=body or None) as answer:
            assert answer.status in {200, 400, 401, 404, 422}, (path, headers, answer.status, await answer.text())
    return ids


async def sign_in_at_the_page(shop: Shop) -> None:
    """Fill in the form with what is wrong."""
    form = {"email": f"{MARK}-form@example.com", "password": f"{MARK}-form", "csrf_token": f"{MARK}-form", "next": "/"}
    async with shop.http.post(f"{shop.gateway}/login", data=form) as answer:
        assert answer.status == 422, await answer.text()


async def sign_in(shop: Shop) -> dict[str, str]:
    """Sign in as a person, act with and without the CSRF token; what was given by both sides."""
    account = shop.stack.run.accounts.vendors[0]
    async with aiohttp.ClientSession(shop.gateway, cookie_jar=aiohttp.CookieJar(unsafe=True)) as person:
        async with person.post(
            "/api/auth/login", json={"email": account.email, "password": account.password}
        ) as answer:
            assert answer.status == 200, await answer.text()
            csrf = (await answer.json())["csrf_token"]
            session = answer.cookies["souk_session"].value
        await ask_for_a_key(person, "")
        made = await ask_for_a_key(person, csrf)
    return {
        "session": session,
        "csrf token": csrf,
        "password": account.password,
        "api key": secret_of(made["api_key"]),
    }


async def ask_for_a_key(person: aiohttp.ClientSession, token: str) -> JSON:
    """An API key for who is signed in, if the CSRF token is right."""
    async with person.post("/api/api-keys", json={"name": "a key"}, headers={"X-CSRF-Token": token}) as answer:
        assert answer.status == (201 if token else 403), await answer.text()
        made: JSON = await answer.json(content_type=None)
    return made


async def keep_stock_sources(shop: Shop) -> dict[str, str]:
    """A source that cannot be reached, with credentials; a push with its secret, and with a false signature."""
    pull = {
        "name": "Unreachable",
        "url": f"https://192.0.2.1/stock?key={MARK}-in-address",
        "credentials": {"header": "X-Api-Key", "value": f"{MARK}-credentials"},
    }
    source = await shop.post_once("vendor", "/api/vendor/sync-sources", json=pull)
    path = f"/api/vendor/sync-sources/{source['id']}"
    async with shop.http.post(f"{shop.gateway}{path}/run", headers=shop.as_("vendor")) as asked:
        assert asked.status in {200, 202}, await asked.text()

    async def failed() -> bool:
        newest, *_ = (await shop.get("vendor", f"{path}/runs"))["items"]
        return bool(newest["state"] == "failed")

    await eventually(failed, 60, every=0.2)
    async with shop.http.delete(f"{shop.gateway}{path}", headers=shop.as_("vendor")) as gone:
        assert gone.status in {204, 428}

    push = await shop.post_once("vendor", "/api/vendor/sync-sources", json={"name": "Pushed", "kind": "push"})
    signed = {"Souk-Timestamp": str(int(time.time())), "Souk-Signature": f"sha256={MARK}-signature"}
    async with shop.http.post(f"{shop.gateway}/hooks/inventory/{push['id']}", headers=signed, data=b"[]") as refused:
        assert refused.status in {400, 401, 403}, await refused.text()
    return {"webhook secret": push["secret"]}


async def let_a_member_in(shop: Shop) -> dict[str, str]:
    """A new member of a vendor gets a password for once, another one, and goes again."""
    address = f"{uuid.uuid4().hex}@example.com"
    added = await shop.post_once("vendor", "/api/vendor/members", json={"email": address, "name": "New"})
    path = f"{shop.gateway}/api/vendor/members/{added['id']}"
    async with shop.http.post(f"{path}/one-time-password", headers=shop.as_("vendor")) as answer:
        assert answer.status == 200, await answer.text()
        renewed = await answer.json()
    async with shop.http.delete(path, headers=shop.as_("vendor")) as gone:
        assert gone.status == 204, await gone.text()
    return {
        "member's address": address,
        "one-time password": added["one_time_password"],
        "renewed password": renewed["one_time_password"],
    }


async def offer_a_picture_that_cannot_be_had(shop: Shop) -> None:
    """Addresses of pictures may have a key in them, and what becomes of them is told to the vendor alone."""
    offer = factories.offer(sku=f"SKU-{uuid.uuid4().hex[:12]}", title="Chair without its picture")
    offer["images"] = [{"url": f"http://{MARK}-user:{MARK}-password@192.0.2.1/a.jpg?key={MARK}-picture", "alt": "A"}]
    product = await shop.post_once("vendor", "/api/vendor/products", json=offer)

    async def failed() -> bool:
        shown = await shop.get("vendor", f"/api/vendor/products/{product['id']}")
        return bool(shown["images"][0]["status"] == "failed")

    await eventually(failed, 60, every=0.2)


async def let_a_mail_be_put_off(shop: Shop) -> None:
    """A mail server that answers with the recipient's address: it must stand in no error."""
    vendor = shop.stack.run.accounts.vendors[0]
    product = await shop.submit()
    async with mail_put_off(shop, vendor.email):
        rejection = {"product_id": product["id"], "action": "reject", "reasons": [{"code": "description", "note": ""}]}
        await shop.post_once("admin", "/api/admin/approve-product", json=rejection)

        async def was_tried() -> bool:
            tried = [attempt for job in await mails_of(shop, product) for attempt in job["attempts"]]
            assert not any(vendor.email in str(attempt) for attempt in tried)
            return any("4.2.2" in str(attempt["error"]) for attempt in tried)

        await eventually(was_tried, 45, every=0.1)

    async def done() -> bool:
        return {job["state"] for job in await mails_of(shop, product)} == {"completed"}

    await eventually(done, 45, every=0.1)


async def mails_of(shop: Shop, product: JSON) -> list[JSON]:
    """The mail jobs of a product."""
    return [job for job in await shop.jobs_of(product["id"]) if job["type"] == "send-email"]


@asynccontextmanager
async def mail_put_off(shop: Shop, address: str) -> AsyncIterator[None]:
    """The mail sink wants this address later, while the block runs."""
    refusals = f"{shop.stack.run.mailbox}/api/refusals"
    reply = f"451 4.2.2 <{address}> has no room"
    async with shop.http.put(refusals, json={"addresses": [address], "reply": reply}) as answer:
        assert answer.status == 200, await answer.text()
    try:
        yield
    finally:
        async with shop.http.put(refusals, json={"addresses": []}) as answer:
            assert answer.status == 200


def of_the_stack(stack: Stack) -> Iterator[tuple[str, str]]:
    """What the processes themselves must keep: their own secrets, the accounts' keys, people's addresses."""
    run = stack.run
    for file in stack.home.secrets.rglob("*"):
        if file.is_file():
            yield f"file {file.name}", file.read_text().strip()
    for process in run.processes:
        for name, value in environment_of(process.pid).items():
            if name.endswith(("_KEY", "_PASSWORD")):
                yield f"{process.name} {name}", value
            elif "://" in value and (password := urlsplit(value).password):
                yield f"{process.name} {name}", password
    accounts = run.accounts
    for person in (accounts.admin, accounts.ops, *accounts.vendors):
        yield f"address {person.email}", person.email
        yield f"key of {person.email}", secret_of(person.api_key)


def secret_of(key: str) -> str:
    """What of `souk_<prefix>_<secret>` must be kept; the prefix says in a log which key it was."""
    return key.split("_", 2)[2]


def environment_of(pid: int | None) -> dict[str, str]:
    """What a process was started with."""
    pairs = (pair.partition("=") for pair in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return {name: value for name, _, value in pairs if name}
