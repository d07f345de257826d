"""What the notifier does: letters by mail, and lines in the in-app inbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from uuid import UUID

from services.notifier import store
from services.notifier.contacts import Contacts
from services.notifier.errors import MailboxDeferred, MailboxRejected, NobodyToTell
from services.notifier.letters import letter_for, params_of
from services.notifier.mailer import Mailer
from services.notifier.mime import message_for, message_id
from services.notifier.models import Contact, Delivery, DeliveryOutcome, MailingResult, Notification
from shared.clock import Clock
from shared.contracts.base import Audience
from shared.contracts.events import NotificationCreated
from shared.contracts.jobs import SendEmail, SendNotification
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.errors import InvalidInput
from shared.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailroom:
    """Mails one letter to everybody of an audience. `public_url` is where its links lead."""

    pool: Pool
    contacts: Contacts
    mailer: Mailer
    sender: Address
    public_url: str
    clock: Clock

    async def send_email(self, job: SendEmail, *, job_id: UUID, traceparent: str | None = None) -> MailingResult:
        """Mail `job.letter` to each person who does not have it from this job yet.

        At least once. A row in `deliveries` follows each answer of the mail server at once. Killed before the
        server's 250, nothing was sent; killed between the 250 and the row, the next attempt sends that one mail
        again, with the same Message-ID; killed after the row, never again. Two live copies of a job may both
        send, with the same Message-ID.

        One person's refusal keeps no other from the letter. After all were tried:
        - somebody was put off (MailboxDeferred): raised, and the next attempt goes to the rest;
        - everybody was refused for good (MailboxRejected): raised, nothing to repeat;
        - else the result says who has it and who was refused. A refused person is asked for again when the
          job runs again, so a retry by hand after the mailbox was mended reaches them.
        MailUnavailable is raised at once: the others would wait in vain.
        Also raises UnknownLetter, BadLetterParams (before anything is sent) and NobodyToTell.
        """
        params_of(job.letter, job.params)
        people = await self._people(job.audience)
        async with connection(self.pool) as conn:
            already = await store.sent_to(conn, job_id)
        sent: list[UUID] = []
        refused: list[tuple[UUID, str]] = []
        put_off: list[MailboxDeferred] = []
        for person in people:
            if person.account_id in already:
                continue
            try:
                await self._mail(job, person, job_id=job_id, traceparent=traceparent)
                sent.append(person.account_id)
            except MailboxDeferred as exc:
                put_off.append(exc)
            except MailboxRejected as exc:
                refused.append((person.account_id, exc.answer or exc.detail))
        if put_off:
            raise MailboxDeferred(f"{len(put_off)} of {len(people)} recipients were put off. {put_off[0].detail}")
        if len(refused) == len(people):
            raise MailboxRejected(f"All {len(people)} recipients were refused. The first: {refused[0][1]}")
        have_it = tuple(person.account_id for person in people if person.account_id in already)
        return MailingResult(sent=tuple(sent), already_sent=have_it, refused=tuple(refused))

    async def _people(self, audience: Audience) -> Sequence[Contact]:
        match audience:
            case Audience(kind="admins"):
                people = await self.contacts.admins()
            case Audience(kind="vendor", vendor_id=UUID() as vendor_id):
                people = await self.contacts.vendor(vendor_id)
            case _:
                raise InvalidInput("An audience of kind `vendor` needs its vendor_id.")
        if not people:
            raise NobodyToTell(f"The audience {audience.kind!r} has nobody with an address.")
        return people

    async def _mail(self, job: SendEmail, person: Contact, *, job_id: UUID, traceparent: str | None) -> None:
        """Send one person's copy and note the answer."""

        async def note(outcome: DeliveryOutcome, answer: str) -> None:
            identifier = message_id(job_id, person.account_id, domain=self.sender.domain)
            delivery = Delivery(job_id, person.account_id, identifier, outcome, answer, self.clock())
            async with connection(self.pool) as conn:
                await store.record_delivery(conn, delivery)

        letter = letter_for(job.letter, job.params, recipient=person, public_url=self.public_url)
        try:
            message = message_for(
                letter, person, sender=self.sender, job_id=job_id, at=self.clock(), traceparent=traceparent
            )
            answer = await self.mailer.send(message)
        except MailboxRejected as exc:
            await note(DeliveryOutcome.REFUSED, exc.answer or exc.detail)
            raise
        await note(DeliveryOutcome.SENT, str(answer))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Keeps the in-app notifications, and tells live pages of new ones (`notification.created`)."""

    pool: Pool
    outbox: Outbox
    clock: Clock

    async def send_notification(self, job: SendNotification, *, job_id: UUID, traceparent: str | None = None) -> bool:
        """Put one line into the audience's inbox; False if an earlier copy of the job did. Safe to run twice."""
        if job.audience.kind == "vendor" and job.audience.vendor_id is None:
            raise InvalidInput("An audience of kind `vendor` needs its vendor_id.")
        notification = Notification(
            id=new_id(),
            vendor_id=job.audience.vendor_id if job.audience.kind == "vendor" else None,
            kind=job.kind,
            params=dict(job.model_dump(mode="json")["params"]),
            dedupe_key=job.dedupe_key,
            created_at=self.clock(),
        )
        created = NotificationCreated(
            vendor_id=notification.vendor_id,
            notification_id=notification.id,
            audience=job.audience,
            kind=job.kind,
        )
        async with transaction(self.pool) as conn:
            is_new = await store.add_notification(conn, notification)
            if is_new:
                await self.outbox.add(conn, created, traceparent=traceparent, cause=job_id)
        return is_new
