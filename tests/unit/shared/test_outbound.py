"""The guard against requests into our own network: hostile addresses with the allow list empty, then real servers."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from shared.outbound import (
    Outbound,
    RemoteRejected,
    RemoteTooLarge,
    RemoteUnavailable,
    UrlRefused,
    guarded_session,
    is_public,
    parse_allow,
)

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"),
    *("192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15"),
    *("2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
]
NOT_PUBLIC = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.8", "192.0.0.170", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("::ffff:169.254.169.254", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.1.2.3", "64:ff9b:1::8.8.8.8", "100::1"),
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2002:808:808::", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1"),
    *("fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "febf::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1"),
    *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:10.0.0.1", "4000::1", "fe00::1"),
]

HOSTILE = [
    # Literals, plain and disguised
    *("http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://127.000.000.001/", "http://0177.0.0.1/"),
    *("http://0x7f.0.0.1/", "http://0x7f000001/", "http://2130706433/", "http://017700000001/", "http://0/"),
    *("http://0.0.0.0/", "http://127.0.0.1./", "http://127.0.0.1:8080/", "http://00000177.1/", "http://0x7f.1/"),
    *("http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://3232235777/", "http://0xc0a80101/"),
    *(
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.254.169.254/",
    ),
    *("http://100.100.100.200/", "http://168.63.129.16/", "http://192.0.0.192/", "http://100.64.0.1/"),
    *("http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/", "http://198.18.0.1/", "http://0.1.2.3/"),
    *(
        "http://１２７.0.0.1/",  # noqa: RUF001 - they are the attack
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://127．0．0．1/",  # noqa: RUF001 - they are the attack
        "http://2130706433./",
    ),
    *("http://%31%32%37.0.0.1/", "http://127%2e0.0.1/"),
    *("http://127.0.0.1%00.example.com/", "http://127.0.0.1%2f@x/"),
    # IPv6
    *(
        "http://[::1]/",
        "http://[::]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::127.0.0.1]/",
    ),
    *("http://[::ffff:7f00:1]/", "http://[::ffff:a9fe:a9fe]/", "http://[::ffff:10.0.0.1]/", "http://[fe80::1]/"),
    *(
        "http://[fe80::1%25lo]/",
        "http://[fe80::1%lo]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[ff02::1]/",
    ),
    *(
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:db8::1]/",
        "http://[::1]:6379/",
        "http://[::1%2525lo]/",
    ),
    *("http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", "http://[fec0::1]/", "http://[::ffff:0:127.0.0.1]/"),
    *("http://[2606:4700::5efe:7f00:1]/", "http://[::1", "http://::1/", "http://[127.0.0.1]/", "http://[v1.x]/"),
    # Names that mean this machine
    *("http://localhost/", "http://LOCALHOST/", "http://localhost./"),
    *("http://localhost:5432/", "http://localhost。/"),
    *(
        "http://ⓛocalhost/",
        "http://ｌｏｃａｌｈｏｓｔ/",  # noqa: RUF001 - they are the attack
        "http://localhost%2e/",
        "http://loc%61lhost/",
        "http://localhost\t/",
    ),
    # Credentials and confusing authorities
    *("http://user@example.com/", "http://user:secret@example.com/", "http://:@example.com/", "http://@127.0.0.1/"),
    *("http://example.com@127.0.0.1/", "http://example.com:80@127.0.0.1/", "http://127.0.0.1@example.com/"),
    *("http://example.com\\@127.0.0.1/", "http://127.0.0.1\\@example.com/", "http://example.com#@127.0.0.1:25/ x"),
    *(
        "http://127.0.0.1#example.com",
        "http://127.0.0.1?example.com",
        "http://127.0.0.1;example.com/",
        "http://127.0.0.1&x/",
    ),
    *(
        "http:\\\\127.0.0.1\\",
        "http:/\\127.0.0.1/",
        "http://127.0.0.1\\.example.com/",
        "http://foo@[::1]:80@example.com/",
    ),
    # Other schemes, and none
    *("file:///etc/passwd", "file://localhost/etc/passwd", "ftp://example.com/x", "gopher://127.0.0.1:6379/_INFO"),
    *(
        "dict://127.0.0.1:11211/",
        "ldap://127.0.0.1/",
        "jar:http://127.0.0.1!/",
        "data:text/plain,x",
        "javascript:alert(1)",
    ),
    *("ws://127.0.0.1/", "unix:///run/docker.sock"),
    *("http+unix://%2frun%2fdocker.sock/info", "netdoc:///etc/passwd"),
    *(
        "",
        "/",
        "//127.0.0.1/",
        "127.0.0.1",
        "example.com",
        "http",
        "http:",
        "http://",
        "http:///x",
        "https://?",
        "http://:80/",
    ),
    *(
        "http:127.0.0.1",
        "http:/127.0.0.1",
        "http:////127.0.0.1/",
        "://127.0.0.1",
        "h ttp://127.0.0.1/",
        " http://127.0.0.1/",
    ),
    # Ports and characters
    *("http://example.com:25/", "http://example.com:22/", "https://example.com:0/", "http://example.com:99999/"),
    *(
        "http://example.com:-1/",
        "http://example.com:8o/",
        "http://example.com:/\r\nX: y",
        "http://example.com/\r\nHost: x",
    ),
    *("http://exa mple.com/", "http://example.com/\0", "http://\x7fexample.com/", "http://example.com/\u2028 x"),
    *(
        "http://" + "a" * 300 + "/",
        "http://" + "a." * 900 + "/",
        "http://example.com/" + "a" * 2000,
        "http://xn--/",
        "http://.../",
    ),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_all_other_addresses_do_not(text: str) -> None:
    assert not is_public(ip_address(text))


async def test_no_hostile_address_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the worst name server there could be: every name that is no number in disguise is this machine."""
    connected: list[object] = []
    loop = asyncio.get_running_loop()

    async def worst_answers(host: str, port: int, **options: Any) -> list[Any]:
        try:
            return socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def refuse(_socket: object, address: object) -> None:
        connected.append(address)
        raise OSError("no connection in this test")

    monkeypatch.setattr(loop, "getaddrinfo", worst_answers)
    monkeypatch.setattr(loop, "sock_connect", refuse)
    passed = []
    async with guarded_session() as outbound:
        for url in HOSTILE:
            try:
                await outbound.fetch(url, max_bytes=1000, max_seconds=5)
            except UrlRefused:
                continue
            except RemoteUnavailable as exc:
                passed.append((url, exc.detail))
    assert passed == []
    assert connected == []
    assert len(HOSTILE) >= 134


