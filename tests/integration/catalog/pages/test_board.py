"""The pages of operations without scripts, before a real jobs api and scheduler: what they show and what forms do."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from aiohttp import ClientSession, CookieJar
from pydantic import SecretStr

from services.catalog.pages.board import jobs as board
from services.jobs.models import Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger, make_recorder
from services.jobs.rescue.store import RescueStore
from services.jobs.settings import Settings as JobsSettings
from services.jobs.store import in_ledger
from shared.clock import utc_now
from shared.contracts.base import Audience, Job
from shared.contracts.jobs import CheckLowStock, SendEmail
from shared.contracts.reports import AttemptError, AttemptReport, HeldAttempt, Outcome, WorkerSeen
from shared.db.pool import Pool, open_pool
from shared.ids import new_id
from shared.web.server import serving
from tests.integration.catalog.conftest import KEY, NOBODY_THERE, Gateway
from tests.integration.catalog.monitoring.installation import Place, Work, jobs_app, scheduler_app
from tests.integration.catalog.pages.browser import TOKEN, Browser
from tests.integration.jobs.recording import recorded
from tests.servers import Database

PRODUCT = UUID("018f0000-0000-7000-8000-000000000001")
LETTER = SendEmail(
    letter="product_approved",
    audience=Audience(kind="vendor", vendor_id=UUID(int=7)),
    params={"product_id": str(PRODUCT), "title": "Bowl", "email": "kate@example.com"},
)
REASON = "550 no mailbox kate@example.com at 10.0.0.7"


@dataclass
class Yard:
    """The services beside the gateway."""

    work: Work
    pool: Pool

    async def job(self, *outcomes: Outcome, job: Job | None = None, cause: UUID | None = None) -> UUID:
        """A job of which these attempts were reported."""
        content = job or LETTER
        made = new_job(
            Order(content, target="product_approved"),
            cause=cause or new_id(),
            cause_type="product.approved",
            caused_at=utc_now(),
        )
        ledger = make_ledger()
        await Partitions(self.pool, utc_now).ensure_for([made.id])
        await in_ledger(self.pool, lambda conn: ledger.insert(conn, [made]))
        for number, outcome in enumerate(outcomes, 1):
            failed = outcome in (Outcome.RETRYING, Outcome.FAILED)
            report = AttemptReport(
                job_id=made.id,
                job_type=content.type,
                attempt=number,
                fence=1,
                outcome=outcome,
                worker="notifier@one",
                started_at=utc_now(),
                run_ms=1250,
                error=AttemptError(error_class="MailboxRejected", message=REASON) if failed else None,
                retry_at=utc_now() if outcome is Outcome.RETRYING else None,
                result={"sent": 1} if outcome is Outcome.COMPLETED else None,
            )
            await recorded(make_recorder(self.pool, ledger), [report])
        return made.id

    async def state(self, job_id: UUID) -> str:
        """What the ledger says."""
        return str(await self.pool.fetchval("SELECT state FROM jobs.jobs WHERE id = $1", job_id))


@pytest.fixture
async def yard(database: Database) -> AsyncIterator[Yard]:
    """Jobs api and ledger tables."""
    settings = JobsSettings(
        amqp_url=SecretStr("amqp://nobody@127.0.0.1:9/"),
        jobs_database_url=SecretStr(database.url("jobs")),
        jobs_key=SecretStr(KEY),
    )
    async with open_pool(database.url("jobs"), name="test") as pool:
        place = Place(lambda: jobs_app(pool, settings))
        await place.come()
        yield Yard(Work(pool, place), pool)
        await place.go()


@pytest.fixture
async def upstream_urls(database: Database, yard: Yard) -> AsyncIterator[dict[str, str]]:
    """Jobs and scheduler answer."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(database.url("scheduler"), name="test"))
        app = scheduler_app(pool, key=KEY)
        port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_seconds=0.1))
        yield {
            "notifier": NOBODY_THERE,
            "reporting": NOBODY_THERE,
            "jobs": yard.work.place.url,
            "scheduler": f"http://127.0.0.1:{port}",
        }


class Operator(Browser):
    """Somebody of operations, or an administrator."""

    async def page(self, path: str, status: int = 200) -> str:
        """A page, insisting on its status."""
        answer, text = await self.get(path)
        assert (answer.status, answer.content_type) == (status, "text/html"), text[:2000]
        return unescape(text)

    async def does(self, at: str, to: str, status: int = 200, **fields: str) -> str:
        """Post a form of the page `at`; the page that answers."""
        _, text = await self.get(at)
        match = TOKEN.search(text)
        assert match is not None, f"{at} has no form"
        answer, after = await self.post(to, csrf_token=match[1], **fields)
        assert answer.status == status, after[:2000]
        return unescape(after)


