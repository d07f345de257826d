"""Handing messages to the mail server over SMTP, on a few connections that are used again while they are fresh."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from enum import Enum, StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import aiosmtplib
from pydantic import SecretStr

from services.notifier.errors import AnswerLost, MailboxDeferred, MailboxRejected, MailServerDown, MailUnavailable
from services.notifier.mime import WIRE
from services.notifier.models import SmtpAnswer
from shared.errors import AppError

MAX_ANSWER_CHARS = 500
CLOSING = 421
AUTHENTICATION_REQUIRED = 530
MESSAGE_REFUSED = (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)
"""Where a 5xx speaks of the recipient or the content. Anywhere else it speaks of us: our sender, our sign-in."""


class TlsMode(StrEnum):
    """How the connection is protected. Certificates are always checked."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class _Stage(Enum):
    """How far a message has come: who is to blame for what ends it."""

    CONNECTING = "connecting"
    TALKING = "talking"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where and how to reach the mail server. `timeout_seconds` bounds one whole message, sign-in included."""

    host: str
    port: int
    tls: TlsMode = TlsMode.NONE
    user: str | None = None
    password: SecretStr | None = None
    timeout_seconds: float = 20.0
    max_connections: int = 4
    idle_seconds: float = 30.0
    """How long an unused connection is trusted; servers close theirs after minutes."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's, for a mail server with a private authority."""


