"""From a letter to the MIME message of one recipient. Pure."""

import hashlib
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from uuid import UUID

from services.notifier.errors import MailboxRejected
from services.notifier.letters import Letter
from services.notifier.models import Contact
from services.notifier.wording import one_line


class _WireFormat(EmailPolicy):
    """`email.policy.SMTP`, but a long Message-ID stays on its line: folding it is legal, and some servers
    and mail programs still lose a folded one (https://github.com/python/cpython/issues/79986)."""

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {value}{self.linesep}" if name.lower() == "message-id" else super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        return self.fold(name, value).encode() if name.lower() == "message-id" else super().fold_binary(name, value)


WIRE = _WireFormat(linesep="\r\n")


def message_id(job_id: UUID, account_id: UUID, *, domain: str) -> str:
    """The same for every attempt of a job, so that a mail sent twice can be told to be the same one."""
    recipient = hashlib.sha256(account_id.bytes).hexdigest()[:16]
    return f"<{job_id}.{recipient}@{domain}>"


def message_for(
    letter: Letter,
    recipient: Contact,
    *,
    sender: Address,
    job_id: UUID,
    at: datetime,
    traceparent: str | None = None,
) -> EmailMessage:
    """The message with a text and an HTML part. Non-ASCII headers are encoded (RFC 2047) when it is serialised.

    `Auto-Submitted` (RFC 3834) keeps vacation replies away. There is no `List-Id`: each letter is written to one
    person about their own work, so mail programs shall not file it as a mailing list.
    Raises MailboxRejected for an address no mail can be sent to.
    """
    message = EmailMessage(policy=WIRE)
    message["From"] = sender
    message["To"] = address_of(recipient)
    message["Subject"] = header_text(letter.subject)
    message["Date"] = at
    message["Message-ID"] = message_id(job_id, recipient.account_id, domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"  # the same said to Exchange
    message["X-Souk-Job"] = str(job_id)
    if traceparent is not None:
        message["traceparent"] = one_line(traceparent)
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return message


def header_text(text: str) -> str:
    """One line for a header, with nothing in it that a reader takes for an encoded word (RFC 2047).

    `EmailMessage` decodes `=?utf-8?q?=0D=0ABcc:…?=` when it is given one, and before Python 3.11.10 writes the line
    end it finds there into the message (CVE-2024-6923): a product's title could add headers, or replace the mail.
    """
    return one_line(text).replace("=?", "= ?")


def address_of(recipient: Contact) -> Address:
    """The recipient as a header shows it. Raises MailboxRejected for what is no single address."""
    user, _, domain = recipient.email.rpartition("@")
    try:
        # The parser judges the shape. It knows no letters outside ASCII, which RFC 6531 treats like any letter.
        Address(addr_spec="".join(c if c.isascii() else "x" if c.isalnum() else " " for c in recipient.email))
        return Address(header_text(recipient.name), user, domain)
    except (ValueError, HeaderParseError, IndexError) as exc:
        raise MailboxRejected(f"The address of account {recipient.account_id} is not a mail address.") from exc