@pytest.fixture
async def ops(gateway: Gateway) -> AsyncIterator[Operator]:
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        operator = Operator(http)
        await operator.sign_in(gateway.accounts.ops.email, gateway.accounts.ops.password)
        yield operator


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[Operator]:
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        operator = Operator(http)
        await operator.sign_in(gateway.accounts.admin.email, gateway.accounts.admin.password)
        yield operator


async def test_the_board_shows_counts_charts_and_jobs(ops: Operator, yard: Yard) -> None:
    failed = await yard.job(Outcome.RETRYING, Outcome.FAILED)
    done = await yard.job(Outcome.COMPLETED, job=CheckLowStock())
    text = await ops.page("/admin/jobs")
    assert f'href="/admin/jobs/{failed}"' in text
    assert f'href="/admin/jobs/{done}"' in text
    assert "MailboxRejected: 550 no mailbox k•••@example.com" in text
    assert "kate@example.com" not in text
    assert 'data-feed="/api/admin/jobs/stream"' in text
    assert "Jobs that ended: 1 done, 1 failed" in text
    assert "1.2 s" in text  # ran


FILTERS: Sequence[tuple[Mapping[str, str], set[str]]] = (
    ({"state": "failed"}, {"failed"}),
    ({"state": "completed", "type": "check-low-stock"}, {"done"}),
    ({"q": "no mailbox"}, {"failed"}),
    ({"priority": "2"}, {"failed", "done"}),
    ({"within": "15m"}, {"failed", "done"}),
    ({"until": "2020-01-01T00:00"}, set()),
    ({"type": "send-email", "state": "completed"}, set()),
)
MISFITS: Sequence[tuple[Mapping[str, str], str]] = (
    ({"state": "sleeping"}, "state:"),
    ({"priority": "9"}, "priority:"),
    ({"cause": "no-id"}, "cause:"),
    ({"q": "ab"}, "q:"),
    ({"since": "yesterday"}, "a time such as"),
)


async def test_filters_are_in_the_address(ops: Operator, yard: Yard) -> None:
    jobs = {"failed": await yard.job(Outcome.FAILED), "done": await yard.job(Outcome.COMPLETED, job=CheckLowStock())}
    for filters, fits in FILTERS:
        text = await ops.page(f"/admin/jobs?{urlencode(filters)}")
        assert {name for name, job_id in jobs.items() if f'id="job-{job_id}"' in text} == fits, filters
        assert ("No job fits" in text) == (not fits)
    for filters, said in MISFITS:
        text = re.sub(r"<[^>]+>", "", await ops.page(f"/admin/jobs?{urlencode(filters)}"))
        assert "This filter does not fit." in text
        assert said in text, filters


async def test_a_list_goes_on_where_it_left_off(ops: Operator, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "A_PAGE", 2)
    jobs = [await yard.job(job=CheckLowStock()) for _ in range(3)]
    first = await ops.page("/admin/jobs?type=check-low-stock&within=15m")  # by when the first page was read
    more = re.search(r'rel="next" href="([^"]+)"', first)
    assert more is not None
    second = await ops.page(more[1])
    shown = [{job_id for job_id in jobs if f"job-{job_id}" in text} for text in (first, second)]
    assert [len(ids) for ids in shown] == [2, 1]
    assert shown[0] | shown[1] == set(jobs)
    assert "Back to the start" in second


async def test_a_job_is_shown_with_its_story_and_masked(ops: Operator, yard: Yard) -> None:
    cause = new_id()
    job_id = await yard.job(Outcome.RETRYING, Outcome.FAILED, cause=cause)
    beside = await yard.job(job=CheckLowStock(), cause=cause)
    text = await ops.page(f"/admin/jobs/{job_id}")
    for said in ("Failed for good", "Failed, to be tried again", "attempt 2", "notifier@one", "product.approved"):
        assert said in text, said
    assert "k•••@example.com" in text
    assert "kate@example.com" not in text
    assert f'href="/admin/jobs/{beside}"' in text
    assert f'href="/admin/jobs?cause={cause}"' in text
    assert f'action="/admin/jobs/{job_id}/retry"' in text
    assert "It has led to no other job." in text
    assert await ops.page(f"/admin/jobs/{new_id()}", 404)
    assert await ops.page("/admin/jobs/nothing", 404)


