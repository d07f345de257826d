"""Letters and inbox lines against a real database and a real SMTP server: who gets what, how often."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.notifier import store
from services.notifier.errors import (
    AnswerLost,
    BadLetterParams,
    MailboxDeferred,
    MailboxRejected,
    MailUnavailable,
    NobodyToTell,
)
from services.notifier.mailer import Mailer
from services.notifier.models import Preference, PushResult, Reader, SmtpAnswer
from services.notifier.pruner import Pruner
from services.notifier.usecases import Inbox, Mailroom, Preferences
from shared.clock import Clock, utc_now
from shared.contracts.base import Audience
from shared.contracts.jobs import SendEmail
from shared.db.pool import Pool, connection
from shared.errors import InvalidInput
from shared.ids import new_id
from shared.messaging.delivery import JobCancelled
from tests.integration.notifier.people import ADA, APPROVED, BEN, EVE, TO_ADMINS, VENDOR, People
from tests.integration.notifier.smtp_sink import Sink

VENDORS_EVE = Reader(EVE.account_id, VENDOR)
VENDORS_BEN = Reader(BEN.account_id, VENDOR)
ADMIN_ADA = Reader(ADA.account_id, None)


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


async def test_a_cancelled_letter_goes_to_nobody_and_one_under_way_to_everybody(
    mailroom: Mailroom, sink: Sink, people: People
) -> None:
    def stop() -> None:
        raise JobCancelled("A person cancelled the job.")

    job_id = new_id()
    with pytest.raises(JobCancelled):
        await mailroom.send_email(TO_ADMINS, job_id=job_id, before_sending=stop)
    assert sink.taken == []
    people.all_admins = [ADA]
    await mailroom.send_email(TO_ADMINS, job_id=job_id)
    people.all_admins = [ADA, BEN]
    result = await mailroom.send_email(TO_ADMINS, job_id=job_id, before_sending=stop)
    assert result.sent == (BEN.account_id,)


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


class KilledAfterTheAnswer(Mailer):
    """Hands the message over, and is gone before anybody hears of it, as a process is at kill -9."""

    async def send(self, message: EmailMessage) -> SmtpAnswer:
        await super().send(message)
        raise asyncio.CancelledError


async def test_killed_between_the_answer_and_the_row_that_one_mail_comes_twice_and_can_be_told_to_be_one(
    mailroom: Mailroom, sink: Sink, pool: Pool
) -> None:
    job_id = new_id()
    async with KilledAfterTheAnswer(sink.server) as mailer:
        with pytest.raises(asyncio.CancelledError):
            await replace(mailroom, mailer=mailer).send_email(TO_ADMINS, job_id=job_id)
    assert (sink.recipients, await deliveries(pool)) == ([ADA.email], {})
    await mailroom.send_email(TO_ADMINS, job_id=job_id)
    assert sink.recipients == [ADA.email, ADA.email, BEN.email, EVE.email]
    first, second, *_ = message_ids(sink)
    assert first == second
    assert len(set(message_ids(sink))) == 3


async def test_an_answer_that_was_lost_is_counted_and_the_next_attempt_sends_again(
    mailroom: Mailroom, sink: Sink, people: People
) -> None:
    people.all_admins = [ADA]
    lost, job_id = mails_counted("answer_lost"), new_id()
    sink.hang_up_at_content = True
    with pytest.raises(AnswerLost):
        await mailroom.send_email(TO_ADMINS, job_id=job_id)
    assert mails_counted("answer_lost") == lost + 1
    sink.hang_up_at_content = False
    assert (await mailroom.send_email(TO_ADMINS, job_id=job_id)).sent == (ADA.account_id,)
    assert len(message_ids(sink)) == 2
    assert len(set(message_ids(sink))) == 1


async def test_what_becomes_of_each_mail_is_counted(mailroom: Mailroom, sink: Sink, preferences: Preferences) -> None:
    before = {outcome: mails_counted(outcome) for outcome in ("sent", "refused", "skipped")}
    sink.replies[ADA.email] = "550 5.1.1 no such user"
    await preferences.replace(Reader(BEN.account_id, None), [Preference("product_submitted", email=False)])
    await mailroom.send_email(TO_ADMINS, job_id=new_id())
    assert {outcome: mails_counted(outcome) - before[outcome] for outcome in before} == dict.fromkeys(before, 1)


async def test_who_wants_no_such_letters_gets_none_and_the_result_says_so(
    mailroom: Mailroom, sink: Sink, preferences: Preferences
) -> None:
    await preferences.replace(ADMIN_ADA, [Preference("product_submitted", email=False)])
    result = await mailroom.send_email(TO_ADMINS, job_id=new_id())
    assert sink.recipients == [BEN.email, EVE.email]
    assert result.as_json()["skipped"] == [str(ADA.account_id)]


async def test_when_nobody_wants_the_letter_the_job_is_done(
    mailroom: Mailroom, sink: Sink, people: People, preferences: Preferences
) -> None:
    people.all_admins = [ADA]
    await preferences.replace(ADMIN_ADA, [Preference("product_submitted", email=False)])
    result = await mailroom.send_email(TO_ADMINS, job_id=new_id())
    assert (result.sent, result.skipped, sink.connections) == ((), (ADA.account_id,), 0)


async def test_an_inbox_line_and_its_event_are_written_once(inbox: Inbox, pool: Pool) -> None:
    job = APPROVED.model_copy(update={"dedupe_key": "product.approved:1"})
    assert (await inbox.send_notification(job, job_id=new_id())).is_new
    assert not (await inbox.send_notification(job, job_id=new_id())).is_new
    (line,) = (await inbox.page(VENDORS_EVE, below=None, limit=10)).items
    async with connection(pool) as conn:
        events = [row["type"] for row in await conn.fetch("SELECT type FROM notifier.outbox")]
    assert (line.kind, line.params, line.read_at) == ("product_approved", APPROVED.params, None)
    assert events == ["notification.created"]


async def test_without_a_dedupe_key_the_job_is_the_key(inbox: Inbox) -> None:
    job_id = new_id()
    written = [(await inbox.send_notification(APPROVED, job_id=each)).is_new for each in (job_id, job_id, new_id())]
    assert written == [True, False, True]


async def test_each_person_keeps_their_own_unread_mark_and_touches_no_other_inbox(inbox: Inbox) -> None:
    await inbox.send_notification(APPROVED, job_id=new_id())
    await inbox.send_notification(APPROVED.model_copy(update={"audience": Audience(kind="admins")}), job_id=new_id())
    (line,) = (await inbox.page(VENDORS_EVE, below=None, limit=10)).items
    (admin_line,) = (await inbox.page(ADMIN_ADA, below=None, limit=10)).items
    for _ in range(2):
        assert await inbox.read(VENDORS_EVE, [line.id, admin_line.id]) == 0
    eves, bens, adas = [
        await inbox.page(reader, below=None, limit=10) for reader in (VENDORS_EVE, VENDORS_BEN, ADMIN_ADA)
    ]
    assert [(page.items[0].read_at is not None, page.unread) for page in (eves, bens, adas)] == [
        (True, 0),
        (False, 1),
        (False, 1),
    ]


async def test_reading_all_covers_what_is_there_and_not_what_comes_later(inbox: Inbox) -> None:
    for _ in range(3):
        await inbox.send_notification(APPROVED, job_id=new_id())
    assert await inbox.read_all(VENDORS_EVE) == 0
    await inbox.send_notification(APPROVED, job_id=new_id())
    page = await inbox.page(VENDORS_EVE, below=None, limit=10)
    assert ([line.read_at is not None for line in page.items], page.unread) == ([False, True, True, True], 1)
    assert (await inbox.page(VENDORS_BEN, below=None, limit=10)).unread == 4


async def test_reading_all_of_an_empty_inbox_is_nothing(inbox: Inbox) -> None:
    assert await inbox.read_all(ADMIN_ADA) == 0


async def test_pages_follow_each_other_without_gap_or_repetition(inbox: Inbox) -> None:
    for _ in range(5):
        await inbox.send_notification(APPROVED, job_id=new_id())
    seen: list[UUID] = []
    below: UUID | None = None
    for expected in (2, 2, 1):
        page = await inbox.page(VENDORS_EVE, below=below, limit=2)
        assert len(page.items) == expected
        seen += [line.id for line in page.items]
        below = page.next
    assert (below, seen) == (None, sorted(set(seen), reverse=True))


async def test_a_line_is_hidden_from_who_wanted_no_such_lines_when_it_came(
    inbox: Inbox, preferences: Preferences
) -> None:
    await inbox.send_notification(APPROVED, job_id=new_id())
    await preferences.replace(VENDORS_EVE, [Preference("product_approved", in_app=False)])
    result = await inbox.send_notification(APPROVED, job_id=new_id())
    assert result.as_json(PushResult()) == {
        "created": True,
        "skipped": [str(EVE.account_id)],
        "skipped_count": 1,
        "pushed": {},
    }
    await preferences.replace(VENDORS_EVE, [])
    await inbox.send_notification(APPROVED, job_id=new_id())
    eves, bens = [await inbox.page(reader, below=None, limit=10) for reader in (VENDORS_EVE, VENDORS_BEN)]
    assert (len(eves.items), eves.unread, len(bens.items), bens.unread) == (2, 2, 3, 3)


async def test_a_choice_is_about_one_kind_and_one_inbox(inbox: Inbox, preferences: Preferences) -> None:
    await preferences.replace(ADMIN_ADA, [Preference("product_submitted", in_app=False)])
    await preferences.replace(VENDORS_EVE, [Preference("stock_low", in_app=False)])
    assert (await inbox.send_notification(APPROVED, job_id=new_id())).skipped == ()
    to_admins = APPROVED.model_copy(update={"kind": "product_submitted", "audience": Audience(kind="admins")})
    assert (await inbox.send_notification(to_admins, job_id=new_id())).skipped == (ADA.account_id,)


async def test_old_guards_are_dropped_and_young_ones_kept(mailroom: Mailroom, pool: Pool) -> None:
    await mailroom.send_email(TO_ADMINS, job_id=new_id())
    async with connection(pool) as conn:
        assert await store.forget_deliveries(conn, before=utc_now() - timedelta(days=35), limit=100) == 0
        assert await store.forget_deliveries(conn, before=utc_now(), limit=2) == 2
        assert await store.forget_deliveries(conn, before=utc_now(), limit=2) == 1


async def test_the_pruner_drops_what_is_over_its_time(
    mailroom: Mailroom, inbox: Inbox, pool: Pool, people: People
) -> None:
    people.all_admins = [ADA]
    await mailroom.send_email(TO_ADMINS, job_id=new_id())
    await inbox.send_notification(APPROVED, job_id=new_id())
    await inbox.read(VENDORS_EVE, [(await inbox.page(VENDORS_EVE, below=None, limit=1)).items[0].id])
    kept: list[tuple[int, int]] = []
    for days_later in (0, 36, 181):
        pruner = Pruner(
            pool=pool,
            delivery_days=35,
            notification_days=180,
            clock=stopped_at(utc_now() + timedelta(days=days_later)),
        )
        await pruner.run_once()
        kept.append((len(await deliveries(pool)), len((await inbox.page(VENDORS_EVE, below=None, limit=9)).items)))
    assert kept == [(1, 1), (0, 1), (0, 0)]


STATEMENTS = {name: sql for name, sql in vars(store).items() if name.isupper() and isinstance(sql, str)}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_every_statement_fits_the_schema(pool: Pool, name: str) -> None:
    async with connection(pool) as conn:
        await conn.prepare(STATEMENTS[name])


def message_ids(sink: Sink) -> list[bytes]:
    return [line for _, content in sink.taken for line in content.splitlines() if line.startswith(b"Message-ID: ")]


def mails_counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("souk_mails_total", {"outcome": outcome}) or 0.0


def stopped_at(moment: datetime) -> Clock:
    return lambda: moment


def replace_audience(job: SendEmail, audience: Audience) -> SendEmail:
    return job.model_copy(update={"audience": audience})