def test_a_refusal_is_not_retryable() -> None:
    assert not UrlRefused("refused").retryable


class Site:
    """A server on this machine that does what remote servers do wrong."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.port = 0
        self.answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {}

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.answers[request.path](request)

    def answer(self, path: str, **options: object) -> None:
        async def given(_: web.Request) -> web.StreamResponse:
            return web.Response(**options)  # type: ignore[arg-type]

        self.answers[path] = given


@asynccontextmanager
async def serving() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    try:
        yield site
    finally:
        await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as served:
        yield served


@pytest.fixture
async def outbound(site: Site) -> AsyncIterator[Outbound]:
    async with guarded_session(allow=[f"127.0.0.1:{site.port}"]) as opened:
        yield opened


async def test_an_allowed_target_is_read_whole(site: Site, outbound: Outbound) -> None:
    site.answer("/picture", body=b"x" * 300_000, content_type="image/jpeg")
    answer = await outbound.fetch(site.url("/picture"), max_bytes=300_000, max_seconds=5, accept="image/jpeg")
    assert (answer.status, len(answer.body), answer.headers["content-type"]) == (200, 300_000, "image/jpeg")
    sent = site.requests[0].headers
    assert (sent["Accept"], sent["Accept-Encoding"], sent["User-Agent"]) == ("image/jpeg", "identity", "Souk")


async def test_without_the_entry_the_same_target_is_refused_and_sees_nothing(site: Site) -> None:
    async with guarded_session(allow=[f"127.0.0.1:{site.port + 1}", f"localhost:{site.port}"]) as outbound:
        for host in ("127.0.0.1", "127.1", "[::ffff:127.0.0.1]"):
            with pytest.raises(UrlRefused):
                await outbound.fetch(site.url(host=host), max_bytes=10, max_seconds=5)
    assert not site.requests


async def test_an_entry_opens_only_the_host_as_it_is_written(site: Site, outbound: Outbound) -> None:
    with pytest.raises(UrlRefused):
        await outbound.fetch(site.url(host="localhost"), max_bytes=10, max_seconds=5)
    assert not site.requests


async def test_a_redirect_to_an_allowed_target_is_followed_and_headers_stay_behind(
    site: Site, outbound: Outbound
) -> None:
    async with serving() as other, guarded_session(allow=[f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}"]) as both:
        site.answer("/a", status=302, headers={"Location": "/b"})
        site.answer("/b", status=307, headers={"Location": other.url("/c")})
        other.answer("/c", body=b"here")
        answer = await both.fetch(
            site.url("/a"), max_bytes=10, max_seconds=5, headers={"Authorization": "Bearer secret"}
        )
        assert (answer.body, answer.url) == (b"here", other.url("/c"))
        assert [request.headers.get("Authorization") for request in site.requests] == ["Bearer secret"] * 2
        assert "Authorization" not in other.requests[0].headers


@pytest.mark.parametrize("scheme_and_host", ["http://127.0.0.1", "http://localhost", "//127.1", "http://[::1]"])
async def test_a_redirect_to_a_port_that_is_not_allowed_is_refused(
    site: Site, outbound: Outbound, scheme_and_host: str
) -> None:
    async with serving() as other:
        site.answer("/a", status=301, headers={"Location": f"{scheme_and_host}:{other.port}/secret"})
        with pytest.raises(UrlRefused):
            await outbound.fetch(site.url("/a"), max_bytes=10, max_seconds=5)
        assert not other.requests


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "http://169.254.169.254/", "ftp://example.com/", "http://u:p@example.com/", "//["],
)
async def test_a_redirect_is_checked_like_any_address(site: Site, outbound: Outbound, location: str) -> None:
    site.answer("/a", status=308, headers={"Location": location})
    with pytest.raises(UrlRefused):
        await outbound.fetch(site.url("/a"), max_bytes=10, max_seconds=5)


async def test_three_redirects_are_followed_and_a_fourth_is_not(site: Site, outbound: Outbound) -> None:
    for step in range(4):
        site.answer(f"/{step}", status=303, headers={"Location": f"/{step + 1}"})
    site.answer("/4", body=b"end")
    assert (await outbound.fetch(site.url("/1"), max_bytes=10, max_seconds=5)).body == b"end"
    with pytest.raises(RemoteRejected):
        await outbound.fetch(site.url("/0"), max_bytes=10, max_seconds=5)


async def test_a_redirect_without_a_target_is_rejected(site: Site, outbound: Outbound) -> None:
    site.answer("/a", status=302)
    with pytest.raises(RemoteRejected):
        await outbound.fetch(site.url("/a"), max_bytes=10, max_seconds=5)


async def test_announced_and_unannounced_bytes_are_capped(site: Site, outbound: Outbound) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))
            sent += 65_536

    site.answer("/announced", body=bytes(5000))
    site.answers["/endless"] = endless
    for path in ("/announced", "/endless"):
        with pytest.raises(RemoteTooLarge):
            await outbound.fetch(site.url(path), max_bytes=4999, max_seconds=5)
    assert sent < 20_000_000
    assert len((await outbound.fetch(site.url("/announced"), max_bytes=5000, max_seconds=5)).body) == 5000


@pytest.mark.parametrize("before_headers", [True, False])
async def test_a_slow_answer_ends_in_time(site: Site, outbound: Outbound, before_headers: bool) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if before_headers:
            await asyncio.Event().wait()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    site.answers["/slow"] = drip
    started = time.monotonic()
    with pytest.raises(RemoteUnavailable) as failed:
        await outbound.fetch(site.url("/slow"), max_bytes=10_000, max_seconds=0.3)
    assert failed.value.retryable
    assert time.monotonic() - started < 2


async def test_a_compressed_answer_is_not_unpacked(site: Site, outbound: Outbound) -> None:
    site.answer("/gzip", body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    with pytest.raises(RemoteRejected):
        await outbound.fetch(site.url("/gzip"), max_bytes=100, max_seconds=5)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_a_refusal_is_final(site: Site, outbound: Outbound, status: int) -> None:
    site.answer("/a", status=status)
    with pytest.raises(RemoteRejected) as failed:
        await outbound.fetch(site.url("/a"), max_bytes=100, max_seconds=5)
    assert not failed.value.retryable


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [(429, "7", 7.0), (503, None, None), (500, "soon", None), (502, "9999999", 86_400.0), (408, "-1", None)],
)
async def test_trouble_over_there_is_tried_again_when_it_says(
    site: Site, outbound: Outbound, status: int, retry_after: str | None, expected: float | None
) -> None:
    site.answer("/a", status=status, headers={"Retry-After": retry_after} if retry_after else {})
    with pytest.raises(RemoteUnavailable) as failed:
        await outbound.fetch(site.url("/a"), max_bytes=100, max_seconds=5)
    assert failed.value.retry_after_seconds == expected


async def test_nobody_listening_and_a_dropped_connection_are_unavailable(site: Site, outbound: Outbound) -> None:
    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    site.answers["/drop"] = drop
    with pytest.raises(RemoteUnavailable):
        await outbound.fetch(site.url("/drop"), max_bytes=100, max_seconds=5)
    async with guarded_session(allow=["127.0.0.1:9"]) as closed:
        with pytest.raises(RemoteUnavailable):
            await closed.fetch("http://127.0.0.1:9/", max_bytes=100, max_seconds=5)


async def test_cookies_are_not_kept(site: Site, outbound: Outbound) -> None:
    site.answer("/a", headers={"Set-Cookie": "a=b"})
    for _ in range(2):
        await outbound.fetch(site.url("/a"), max_bytes=100, max_seconds=5)
    assert "Cookie" not in site.requests[1].headers


async def test_post_answers_with_any_status_and_follows_nothing(site: Site, outbound: Outbound) -> None:
    site.answer("/gone", status=410)
    site.answer("/moved", status=302, headers={"Location": "/gone"})
    for path, status in (("/gone", 410), ("/moved", 302)):
        answer = await outbound.post(site.url(path), b"body", headers={"TTL": "60"}, max_seconds=5)
        assert answer.status == status
    assert [(request.method, request.headers["TTL"]) for request in site.requests] == [("POST", "60")] * 2
    with pytest.raises(UrlRefused):
        await outbound.post("http://127.0.0.1:1/", b"", headers={}, max_seconds=5)


async def test_a_name_with_one_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def mixed(*_: object) -> list[dict[str, object]]:
        return [
            {"hostname": "example.com", "host": host, "port": 80, "family": 2, "proto": 0, "flags": 0}
            for host in ("93.184.215.14", "127.0.0.1")
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", mixed)
    async with guarded_session() as outbound:
        with pytest.raises(UrlRefused):
            await outbound.fetch("http://example.com/", max_bytes=100, max_seconds=5)


@pytest.mark.parametrize(
    "entry", ["*", "*:80", "localhost", "localhost:", ":80", "localhost:*", "http://x:80", "a@b:80", ""]
)
def test_the_allow_list_takes_exact_targets_only(entry: str) -> None:
    with pytest.raises(ValueError, match="exact host:port"):
        parse_allow([entry])


def test_the_allow_list_reads_names_and_both_kinds_of_addresses() -> None:
    assert parse_allow(["LocalHost:80", "127.0.0.1:8099", "[::1]:443"]) == {
        ("localhost", 80),
        ("127.0.0.1", 8099),
        ("::1", 443),
    }
