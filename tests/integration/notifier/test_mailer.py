"""The mailer against a real SMTP server: what each of its answers becomes."""

import asyncio
import ssl
import subprocess
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.notifier.errors import MailboxDeferred, MailboxRejected, MailServerDown, MailUnavailable
from services.notifier.mailer import Mailer, MailServer, TlsMode
from services.notifier.mime import message_for
from services.notifier.models import Contact, SmtpAnswer
from shared.errors import AppError, DependencyDown
from tests.golden import kept_mails as mails
from tests.integration.notifier.smtp_sink import Sink, serving


def message_to(address: str) -> EmailMessage:
    recipient = Contact(UUID(int=1), address, "Ada")
    return message_for(
        mails.letter_of("product_approved"), recipient, sender=mails.SENDER, job_id=mails.JOB, at=mails.AT
    )


async def send(server: MailServer, address: str = "ada@example.com") -> SmtpAnswer:
    async with Mailer(server) as mailer:
        return await mailer.send(message_to(address))


async def test_the_server_gets_the_message_as_it_was_written_and_its_answer_comes_back(sink: Sink) -> None:
    message = mails.message_of("hostile")
    async with Mailer(sink.server) as mailer:
        assert await mailer.send(message) == SmtpAnswer(250, "2.0.0 kept")
    assert sink.taken == [(mails.VENDOR.email, (mails.FOLDER / "hostile.eml").read_bytes())]


async def test_messages_one_after_the_other_share_a_connection(sink: Sink) -> None:
    async with Mailer(sink.server) as mailer:
        for _ in range(5):
            await mailer.send(message_to("ada@example.com"))
    assert (len(sink.taken), sink.connections) == (5, 1)


async def test_messages_at_once_use_no_more_connections_than_allowed(sink: Sink) -> None:
    async with Mailer(replace(sink.server, max_connections=3)) as mailer:
        await asyncio.gather(*(mailer.send(message_to("ada@example.com")) for _ in range(20)))
    assert len(sink.taken) == 20
    assert sink.connections <= 3


async def test_a_connection_the_server_closed_in_between_costs_no_message(sink: Sink) -> None:
    async with Mailer(sink.server) as mailer:
        await mailer.send(message_to("ada@example.com"))
        sink.hang_up()
        await mailer.send(message_to("ada@example.com"))
    assert (len(sink.taken), sink.connections) == (2, 2)


async def test_a_connection_is_good_for_others_after_a_refusal(sink: Sink) -> None:
    sink.replies["gone@example.com"] = "550 5.1.1 no such user"
    async with Mailer(sink.server) as mailer:
        with pytest.raises(MailboxRejected):
            await mailer.send(message_to("gone@example.com"))
        await mailer.send(message_to("ada@example.com"))
    assert (sink.recipients, sink.connections) == (["ada@example.com"], 1)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("421 4.3.2 shutting down", MailUnavailable),
        ("451 4.7.1 greylisted, come back", MailboxDeferred),
        ("452 4.2.2 mailbox full", MailboxDeferred),
        ("530 5.7.0 authentication required", MailUnavailable),
        ("550 5.1.1 no such user", MailboxRejected),
        ("552 5.3.4 message too big", MailboxRejected),
        ("554 5.7.1 we do not like you", MailboxRejected),
    ],
)
@pytest.mark.parametrize("stage", ["recipient", "content"])
async def test_each_refusal_has_its_name(sink: Sink, reply: str, error: type[AppError], stage: str) -> None:
    if stage == "recipient":
        sink.replies["ada@example.com"] = reply
    else:
        sink.data_reply = reply
    with pytest.raises(error, match=reply[:3]):
        await send(sink.server)
    assert sink.taken == []


@pytest.mark.parametrize("reply", ["421 4.3.2 shutting down", "451 4.7.1 greylisted, come back"])
async def test_what_befalls_one_mail_is_not_taken_for_the_server_being_down(sink: Sink, reply: str) -> None:
    sink.replies["ada@example.com"] = reply
    with pytest.raises(AppError) as refusal:
        await send(sink.server)
    assert not isinstance(refusal.value, DependencyDown)


async def test_a_server_that_greets_with_421_is_down() -> None:
    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 4.3.2 too busy\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(busy, "127.0.0.1", 0) as listener:
        with pytest.raises(MailServerDown):
            await send(MailServer("127.0.0.1", listener.sockets[0].getsockname()[1], timeout_seconds=5))


@pytest.mark.parametrize("reply", ["553 5.1.8 sender not allowed", "451 4.3.0 later"])
async def test_a_refused_sender_is_our_fault_not_the_recipients(sink: Sink, reply: str) -> None:
    sink.sender_reply = reply
    with pytest.raises(MailServerDown, match="sender address"):
        await send(sink.server)


async def test_the_persons_address_is_left_out_of_what_is_told(sink: Sink) -> None:
    sink.replies["ada@example.com"] = "550 5.1.1 <Ada@Example.com>: no such user"
    with pytest.raises(MailboxRejected) as refusal:
        await send(sink.server)
    assert refusal.value.answer == "550 5.1.1 <recipient>: no such user"
    assert "ada@" not in refusal.value.detail.lower()


async def test_nobody_listening_is_unavailable(sink: Sink, unused_tcp_port: int) -> None:
    with pytest.raises(MailServerDown, match="cannot be reached"):
        await send(replace(sink.server, port=unused_tcp_port))


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
        server = MailServer("127.0.0.1", listener.sockets[0].getsockname()[1], timeout_seconds=0.1)
        with pytest.raises(MailServerDown, match=r"within 0\.1 s|cannot be reached"):
            await send(server)
        await left.wait()


async def test_an_address_outside_ascii_is_sent_where_the_server_can_and_refused_where_not() -> None:
    async with serving(Sink()) as able:
        await send(able.server, "jörg@example.com")
        assert able.recipients == ["jörg@example.com"]
    async with serving(Sink(), smtputf8=False) as unable:
        with pytest.raises(MailboxRejected, match="outside ASCII"):
            await send(unable.server, "jörg@example.com")


async def test_sign_in_is_done_and_a_wrong_password_is_told_as_such() -> None:
    async with serving(Sink(), login=("souk", "right")) as sink:
        await send(replace(sink.server, user="souk", password=SecretStr("right")))
        assert sink.recipients == ["ada@example.com"]
        with pytest.raises(MailUnavailable, match="does not accept our sign-in") as refusal:
            await send(replace(sink.server, user="souk", password=SecretStr("not-right")))
        assert "not-right" not in refusal.value.detail
        with pytest.raises(MailUnavailable, match="wants a sign-in"):
            await send(sink.server)


async def test_without_starttls_nothing_is_sent_in_the_clear(sink: Sink) -> None:
    with pytest.raises(MailUnavailable):
        await send(replace(sink.server, tls=TlsMode.STARTTLS))
    assert sink.taken == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, trusted by nobody but who names the file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    where = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run([*command.split(), *where], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.mark.parametrize("mode", [TlsMode.TLS, TlsMode.STARTTLS])
async def test_tls_is_used_with_a_trusted_certificate_and_with_no_other(mode: TlsMode, certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    tls, starttls = (context, None) if mode is TlsMode.TLS else (None, context)
    async with serving(Sink(), tls=tls, starttls=starttls) as sink:
        await send(replace(sink.server, tls=mode, ca_file=certificate))
        assert sink.recipients == ["ada@example.com"]
        with pytest.raises(MailUnavailable):
            await send(replace(sink.server, tls=mode))
        assert len(sink.taken) == 1