async def test_a_failed_job_is_retried_and_then_cancelled(ops: Operator, yard: Yard) -> None:
    job_id = await yard.job(Outcome.FAILED)
    here = f"/admin/jobs/{job_id}"
    assert "It goes round again." in await ops.does(here, f"{here}/retry")
    assert await yard.state(job_id) == "pending"
    assert "only a failed or cancelled one can be retried" in await ops.does(here, f"{here}/retry")
    assert "Cancelled." in await ops.does(here, f"{here}/cancel")
    assert await yard.state(job_id) == "cancelled"
    story = await ops.page(here)
    assert "Sent round again by hand" in story
    assert "by Operator" in story


async def test_a_changed_copy_keeps_what_is_masked_and_fits_or_is_none(ops: Operator, yard: Yard) -> None:
    job_id = await yard.job(Outcome.FAILED)
    here = f"/admin/jobs/{job_id}"
    form = await ops.page(f"{here}/copy")
    shown = re.search(r"<textarea[^>]*>(.*?)</textarea>", form, re.DOTALL)
    assert shown is not None
    assert "kate@example.com" not in shown[1]
    changed = shown[1].replace('"Bowl"', '"Walnut bowl"')
    text = await ops.does(f"{here}/copy", f"{here}/copy", payload=changed, priority="1")
    assert "A new job was made of it." in text
    assert "Led to it" in text
    row = await yard.pool.fetchrow("SELECT payload, priority, parent FROM jobs.jobs WHERE parent IS NOT NULL")
    assert row is not None
    assert (row["parent"], row["priority"]) == (job_id, 1)
    assert row["payload"]["params"] == {
        "product_id": str(PRODUCT),
        "title": "Walnut bowl",
        "email": "kate@example.com",
    }
    assert "A changed copy was made" in await ops.page(here)

    here = f"/admin/jobs/{await yard.job(Outcome.FAILED)}/copy"
    for payload, said in (
        ("{", "This is no JSON (line 1"),
        ("[]", "It is an object"),
        ('{"letter": 5}', "/payload/letter"),
    ):
        text = await ops.does(here, here, 422, payload=payload, priority="2")
        assert said in text
        assert payload in text  # what was typed is still there
    assert await yard.pool.fetchval("SELECT count(*) FROM jobs.jobs") == 3  # two originals and a copy


async def test_many_are_counted_before_they_are_retried(ops: Operator, yard: Yard) -> None:
    failed = [await yard.job(Outcome.FAILED) for _ in range(2)]
    other = await yard.job(Outcome.FAILED, job=CheckLowStock())
    board = await ops.page("/admin/jobs?state=failed&type=send-email")
    bulk = re.search(r'href="(/admin/jobs/bulk\?[^"]+)">Retry all', board)
    assert bulk is not None
    counted = await ops.page(bulk[1])
    assert "Retry 2 jobs" in counted
    assert [await yard.state(one) for one in failed] == ["failed", "failed"]
    later = await yard.job(Outcome.FAILED)  # was not counted
    after = await ops.does(bulk[1], "/admin/jobs/bulk", **_hidden(counted))
    assert "2 jobs sent round again" in after
    assert [await yard.state(one) for one in (*failed, other, later)] == ["pending", "pending", "failed", "failed"]
    cancelling = await ops.page("/admin/jobs/bulk?action=cancel&type=send-email")
    await ops.does("/admin/jobs/bulk?action=cancel&type=send-email", "/admin/jobs/bulk", **_hidden(cancelling))
    assert [await yard.state(one) for one in failed] == ["cancelled", "cancelled"]
    assert await ops.page("/admin/jobs/bulk?action=explode&state=failed", 422)


async def test_failures_are_gathered_by_their_cause(ops: Operator, yard: Yard) -> None:
    assert "Nothing has failed" in await ops.page("/admin/jobs/failures")
    for _ in range(2):
        await yard.job(Outcome.FAILED)
    text = await ops.page("/admin/jobs/failures")
    assert text.count("MailboxRejected</a>") == 1
    assert "kate@example.com" not in text
    link = re.search(r'href="(/admin/jobs\?[^"]*q=MailboxRejected[^"]*)"', text)
    assert link is not None
    assert (await ops.page(link[1])).count('id="job-') == 2


