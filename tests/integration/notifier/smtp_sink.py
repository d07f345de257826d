"""A mail server that says what a test wants it to say."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from aiosmtpd.smtp import LoginPassword as Login

from services.notifier.mailer import MailServer


@dataclass
class Sink:
    """Keeps what it takes, and replies as told: by address to RCPT, or to any sender or content.

    With `hang_up_at_content` it takes the content and closes before it has said so.

    The names of the hooks are aiosmtpd's.
    """

    server: MailServer = field(default_factory=lambda: MailServer("127.0.0.1", 0))
    replies: dict[str, str] = field(default_factory=dict)
    data_reply: str = "250 2.0.0 kept"
    sender_reply: str = "250 2.1.0 fine"
    hang_up_at_content: bool = False
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    sessions: list[SMTP] = field(default_factory=list)

    @property
    def recipients(self) -> list[str]:
        """Who got mail, in order."""
        return [address for address, _ in self.taken]

    def hang_up(self) -> None:
        """Close every connection from this side, as a server does that restarts."""
        for session in self.sessions:
            if session.transport is not None:
                session.transport.close()

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.sender_reply

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.replies.get(address, "250 2.1.5 fine")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        if self.data_reply.startswith("250"):
            self.taken += [(address, envelope.content) for address in envelope.rcpt_tos]
        if self.hang_up_at_content:
            self.hang_up()
        return self.data_reply


@asynccontextmanager
async def serving(
    sink: Sink,
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    smtputf8: bool = True,
) -> AsyncIterator[Sink]:
    """Serve `sink` on a free port of the loopback, in this event loop; `sink.server` then tells how to reach it."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Login) -> AuthResult:
        assert login is not None
        is_right = (given.login.decode(), given.password.decode()) == login
        return AuthResult(success=is_right, handled=False)

    def accept() -> SMTP:
        sink.connections += 1
        with warnings.catch_warnings(action="ignore"):  # of signing in without TLS: it is the loopback
            protocol = SMTP(
                sink,
                enable_SMTPUTF8=smtputf8,
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_require_tls=False,
                authenticator=check if login else None,
                auth_required=login is not None,
                loop=asyncio.get_running_loop(),
            )
        sink.sessions.append(protocol)
        return protocol

    listener = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0, ssl=tls)
    sink.server = MailServer("127.0.0.1", listener.sockets[0].getsockname()[1], timeout_seconds=5)
    try:
        yield sink
    finally:
        sink.hang_up()
        listener.close()
        await listener.wait_closed()
