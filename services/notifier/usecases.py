"""What the notifier does: letters by mail, lines in the in-app inbox, and what each person wants of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from services.notifier import store
from services.notifier.contacts import Contacts
from services.notifier.errors import AnswerLost, MailboxDeferred, MailboxRejected, MailUnavailable, NobodyToTell
from services.notifier.letters import Letter, letter_for, params_of
from services.notifier.mailer import Mailer
from services.notifier.mime import message_for, message_id
from services.notifier.models import (
    ADMIN_KINDS,
    VENDOR_KINDS,
    Contact,
    Delivery,
    DeliveryOutcome,
    InboxPage,
    MailingResult,
    Notification,
    NotificationResult,
    Preference,
    Reader,
    Recipients,
)
from shared import tracing
from shared.clock import Clock
from shared.contracts.base import Audience
from shared.contracts.events import NotificationCreated
from shared.contracts.jobs import SendEmail, SendNotification
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.errors import FieldError, InvalidInput
from shared.ids import new_id
from shared.log import get_logger

log = get_logger(__name__)

MAILS: Final = Counter(
    "souk_mails",
    "Mails to one person each: sent, deferred (4xx), refused (5xx), unavailable (no mail passes), "
    "answer_lost (perhaps taken: the next attempt may be a duplicate), skipped (not wanted).",
    ["outcome"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailroom:
    """Mails one letter to everybody of an audience. `public_url` is where its links lead."""

    pool: Pool
    contacts: Contacts
    mailer: Mailer
    sender: Address
    public_url: str
    clock: Clock

    async def send_email(
        self,
        job: SendEmail,
        *,
        job_id: UUID,
        before_sending: Callable[[], None] = lambda: None,
    ) -> MailingResult:
        """Mail `job.letter` to each person who wants such letters and does not have it from this job yet.

        At least once. A row in `deliveries` follows each answer of the mail server at once. Killed before the
        server's 250, nothing was sent; killed between the 250 and the row, the next attempt sends that one mail
        again, with the same Message-ID; killed after the row, never again. Two live copies of a job may both
        send, with the same Message-ID.

        One person's refusal keeps no other from the letter. After all were tried:
        - somebody was put off (MailboxDeferred): raised, and the next attempt goes to the rest;
        - everybody was refused for good (MailboxRejected): raised, nothing to repeat;
        - else the result says who has it, who was refused and who does not want it. A refused person is asked
          for again when the job runs again, so a retry by hand after the mailbox was mended reaches them.
        MailUnavailable is raised at once: the others would wait in vain.
        Also raises UnknownLetter, BadLetterParams (before anything is sent), NobodyToTell, and what `before_sending`
        raises: it is called while nobody has the letter yet.
        """
        params_of(job.letter, job.params)
        people = await self._people(job.audience)
        async with connection(self.pool) as conn:
            already = await store.sent_to(conn, job_id)
            unwanted = await store.without_mail(conn, [person.account_id for person in people], kind=job.letter)
        have_it = tuple(person.account_id for person in people if person.account_id in already)
        skipped = tuple(person.account_id for person in people if person.account_id in unwanted - already)
        to_mail = [person for person in people if person.account_id not in already | unwanted]
        if not already:
            before_sending()
        sent: list[UUID] = []
        refused: list[tuple[UUID, str]] = []
        put_off: list[MailboxDeferred] = []
        for person in to_mail:
            try:
                await self._mail(job, person, job_id=job_id)
                sent.append(person.account_id)
            except MailboxDeferred as exc:
                put_off.append(exc)
            except MailboxRejected as exc:
                refused.append((person.account_id, exc.answer or exc.detail))
        if put_off:
            raise MailboxDeferred(f"{len(put_off)} of {len(people)} recipients were put off. {put_off[0].detail}")
        if refused and not sent and not have_it:
            raise MailboxRejected(f"All {len(refused)} recipients were refused. The first: {refused[0][1]}")
        MAILS.labels("skipped").inc(len(skipped))
        return MailingResult(sent=tuple(sent), already_sent=have_it, refused=tuple(refused), skipped=skipped)

    async def preview(
        self, kind: str, params: Mapping[str, object], *, audience: Audience
    ) -> tuple[Letter, Recipients]:
        """The letter as the first of its recipients would get it now, and who they are. Sends and keeps nothing.

        Raises what `send_email` raises before it sends.
        """
        params_of(kind, params)
        people = await self._people(audience)
        async with connection(self.pool) as conn:
            unwanted = await store.without_mail(conn, [person.account_id for person in people], kind=kind)
        recipients = Recipients(
            tuple(person for person in people if person.account_id not in unwanted),
            tuple(person for person in people if person.account_id in unwanted),
        )
        letter = letter_for(kind, params, recipient=(*recipients.wanted, *people)[0], public_url=self.public_url)
        return letter, recipients

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

    async def _mail(self, job: SendEmail, person: Contact, *, job_id: UUID) -> None:
        """Send one person's copy and note the answer. The mail's own header `traceparent` says what it is a part of."""

        async def note(outcome: DeliveryOutcome, answer: str) -> None:
            identifier = message_id(job_id, person.account_id, domain=self.sender.domain)
            delivery = Delivery(job_id, person.account_id, identifier, outcome, answer, self.clock())
            async with connection(self.pool) as conn:
                await store.record_delivery(conn, delivery)

        letter = letter_for(job.letter, job.params, recipient=person, public_url=self.public_url)
        try:
            with tracing.span(f"mail {job.letter}", parent=tracing.current(), kind=tracing.Kind.CLIENT) as span:
                message = message_for(
                    letter, person, sender=self.sender, job_id=job_id, at=self.clock(), traceparent=span.traceparent
                )
                answer = await self.mailer.send(message)
        except MailboxRejected as exc:
            _tell("refused", person)
            await note(DeliveryOutcome.REFUSED, exc.answer or exc.detail)
            raise
        except MailboxDeferred:
            _tell("deferred", person)
            raise
        except MailUnavailable as exc:
            _tell("answer_lost" if isinstance(exc, AnswerLost) else "unavailable", person)
            raise
        _tell("sent", person)
        # Killed from here until the row is written, this one mail is sent again by the next attempt.
        await note(DeliveryOutcome.SENT, str(answer))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Keeps the in-app notifications, and tells live pages of new ones (`notification.created`)."""

    pool: Pool
    outbox: Outbox
    clock: Clock

    async def send_notification(self, job: SendNotification, *, job_id: UUID) -> NotificationResult:
        """Put one line into the audience's inbox, unless an earlier copy of the job did. Safe to run twice.

        It is hidden from who wants no such lines; the result names them. Without a dedupe key of its own the
        job's id is the key. Raises InvalidInput for a vendor audience without its vendor.
        """
        if job.audience.kind == "vendor" and job.audience.vendor_id is None:
            raise InvalidInput("An audience of kind `vendor` needs its vendor_id.")
        vendor_id = job.audience.vendor_id if job.audience.kind == "vendor" else None
        async with transaction(self.pool) as conn:
            notification = Notification(
                id=new_id(),
                vendor_id=vendor_id,
                kind=job.kind,
                params=dict(job.model_dump(mode="json")["params"]),
                dedupe_key=str(job_id) if job.dedupe_key is None else job.dedupe_key,
                created_at=self.clock(),
                hidden_from=await store.without_lines(conn, vendor_id, kind=job.kind),
            )
            is_new = await store.add_notification(conn, notification)
            if not is_new:  # a copy of the job, or another with the same key: what is told is the first one's
                notification = await store.known_notification(conn, notification.dedupe_key) or notification
            else:
                created = NotificationCreated(
                    vendor_id=vendor_id, notification_id=notification.id, audience=job.audience, kind=job.kind
                )
                await self.outbox.add(conn, created, cause=job_id)
        return NotificationResult(notification, is_new)

    async def page(self, reader: Reader, *, below: UUID | None, limit: int) -> InboxPage:
        """Lines of the reader's inbox, newest first, beginning below a position that `next` gave."""
        async with connection(self.pool) as conn:
            lines = await store.inbox(conn, reader, below=below or store.NEWEST, limit=limit + 1)
            unread = await store.unread(conn, reader)
        shown = tuple(lines[:limit])
        return InboxPage(shown, next=shown[-1].id if len(lines) > limit else None, unread=unread)

    async def unread(self, reader: Reader) -> int:
        """How many lines the reader has not read."""
        async with connection(self.pool) as conn:
            return await store.unread(conn, reader)

    async def read(self, reader: Reader, ids: Sequence[UUID]) -> int:
        """Mark lines as read by the reader alone; how many are unread after it. Others' ids are without effect."""
        async with transaction(self.pool) as conn:
            await store.mark_read(conn, reader, ids=ids, at=self.clock())
            return await store.unread(conn, reader)

    async def read_all(self, reader: Reader) -> int:
        """Mark the whole inbox as read by the reader alone; how many are unread after it (new ones).

        A line whose transaction commits in the same milliseconds can count as read with the rest.
        """
        async with transaction(self.pool) as conn:
            await store.mark_all_read(conn, reader, at=self.clock())
            return await store.unread(conn, reader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What each person wants of each kind of message. They hold for what is sent after they were chosen."""

    pool: Pool
    clock: Clock

    async def of(self, reader: Reader) -> tuple[Preference, ...]:
        """One per kind that this person is told of; what was never chosen is on."""
        async with connection(self.pool) as conn:
            chosen = await store.preferences(conn, reader.account_id)
        return tuple(chosen.get(kind, Preference(kind)) for kind in kinds_for(reader))

    async def replace(self, reader: Reader, chosen: Sequence[Preference]) -> tuple[Preference, ...]:
        """Choose anew; kinds left out are on again. Raises InvalidInput for kinds the person is not told of."""
        known = kinds_for(reader)
        errors = [
            FieldError(f"/items/{place}/kind", "unknown_kind", f"one of {', '.join(known)}")
            for place, preference in enumerate(chosen)
            if preference.kind not in known
        ]
        kinds = [preference.kind for preference in chosen]
        errors += [
            FieldError(f"/items/{place}/kind", "repeated", "name each kind once")
            for place, kind in enumerate(kinds)
            if kind in kinds[:place]
        ]
        if errors:
            raise InvalidInput("The preferences do not fit; see errors.", errors=errors)
        async with transaction(self.pool) as conn:
            await store.replace_preferences(conn, reader, chosen, at=self.clock())
        return await self.of(reader)


def _tell(outcome: str, person: Contact) -> None:
    MAILS.labels(outcome).inc()
    log.info("mail_sent" if outcome == "sent" else "mail_not_sent", outcome=outcome, account_id=str(person.account_id))


def kinds_for(reader: Reader) -> tuple[str, ...]:
    """The kinds of messages this person is told of."""
    return ADMIN_KINDS if reader.vendor_id is None else VENDOR_KINDS
