"""Letters and inbox lines against a real database and a real SMTP server: who gets what, how often."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.notifier import store
from services.notifier.errors import BadLetterParams, MailboxDeferred, MailboxRejected, MailUnavailable, NobodyToTell
from services.notifier.mailer import Mailer
from services.notifier.models import Contact
from services.notifier.usecases import Inbox, Mailroom
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.contracts.jobs import SendEmail, SendNotification
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, open_pool
from shared.errors import InvalidInput
from shared.ids import new_id
from tests.golden import mails
from tests.integration.notifier.smtp_sink import Sink
from tests.servers import Database

VENDOR = UUID(int=7)
ADA, BEN, EVE = (
    Contact(UUID(int=number), f"{name.lower()}@example.com", name)
    for number, name in enumerate(("Ada", "Ben", "Eve"), start=1)
)
TO_ADMINS = SendEmail(
    letter="product_submitted",
    audience=Audience(kind="admins"),
    params={
        "product_id": mails.PRODUCT,
        "title": "Bowl",
        "sku": "B-1",
        "vendor_name": "Atelier",
        "price_minor": 100,
        "currency": "EUR",
    },
)
APPROVED = SendNotification(
    kind="product_approved",
    audience=Audience(kind="vendor", vendor_id=VENDOR),
    params={"product_id": mails.PRODUCT, "title": "Bowl"},
    dedupe_key="product.approved:1",
)


@dataclass
class People:
    """Contacts that a test chooses."""

    all_admins: list[Contact] = field(default_factory=lambda: [ADA, BEN, EVE])
    vendors: dict[UUID, list[Contact]] = field(default_factory=dict)

    async def admins(self) -> Sequence[Contact]:
        return self.all_admins

    async def vendor(self, vendor_id: UUID) -> Sequence[Contact]:
        return self.vendors.get(vendor_id, [])


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("notifier"), name="test") as opened:
        yield opened


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
async def mailroom(pool: Pool, sink: Sink, people: People) -> AsyncIterator[Mailroom]:
    async with Mailer(sink.server) as mailer:
        yield Mailroom(
            pool=pool,
            contacts=people,
            mailer=mailer,
            sender=mails.SENDER,
            public_url=mails.PUBLIC_URL,
            clock=utc_now,
        )


@pytest.fixture
def inbox(pool: Pool) -> Inbox:
    return Inbox(pool=pool, outbox=Outbox("notifier"), clock=utc_now)


async def deliveries(pool: Pool) -> dict[UUID, tuple[str, str]]:
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT account_id, outcome, answer FROM notifier.deliveries")
    return {row["account_id"]: (row["outcome"], row["answer"]) for row in rows}


async def test_everybody_of_the_audience_gets_the_letter_and_the_answers_are_kept(
    mailroom: Mailroom, sink: Sink, pool: Pool
) -> None:
    result = await mailroom.send_email(TO_ADMINS, job_id=new_id())
    assert result.sent == (ADA.account_id, BEN.account_id, EVE.account_id)
    assert sink.recipients == [ADA.email, BEN.email, EVE.email]
    assert set((await deliveries(pool)).values()) == {("sent", "250 2.0.0 kept")}


async def test_a_job_run_again_sends_nothing_again(mailroom: Mailroom, sink: Sink) -> None:
    job_id = new_id()
    await mailroom.send_email(TO_ADMINS, job_id=job_id)
    again = await mailroom.send_email(TO_ADMINS, job_id=job_id)
    assert (again.sent, len(again.already_sent), len(sink.taken)) == ((), 3, 3)


async def test_another_job_is_another_letter(mailroom: Mailroom, sink: Sink) -> None:
    for _ in range(2):
        await mailroom.send_email(TO_ADMINS, job_id=new_id())
    assert len(sink.taken) == 6


async def test_who_is_put_off_gets_it_at_the_next_attempt_and_the_others_not_twice(
    mailroom: Mailroom, sink: Sink
) -> None:
    job_id = new_id()
    sink.replies[ADA.email] = "451 4.7.1 greylisted"
    with pytest.raises(MailboxDeferred, match=r"1 of 3 recipients.*451"):
        await mailroom.send_email(TO_ADMINS, job_id=job_id)
    assert sink.recipients == [BEN.email, EVE.email]
    sink.replies.clear()
    result = await mailroom.send_email(TO_ADMINS, job_id=job_id)
    assert sink.recipients == [BEN.email, EVE.email, ADA.email]
    assert (result.sent, result.already_sent) == ((ADA.account_id,), (BEN.account_id, EVE.account_id))


async def test_one_refused_for_good_is_noted_and_keeps_nobody_from_the_letter(
    mailroom: Mailroom, sink: Sink, pool: Pool
) -> None:
    job_id = new_id()
    sink.replies[ADA.email] = f"550 5.1.1 <{ADA.email}> no such user"
    result = await mailroom.send_email(TO_ADMINS, job_id=job_id)
    assert sink.recipients == [BEN.email, EVE.email]
    assert result.as_json()["refused"] == [
        {"account_id": str(ADA.account_id), "answer": "550 5.1.1 <recipient> no such user"}
    ]
    assert (await deliveries(pool))[ADA.account_id] == ("refused", "550 5.1.1 <recipient> no such user")
    sink.replies.clear()
    assert (await mailroom.send_email(TO_ADMINS, job_id=job_id)).sent == (ADA.account_id,)
    assert (await deliveries(pool))[ADA.account_id] == ("sent", "250 2.0.0 kept")


async def test_when_nobody_can_have_it_the_job_has_failed_for_good(
    mailroom: Mailroom, sink: Sink, people: People
) -> None:
    people.all_admins = [ADA, replace(BEN, email="no address")]
    sink.replies[ADA.email] = "550 5.1.1 no such user"
    with pytest.raises(MailboxRejected, match="All 2 recipients") as refusal:
        await mailroom.send_email(TO_ADMINS, job_id=new_id())
    assert not refusal.value.retryable


async def test_a_server_that_is_away_is_not_asked_for_each_recipient(
    mailroom: Mailroom, sink: Sink, pool: Pool
) -> None:
    sink.sender_reply = "421 4.3.2 shutting down"
    with pytest.raises(MailUnavailable):
        await mailroom.send_email(TO_ADMINS, job_id=new_id())
    assert (sink.connections, await deliveries(pool)) == (1, {})


async def test_a_letter_to_nobody_fails(mailroom: Mailroom) -> None:
    with pytest.raises(NobodyToTell):
        await mailroom.send_email(
            replace_audience(TO_ADMINS, Audience(kind="vendor", vendor_id=VENDOR)), job_id=new_id()
        )


async def test_a_letter_goes_to_the_vendor_it_is_for(mailroom: Mailroom, people: People, sink: Sink) -> None:
    people.vendors = {VENDOR: [EVE]}
    job = replace_audience(TO_ADMINS, Audience(kind="vendor", vendor_id=VENDOR))
    assert (await mailroom.send_email(job, job_id=new_id())).sent == (EVE.account_id,)
    assert sink.recipients == [EVE.email]


async def test_a_vendor_audience_needs_its_vendor(mailroom: Mailroom, inbox: Inbox) -> None:
    nobody = Audience(kind="vendor")
    with pytest.raises(InvalidInput):
        await mailroom.send_email(replace_audience(TO_ADMINS, nobody), job_id=new_id())
    with pytest.raises(InvalidInput):
        await inbox.send_notification(APPROVED.model_copy(update={"audience": nobody}), job_id=new_id())


async def test_params_that_do_not_fit_send_nothing(mailroom: Mailroom, sink: Sink) -> None:
    with pytest.raises(BadLetterParams):
        await mailroom.send_email(TO_ADMINS.model_copy(update={"params": {}}), job_id=new_id())
    assert sink.connections == 0


async def test_every_attempt_carries_the_same_message_id(mailroom: Mailroom, sink: Sink, pool: Pool) -> None:
    """A crash between the server's answer and the row: the mail goes out twice, and can be told to be one."""
    job_id = new_id()
    await mailroom.send_email(TO_ADMINS, job_id=job_id)
    async with connection(pool) as conn:
        await conn.execute("DELETE FROM notifier.deliveries")
    await mailroom.send_email(TO_ADMINS, job_id=job_id)
    identifiers = [
        line for _, content in sink.taken for line in content.splitlines() if line.startswith(b"Message-ID: ")
    ]
    assert (len(identifiers), len(set(identifiers))) == (6, 3)