async def test_types_are_paused_and_resumed_and_queues_and_workers_shown(ops: Operator, yard: Yard) -> None:
    types = "/admin/jobs/types"
    assert "send-email is paused" in await ops.does(types, f"{types}/send-email/pause")
    assert "is paused since" in re.sub(r"<[^>]+>", "", await ops.page("/admin/jobs"))
    assert "send-email goes on" in await ops.does(types, f"{types}/send-email/resume")
    assert "no job type" in await ops.does(types, f"{types}/fly/pause")
    await yard.work.tell_breaker("send-email", is_open=True)
    text = re.sub(r"<[^>]+>", "", await ops.page(types))
    for said in ("Dependency away", "send-email · Paused by Operator", "send-email · Resumed by Operator"):
        assert said in text, said

    held = await yard.job(Outcome.STARTED)
    attempt = HeldAttempt(job_id=held, fence=1, attempt=1)
    async with yard.pool.acquire() as conn:
        seen = WorkerSeen(worker="notifier@one", version="1.4.0", types=("send-email",), held=(attempt,))
        await RescueStore(make_ledger()).see_worker(conn, seen)
    workers = await ops.page("/admin/workers")
    for said in ("notifier@one", "1.4.0", "Live", f'href="/admin/jobs/{held}"'):
        assert said in workers, said
    await yard.work.forget("notifier@one")
    assert "Silent" in await ops.page("/admin/workers")
    queues = await ops.page("/admin/queues")
    for said in ("jobs.send-email", "events.dispatch", "SOUK_MANAGEMENT_URL"):
        assert said in queues, said


async def test_operators_see_the_schedule_and_administrators_change_it(
    ops: Operator, admin: Operator, yard: Yard
) -> None:
    text = await ops.page("/admin/schedules")
    assert "cleanup-jobs" in text
    assert "Run now" not in text
    here = "/admin/schedules/cleanup-jobs"
    assert "Run now" not in await ops.page(here)
    token = TOKEN.search(text)
    assert token is not None
    answer, _ = await ops.post(f"{here}/run", csrf_token=token[1])
    assert answer.status == 403
    assert "It runs now" in await admin.does(here, f"{here}/run")
    assert "by hand, Administrator" in await admin.page(here)
    assert "Paused" in await admin.does(here, f"{here}/pause")
    assert "None while it is paused" in await admin.page(here)
    assert "runs by the clock again" in await admin.does(here, f"{here}/resume")
    assert await admin.page("/admin/schedules/nothing", 404)
    job_id = await yard.job(Outcome.COMPLETED)  # administrators also get from a job to its product
    assert f'href="/admin/products/{PRODUCT}"' in await admin.page(f"/admin/jobs/{job_id}")
    assert f"/admin/products/{PRODUCT}" not in await ops.page(f"/admin/jobs/{job_id}")


async def test_dead_letters_are_shown_replayed_and_deleted(ops: Operator, yard: Yard) -> None:
    assert "No dead letters" in await ops.page("/admin/dead-letters")
    await yard.work.dead_letter()
    letter_id = await yard.pool.fetchval("SELECT id FROM jobs.dead_letters")
    here = f"/admin/dead-letters/{letter_id}"
    assert "unparsable" in await ops.page("/admin/dead-letters?queue=events.catalog")
    assert "No letter fits" in await ops.page("/admin/dead-letters?queue=events.reporting")
    assert "This filter does not fit" in await ops.page("/admin/dead-letters?job_id=x")
    assert "events.catalog.dead" in await ops.page(here)
    bulk = await ops.page("/admin/dead-letters/bulk?action=replay&kind=event")
    assert "message goes back" in bulk
    after = await ops.does("/admin/dead-letters/bulk?action=replay", "/admin/dead-letters/bulk", **_hidden(bulk))
    assert "0 jobs and 1 message go back" in after
    assert "on its way back" in after
    assert "Deleted." in await ops.does(here, f"{here}/delete")
    assert await yard.pool.fetchval("SELECT count(*) FROM jobs.dead_letters") == 0
    await yard.work.dead_letter()
    purge = await ops.page("/admin/dead-letters/bulk?action=purge")
    assert "Delete 1 letter" in purge
    after = await ops.does("/admin/dead-letters/bulk?action=purge", "/admin/dead-letters/bulk", **_hidden(purge))
    assert "1 letter deleted." in after


async def test_with_the_jobs_service_away_the_page_says_so_but_not_to_vendors(
    ops: Operator, vendors_page: Operator, yard: Yard
) -> None:
    await yard.work.place.go()
    assert "does not answer right now" in await ops.page("/admin/jobs", 503)
    for path in ("/admin/jobs", "/admin/queues", "/admin/workers", "/admin/schedules", "/admin/dead-letters"):
        await vendors_page.page(path, 403)


@pytest.fixture
async def vendors_page(gateway: Gateway) -> AsyncIterator[Operator]:
    async with ClientSession(gateway.url, cookie_jar=CookieJar(unsafe=True)) as http:
        operator = Operator(http)
        account = gateway.accounts.vendors[0]
        await operator.sign_in(account.email, account.password)
        yield operator


def _hidden(page: str) -> dict[str, Any]:
    """The hidden fields of the page's form in its main part."""
    form = page[page.index('<form class="card') :]
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")])
    return {name: value for name, value in fields if name != "csrf_token"}
