"""The mail sink as a process, spoken to by SMTP and HTTP."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import aiosmtplib
import pytest

from deploy.local.ports import free_ports
from deploy.local.supervisor import Program, Supervisor
from tests.eventually import eventually

FROM = "Souk <no-reply@example.com>"


class Sink:
    """The running sink: `send` by SMTP, `http` for the rest."""

    def __init__(self, supervisor: Supervisor, smtp_port: int, http: aiohttp.ClientSession) -> None:
        self.supervisor = supervisor
        self.smtp_port = smtp_port
        self.http = http

    async def send(self, message: EmailMessage | bytes, *recipients: str) -> None:
        content = message if isinstance(message, bytes) else message.as_bytes()
        await aiosmtplib.send(
            content,
            sender="no-reply@example.com",
            recipients=list(recipients) or ["vendor@example.com"],
            hostname="127.0.0.1",
            port=self.smtp_port,
        )

    async def mails(self, **query: str) -> list[dict[str, object]]:
        async with self.http.get("/api/messages", params=query) as answer:
            assert answer.status == 200
            return list((await answer.json())["items"])

    async def page(self, path: str = "/") -> str:
        async with self.http.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()


def letter(subject: str = "Your product is approved", *, to: str = "vendor@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = FROM
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<0192.1@example.com>"
    message.set_content("Good news.\n")
    message.add_alternative("<p>Good <b>news</b>.</p><script>alert(1)</script>", subtype="html")
    return message


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    async with running_sink(tmp_path) as sink:
        yield sink


@asynccontextmanager
async def running_sink(folder: Path) -> AsyncIterator[Sink]:
    smtp_port, http_port = free_ports(2)
    program = Program(
        name="mailsink",
        argv=(sys.executable, "-m", "deploy.local.mailsink"),
        environment={
            "SOUK_SMTP_PORT": str(smtp_port),
            "SOUK_HTTP_PORT": str(http_port),
            "SOUK_STATE_DIR": str(folder / "mail"),
        },
        ops_url=f"http://127.0.0.1:{http_port}",
    )
    async with (
        Supervisor([program], folder=Path.cwd(), log_folder=folder / "log") as supervisor,
        aiohttp.ClientSession(program.ops_url) as http,
    ):
        await supervisor.ready(20)
        yield Sink(supervisor, smtp_port, http)


async def test_a_mail_is_listed_with_all_its_parts(sink: Sink) -> None:
    await sink.send(letter("Grüße für «Souk» 🎁"), "a@example.com", "b@example.com")
    [mail] = await sink.mails()
    assert mail["subject"] == "Grüße für «Souk» 🎁"
    assert mail["from"] == FROM
    assert mail["to"] == ["a@example.com", "b@example.com"]
    assert mail["message_id"] == "<0192.1@example.com>"
    assert str(mail["received_at"]).endswith("Z")
    assert mail["text"] == "Good news.\n"
    assert "<b>news</b>" in str(mail["html"])
    headers = mail["headers"]
    assert isinstance(headers, dict)
    assert headers["To"] == "vendor@example.com"
    async with sink.http.get(f"/api/messages/{mail['id']}") as answer:
        assert "Subject: =?utf-8?" in (await answer.json())["raw"]


async def test_an_accepted_mail_outlives_a_kill(sink: Sink) -> None:
    await sink.send(letter())
    before = await sink.mails()
    pid = sink.supervisor.states()[0].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: sink.supervisor.states()[0].restarts == 1)
    await sink.supervisor.ready(20)
    assert await sink.mails() == before


async def test_one_recipient_can_be_refused_while_the_others_are_served(sink: Sink) -> None:
    body = {"addresses": ["Full@example.com"], "reply": "451 4.2.2 Mailbox full"}
    async with sink.http.put("/api/refusals", json=body) as answer:
        assert answer.status == 200
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await sink.send(letter(), "full@example.com")
    assert refused.value.recipients[0].code == 451
    await sink.send(letter(), "other@example.com")
    async with sink.http.put("/api/refusals", json={"addresses": []}) as answer:
        assert await answer.json() == {}
    await sink.send(letter(), "full@example.com")
    assert [mail["to"] for mail in await sink.mails()] == [["full@example.com"], ["other@example.com"]]


@pytest.mark.parametrize("reply", ["250 OK", "451 a\r\n250 b", "451", "451 é"])
async def test_a_refusal_must_be_one_line_that_refuses(sink: Sink, reply: str) -> None:
    async with sink.http.put("/api/refusals", json={"addresses": [], "reply": reply}) as answer:
        assert answer.status == 422


async def test_the_list_is_paged_newest_first_and_searched(sink: Sink) -> None:
    for number in range(3):
        await sink.send(letter(f"Mail {number}"), f"reader-{number}@example.com")
    async with sink.http.get("/api/messages", params={"limit": "2"}) as answer:
        page = await answer.json()
    assert [mail["subject"] for mail in page["items"]] == ["Mail 2", "Mail 1"]
    assert [mail["subject"] for mail in await sink.mails(cursor=page["next"])] == ["Mail 0"]
    assert [mail["subject"] for mail in await sink.mails(q="READER-1@")] == ["Mail 1"]


async def test_all_mails_can_be_thrown_away(sink: Sink) -> None:
    await sink.send(letter())
    async with sink.http.delete("/api/messages") as answer:
        assert await answer.json() == {"deleted": 1}
    assert await sink.mails() == []


async def test_a_mail_is_shown_in_a_frame_where_nothing_of_it_can_run(sink: Sink) -> None:
    await sink.send(letter("<script>alert(2)</script>"))
    [mail] = await sink.mails()
    page = await sink.page(f"/messages/{mail['id']}")
    assert "<script>alert" not in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    async with sink.http.get(f"/messages/{mail['id']}/html") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox allow-popups" in policy
        assert "script-src" not in policy
    for view in ("text", "headers", "raw"):
        assert "Good news." in await sink.page(f"/messages/{mail['id']}?view={view}") or view == "headers"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no header at all",
        b"Subject: =?nonsense?q?a?=\r\nFrom: <<>>@@\r\nTo: \xff\xfe\r\n\r\nx",
        b"Content-Type: text/html; charset=martian\r\n\r\n<p>\xff</p>",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--b--",
        b"Message-ID: <[]>\r\nDate: yesterday\r\n\r\n\x00",
    ],
)
async def test_odd_mails_are_kept_and_shown(sink: Sink, raw: bytes) -> None:
    await sink.send(raw)
    [mail] = await sink.mails()
    for view in ("html", "text", "headers", "raw"):
        await sink.page(f"/messages/{mail['id']}?view={view}")


@pytest.mark.parametrize("path", ["/messages/none", f"/messages/{'0' * 32}", "/api/messages/none"])
async def test_a_mail_that_is_not_there_is_404(sink: Sink, path: str) -> None:
    async with sink.http.get(path) as answer:
        assert answer.status == 404


async def test_another_host_name_is_refused(sink: Sink) -> None:
    async with sink.http.get("/", headers={"Host": "rebound.example.com"}) as answer:
        assert answer.status == 421