async def test_an_inbox_line_and_its_event_are_written_once(inbox: Inbox, pool: Pool) -> None:
    assert await inbox.send_notification(APPROVED, job_id=new_id())
    assert not await inbox.send_notification(APPROVED, job_id=new_id())
    async with connection(pool) as conn:
        (line,) = await store.inbox(conn, vendor_id=VENDOR, account_id=EVE.account_id, limit=10)
        events = [row["type"] for row in await conn.fetch("SELECT type FROM notifier.outbox")]
    assert (line.kind, line.params, line.read_at) == ("product_approved", APPROVED.params, None)
    assert events == ["notification.created"]


async def test_each_person_keeps_their_own_unread_mark_and_touches_no_other_inbox(inbox: Inbox, pool: Pool) -> None:
    await inbox.send_notification(APPROVED, job_id=new_id())
    to_admins = APPROVED.model_copy(update={"audience": Audience(kind="admins"), "dedupe_key": "other"})
    await inbox.send_notification(to_admins, job_id=new_id())
    async with connection(pool) as conn:
        (line,) = await store.inbox(conn, vendor_id=VENDOR, account_id=EVE.account_id, limit=10)
        (admin_line,) = await store.inbox(conn, vendor_id=None, account_id=ADA.account_id, limit=10)
        ids = [line.id, admin_line.id]
        for expected in (1, 0):
            count = await store.mark_read(conn, account_id=EVE.account_id, vendor_id=VENDOR, ids=ids, at=utc_now())
            assert count == expected
        (eves,) = await store.inbox(conn, vendor_id=VENDOR, account_id=EVE.account_id, limit=10)
        (bens,) = await store.inbox(conn, vendor_id=VENDOR, account_id=BEN.account_id, limit=10)
        (admins,) = await store.inbox(conn, vendor_id=None, account_id=EVE.account_id, limit=10)
        older = await store.inbox(conn, vendor_id=VENDOR, account_id=EVE.account_id, below=line.id, limit=10)
    assert eves.read_at is not None
    assert (bens.read_at, admins.read_at, older) == (None, None, [])


async def test_old_guards_are_dropped_and_young_ones_kept(mailroom: Mailroom, pool: Pool) -> None:
    await mailroom.send_email(TO_ADMINS, job_id=new_id())
    async with connection(pool) as conn:
        assert await store.forget_deliveries(conn, before=utc_now() - timedelta(days=35), limit=100) == 0
        assert await store.forget_deliveries(conn, before=utc_now(), limit=2) == 2
        assert await store.forget_deliveries(conn, before=utc_now(), limit=2) == 1


STATEMENTS = {name: sql for name, sql in vars(store).items() if name.isupper() and isinstance(sql, str)}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_every_statement_fits_the_schema(pool: Pool, name: str) -> None:
    async with connection(pool) as conn:
        await conn.prepare(STATEMENTS[name])


def replace_audience(job: SendEmail, audience: Audience) -> SendEmail:
    return job.model_copy(update={"audience": audience})
