"""The headers and parts of a mail."""

import dataclasses
import email
from email import policy
from email.headerregistry import Address
from uuid import UUID

import pytest

from services.notifier.errors import MailboxRejected
from services.notifier.mime import message_for, message_id
from services.notifier.models import Contact
from tests.golden import kept_mails as mails


def test_the_message_id_is_the_same_for_every_attempt_and_differs_by_person_and_job() -> None:
    ids = {
        message_id(job, account, domain="example.com")
        for job in (UUID(int=1), UUID(int=2))
        for account in (UUID(int=3), UUID(int=4))
        for _ in range(2)
    }
    assert len(ids) == 4


def test_a_long_message_id_stays_on_its_line() -> None:
    sender = Address("Souk", "souk", "a-rather-long-name.notifications.example.com")
    letter = mails.letter_of("product_approved")
    raw = message_for(letter, mails.VENDOR, sender=sender, job_id=mails.JOB, at=mails.AT).as_bytes()
    assert b"\r\nMessage-ID: <0193b3c0-" in raw


def test_what_is_sent_reads_back_as_what_was_written() -> None:
    letter = mails.letter_of("product_rejected")
    message = message_for(
        letter, mails.VENDOR, sender=mails.SENDER, job_id=mails.JOB, at=mails.AT, traceparent="00-ab-cd-01"
    )
    read = email.message_from_bytes(message.as_bytes(), policy=policy.default)
    assert read["To"].addresses[0].display_name == "Łucja Nowak"
    assert read["Subject"] == letter.subject
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["X-Souk-Job"] == str(mails.JOB)
    assert read["traceparent"] == "00-ab-cd-01"
    text, html = read.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content() == letter.text.replace("\n", "\r\n") or text.get_content() == letter.text


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@example.com, b@example.com", "a@example.com\r\nBcc: b@example.com", "a b@example.com", "<a@b>"],
)
def test_what_is_no_single_address_gets_no_mail(address: str) -> None:
    with pytest.raises(MailboxRejected):
        message_for(
            mails.letter_of("product_approved"),
            Contact(UUID(int=1), address, "Ada"),
            sender=mails.SENDER,
            job_id=mails.JOB,
            at=mails.AT,
        )


@pytest.mark.parametrize(
    "typed",
    [
        "Bowl\r\nBcc: evil@example.com",
        "Bowl =?utf-8?q?=0D=0ABcc:_evil@example.com=0D=0A=0D=0ABuy_this?=",
        "=?utf-8?b?Qm93bA0KQmNjOiBldmlsQGV4YW1wbGUuY29t?= walnut",
        "Schüssel =?utf-8?q?=0D=0ABcc:_evil@example.com?=",
        "=?utf-8?q?=E2=80=AEgnihtemos?=",
    ],
)
def test_what_people_typed_adds_no_header_and_hides_no_word(typed: str) -> None:
    letter = dataclasses.replace(mails.letter_of("product_approved"), subject=f"Approved: {typed}")
    recipient = dataclasses.replace(mails.VENDOR, name=typed)
    raw = message_for(letter, recipient, sender=mails.SENDER, job_id=mails.JOB, at=mails.AT).as_bytes()
    read = email.message_from_bytes(raw, policy=policy.default)
    assert read["Bcc"] is None
    assert read["Auto-Submitted"] == "auto-generated"  # what comes after is still a header
    shown = str(read["Subject"]).replace("= ?", "=?").split()
    assert shown == f"Approved: {typed}".split()
