"""SMTP edge: what the sink answers to RCPT and DATA."""

import asyncio

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.mailsink.mailbox import Mailbox
from deploy.local.mailsink.refusals import Refusals

log = structlog.get_logger(__name__)


class Receiver:
    """The hooks that aiosmtpd calls; their names are its own."""

    def __init__(self, *, mailbox: Mailbox, refusals: Refusals) -> None:
        self._mailbox = mailbox
        self._refusals = refusals

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse whom a test wants refused, take everyone else."""
        refusal = self._refusals.reply_to(address)
        if refusal is not None:
            log.info("recipient_refused", reply=refusal)
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Answer 250 only once the mail is on the disk."""
        content = envelope.content or b""
        try:
            mail = await asyncio.to_thread(
                self._mailbox.put,
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                content=content.encode() if isinstance(content, str) else content,
            )
        except OSError as full:
            log.error("mail_not_stored", error=str(full))
            return "452 4.3.1 The mail could not be stored"
        log.info("mail_stored", mail_id=str(mail.id), bytes=mail.size_bytes)
        return f"250 2.0.0 OK {mail.id}"