class Mailer:
    """Sends messages; use it as an async context manager, which closes what is open at the end.

    At most once per call and never again by itself: whether to repeat is the caller's to decide.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._free = asyncio.Semaphore(server.max_connections)
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            _, smtp = self._idle.pop()
            with suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit(timeout=1)
            smtp.close()

    async def send(self, message: EmailMessage) -> SmtpAnswer:
        """Hand `message` to the server for its one `To` address and return the answer that accepted it.

        Raises MailUnavailable (nobody's mail passes now), MailboxDeferred (this one later) and MailboxRejected
        (this one never). A MailUnavailable before the server has heard of this mail, or about our sign-in or sender,
        is a MailServerDown: the next mail fares no better. When the connection dies after the content was sent, the
        server may have taken the message all the same: that MailUnavailable is an AnswerLost, and repeating it may
        make a second copy with the same Message-ID.
        """
        stage = _Stage.CONNECTING
        sender, recipient = _only_address(message, "From"), _only_address(message, "To")
        try:
            async with asyncio.timeout(self._server.timeout_seconds), self._connection(sender.domain) as smtp:
                stage = _Stage.TALKING
                options = await _options(smtp, sender, recipient)
                encoding = "utf-8" if options else "ascii"
                await smtp.mail(sender.addr_spec, options=options, encoding=encoding)
                await smtp.rcpt(recipient.addr_spec, encoding=encoding)
                stage = _Stage.CONTENT
                answer = await smtp.data(message.as_bytes(policy=WIRE.clone(utf8=bool(options))))
                return _answer(answer.code, answer.message, recipient)
        except aiosmtplib.SMTPResponseException as exc:
            refusal = _answer(exc.code, exc.message, recipient)
            raise _named(exc, refusal, stage) from exc
        except TimeoutError as exc:
            raise _gone(f"The mail server did not answer within {self._server.timeout_seconds:g} s.", stage) from exc
        except (aiosmtplib.SMTPException, OSError) as exc:
            raise _gone(f"The mail server cannot be reached: {_brief(str(exc), recipient)}", stage) from exc

    @asynccontextmanager
    async def _connection(self, local_hostname: str) -> AsyncIterator[aiosmtplib.SMTP]:
        """A signed-in connection for one message: a fresh idle one, else a new one.

        It is kept afterwards unless the block failed in a way that leaves the dialogue in doubt.
        """
        loop = asyncio.get_running_loop()
        async with self._free:
            smtp = await self._reusable(loop.time()) or await self._connect(local_hostname)
            try:
                yield smtp
            except MESSAGE_REFUSED:
                await self._keep(smtp, loop.time())
                raise
            except BaseException:
                smtp.close()
                raise
            self._idle.append((loop.time(), smtp))

    async def _reusable(self, now: float) -> aiosmtplib.SMTP | None:
        """The idle connection used last, if the server still answers on it. Asked before each message,
        since a message lost to a connection that was already dead would count as an attempt."""
        while self._idle:
            since, smtp = self._idle.pop()
            if now - since < self._server.idle_seconds and smtp.is_connected:
                try:
                    await smtp.noop()
                except (aiosmtplib.SMTPException, OSError):
                    smtp.close()
                    continue
                return smtp
            smtp.close()
        return None

    async def _keep(self, smtp: aiosmtplib.SMTP, now: float) -> None:
        """Keep a connection whose message was refused, once the server has forgotten that message."""
        try:
            await smtp.rset()
        except (aiosmtplib.SMTPException, OSError):
            smtp.close()
        else:
            self._idle.append((now, smtp))

    async def _connect(self, local_hostname: str) -> aiosmtplib.SMTP:
        server = self._server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=local_hostname,  # the default asks the resolver for this machine's name, which may hang
            timeout=server.timeout_seconds,
            use_tls=server.tls is TlsMode.TLS,
            start_tls=server.tls is TlsMode.STARTTLS,
            cert_bundle=None if server.ca_file is None else str(server.ca_file),
            username=server.user,
            password=server.password.get_secret_value() if server.password else None,
        )
        await smtp.connect()
        return smtp


def _gone(detail: str, stage: _Stage) -> MailUnavailable:
    """What a lost connection means: before the content nothing was sent, after it nobody can tell."""
    match stage:
        case _Stage.CONNECTING:
            return MailServerDown(detail)
        case _Stage.TALKING:
            return MailUnavailable(detail)
        case _Stage.CONTENT:
            return AnswerLost(f"{detail} The mail may have been taken.")


def _named(exc: aiosmtplib.SMTPResponseException, refusal: SmtpAnswer, stage: _Stage) -> AppError:
    """What a refusing answer means for whoever wants the message sent."""
    if isinstance(exc, aiosmtplib.SMTPAuthenticationError):
        return MailServerDown(f"The mail server does not accept our sign-in: {refusal}")
    if refusal.code == AUTHENTICATION_REQUIRED:
        return MailServerDown(f"The mail server wants a sign-in: {refusal}")
    if isinstance(exc, aiosmtplib.SMTPSenderRefused):
        return MailServerDown(f"The mail server does not accept our sender address: {refusal}")
    if stage is _Stage.CONNECTING:
        return MailServerDown(f"The mail server does not work for us now: {refusal}")
    if refusal.code == CLOSING or not isinstance(exc, MESSAGE_REFUSED):
        return MailUnavailable(f"The mail server does not work for us now: {refusal}")
    if 500 <= refusal.code < 600:
        return MailboxRejected(f"The mail server refused the message for good: {refusal}", answer=str(refusal))
    return MailboxDeferred(f"The mail server put the message off: {refusal}")


async def _options(smtp: aiosmtplib.SMTP, sender: Address, recipient: Address) -> list[str]:
    """SMTPUTF8 (RFC 6531) where an address needs it. Raises MailboxRejected if the server does not know it."""
    if sender.addr_spec.isascii() and recipient.addr_spec.isascii():
        return []
    await smtp.ehlo()
    if not smtp.supports_extension("smtputf8"):
        raise MailboxRejected("The mail server does not take addresses with letters outside ASCII.")
    return ["SMTPUTF8", "BODY=8BITMIME"]


def _only_address(message: EmailMessage, header: str) -> Address:
    (address,) = message[header].addresses
    assert isinstance(address, Address)
    return address


def _answer(code: int, text: str, recipient: Address) -> SmtpAnswer:
    return SmtpAnswer(code, _brief(text, recipient))


def _brief(text: str, recipient: Address) -> str:
    """The server's words on one line, without the person's address: they travel into the ledger and its pages."""
    without = re.sub(re.escape(recipient.addr_spec), "recipient", text, flags=re.IGNORECASE)
    return " ".join(without.split())[:MAX_ANSWER_CHARS]
