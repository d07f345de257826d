"""The one consumer of jobs. It alone acknowledges, retries, dead-letters and hands back.

Order at success: effect, report confirmed, ack. At failure: report confirmed, retry or dead publish confirmed, ack.
A crash in between leaves the message unacknowledged: it is delivered again, and the effect's own guard, keyed by the
job, keeps the second run without effect. A crash in the handler leaves the job in the slot's journal as well, and the
next process of the slot tells the ledger of it (`journal.py`).
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, assert_never

from aiormq.abc import DeliveredMessage
from prometheus_client import Counter, Histogram
from pydantic import JsonValue
from structlog.contextvars import bound_contextvars

from shared.clock import utc_now
from shared.contracts.base import Job
from shared.contracts.reports import (
    AttemptReport,
    HeldAttempt,
    Outcome,
    ProbeAnswered,
)
from shared.errors import AppError, DependencyDown, Unavailable, Unparsable
from shared.log import get_logger
from shared.messaging.attempt import (
    Attempt,
    AttemptTimeout,
    Handler,
    HandlerCancelled,
    described,
    kept_result,
    storable,
)
from shared.messaging.breaker import Breaker
from shared.messaging.broker import Broker
from shared.messaging.control import Controls, Verdict
from shared.messaging.delivery import (
    LONGEST_JITTER,
    SHORTEST_JITTER,
    Ack,
    DeadLetter,
    Disposition,
    Drop,
    Postpone,
    RetryAfter,
    RetryPolicy,
    decide,
    prefetch_for,
)
from shared.messaging.publisher import PERSISTENT
from shared.messaging.quarantine import Quarantine
from shared.messaging.reporter import PROBED_TYPE, Reporter
from shared.messaging.subscription import Session, Subscription
from shared.messaging.topology import DEAD, UNPARSABLE, Tier, WorkQueue, build
from shared.messaging.work import JobMessage, probe_of

log = get_logger(__name__)

PREFETCH_CHANGE_SECONDS: Final = 1.0
KILLED_ITS_WORKER: Final = "killed_its_worker"
STARTED_AFTER_SECONDS: Final = 0.1
"""An attempt that runs longer is reported as started; a shorter one passes `processing` only in history."""

ATTEMPTS = Counter("souk_job_attempts", "Attempts that ended, by type and outcome.", ["type", "outcome"])
RUN_SECONDS = Histogram(
    "souk_job_run_seconds",
    "How long attempts ran, by type.",
    ["type"],
    buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300),
)


class WorkConsumer:
    """Runs the jobs of one type, `work.concurrency` at once, and takes as many ahead as fit the time they run."""

    def __init__(
        self,
        broker: Broker,
        work: WorkQueue,
        handler: Handler,
        *,
        reporter: Reporter,
        tiers: Sequence[Tier],
        controls: Controls,
        quarantine: Quarantine,
        breaker: Breaker,
    ) -> None:
        self.breaker = breaker
        self._quarantine = quarantine
        self._work = work
        self._handler = handler
        self._reporter = reporter
        self._publisher = broker.publisher
        self._tiers = tiers
        self._controls = controls
        self._following = asyncio.Lock()
        self._slots = asyncio.Semaphore(work.concurrency)
        self._run_seconds: float | None = None
        self._prefetch = work.concurrency
        self._prefetch_at = 0.0
        self._refitting: asyncio.Task[None] | None = None
        self._in_hand: dict[asyncio.Task[None], HeldAttempt | None] = {}
        self.subscription = Subscription(
            broker.consuming,
            work.name,
            self._on_delivery,
            prefetch=work.concurrency,
            topology=build(tiers, [work]),
        )

    @property
    def type(self) -> str:
        """The job type."""
        return self._work.type

    @property
    def held(self) -> tuple[HeldAttempt, ...]:
        """The attempts that were delivered and are not settled."""
        return tuple(attempt for attempt in self._in_hand.values() if attempt is not None)

    async def follow_controls(self) -> None:
        """Pause or resume as the ledger last said and the breaker stands."""
        async with self._following:
            self.breaker.hear(self._controls.breakers.get(self._work.type))
            await self.subscription.set_prefetch(1 if self.breaker.is_trying else self._prefetch)
            if self._work.type in self._controls.paused or self.breaker.is_open:
                await self.subscription.pause()
            else:
                await self.subscription.resume()

    async def drain(self, grace_seconds: float) -> None:
        """Stop consuming, let what runs finish, hand back what does not finish in time."""
        await self.subscription.stop()
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.subscription.close()

    def _on_delivery(self, session: Session, message: DeliveredMessage) -> None:
        # In a task of its own: aiormq cancels its callbacks when the channel drops, and the effect may be half done.
        task = asyncio.create_task(self._settle(session, message))
        self._in_hand[task] = None
        task.add_done_callback(self._in_hand.pop)

    async def _settle(self, session: Session, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        assert tag is not None
        if (probe_id := probe_of(message)) is not None:
            answer = ProbeAnswered(probe_id=probe_id, worker=self._reporter.worker)
            if await self._until_open_or_done(session, partial(self._reporter.tell, PROBED_TYPE, answer)):
                session.acks.finished(tag)
            return
        try:
            delivery = JobMessage.parse(message)
            job = delivery.job_of(self._work.job)
        except Unparsable as exc:
            log.warning("job_unparsable", queue=self._work.name, error=exc.detail)
            if await self._until_open_or_done(session, partial(self._park, message, exc.detail)):
                session.acks.finished(tag)
            return
        self._hold(delivery)
        with bound_contextvars(
            job_id=str(delivery.envelope.id),
            type=self._work.type,
            attempt=delivery.attempt,
            message_id=str(delivery.envelope.id),
        ):
            try:
                await self._quarantine.word_on(delivery.envelope.id)
                async with self._slots:
                    publishes = self._unrun(delivery)
                    if publishes is None:
                        if self.subscription.is_paused and session.is_open:
                            session.requeue(tag)
                            return
                        publishes = await self._attempt(delivery, job)
            except asyncio.CancelledError:
                # Only at shutdown, out of grace: another worker takes it over as it was.
                if session.is_open:
                    await session.requeue(tag)
                raise
            if await self._until_open_or_done(session, publishes):
                session.acks.finished(tag)

    def _unrun(self, delivery: JobMessage) -> Callable[[], Awaitable[None]] | None:
        """What settles a delivery that is not to be run, by what was told while it waited; None for one that is."""
        match self._controls.verdict(delivery.envelope.id, delivery.fence):
            case Verdict.DROP:
                log.info("job_dropped", fence=delivery.fence)
                return _nothing
            case Verdict.PARK:
                log.warning("job_parked", why=KILLED_ITS_WORKER)
                return partial(delivery.publish_dead, self._publisher, KILLED_ITS_WORKER)
            case None if self.breaker.is_open:
                error = DependencyDown("Not begun, since what jobs of this type depend on is away.")
                return self._settling(delivery, self._decide(delivery, error), error, None, utc_now(), 0)
            case None:
                return None

    def _measure(self, run_seconds: float) -> None:
        """Fit the prefetch to how long jobs of this type run, at most once a second and only for a clear change."""
        before = self._run_seconds
        self._run_seconds = run_seconds if before is None else before * 0.9 + run_seconds * 0.1
        wanted, now = prefetch_for(self._work.concurrency, self._run_seconds), time.monotonic()
        is_clear = wanted >= 2 * self._prefetch or 2 * wanted <= self._prefetch
        if is_clear and now - self._prefetch_at >= PREFETCH_CHANGE_SECONDS:
            self._prefetch, self._prefetch_at = wanted, now
            self._refitting = asyncio.create_task(self.follow_controls())

    def _hold(self, delivery: JobMessage) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._in_hand[task] = HeldAttempt(job_id=delivery.envelope.id, fence=delivery.fence, attempt=delivery.attempt)

    async def _attempt(self, delivery: JobMessage, job: Job) -> Callable[[], Awaitable[None]]:
        """Run the handler once; return the publishes that settle it, which may be called again if not confirmed."""
        place = await self._quarantine.enter(delivery.envelope.id, self._work.type, delivery.fence, delivery.attempt)
        started_at, clock = utc_now(), time.monotonic()
        try:
            error, result = await self._run(delivery, job, started_at)
        finally:
            self._quarantine.leave(place)
        run_seconds = time.monotonic() - clock
        self._measure(run_seconds)
        self.breaker.met(error)
        disposition = self._decide(delivery, error)
        return self._settling(delivery, disposition, error, result, started_at, round(run_seconds * 1000))

    def _decide(self, delivery: JobMessage, error: Exception | None) -> Disposition:
        policy = RetryPolicy(delivery.max_attempts, self._tiers[self._work.first_tier :])
        jitter = random.uniform(SHORTEST_JITTER, LONGEST_JITTER)  # noqa: S311 - spreads load, guards nothing
        return decide(error, delivery.attempt, policy, jitter=jitter)

    def _settling(
        self,
        delivery: JobMessage,
        disposition: Disposition,
        error: Exception | None,
        result: JsonValue,
        started_at: datetime,
        run_ms: int,
    ) -> Callable[[], Awaitable[None]]:
        """Say what became of an attempt; return the publishes that make it so."""

        def report(outcome: Outcome, retry_at: datetime | None = None) -> AttemptReport:
            return AttemptReport(
                job_id=delivery.envelope.id,
                job_type=self._work.type,
                attempt=delivery.attempt,
                fence=delivery.fence,
                outcome=outcome,
                worker=self._reporter.worker,
                started_at=started_at,
                run_ms=run_ms,
                error=None if error is None else described(error),
                retry_at=retry_at,
                waits_in_ledger=isinstance(disposition, RetryAfter) and disposition.tier is None,
                is_spent=not isinstance(disposition, Postpone),
                result=result,
            )

        match disposition:
            case Ack():
                reported = report(Outcome.COMPLETED)
            case RetryAfter() | Postpone():
                reported = report(Outcome.RETRYING, utc_now() + timedelta(seconds=disposition.seconds))
            case Drop():
                reported = report(Outcome.CANCELLED)
            case DeadLetter():
                reported = report(Outcome.FAILED)
            case _:
                assert_never(disposition)
        self._tell(reported)

        is_told = False

        async def publishes() -> None:
            nonlocal is_told
            if not is_told:  # called again when the publish below was not confirmed
                await self._reporter.send(reported)
                is_told = True
            if isinstance(disposition, RetryAfter) and disposition.tier is not None:
                await delivery.publish_retry(self._publisher, disposition)
            elif isinstance(disposition, Postpone):
                await delivery.publish_postponed(self._publisher, disposition)
            elif isinstance(disposition, DeadLetter):
                await delivery.publish_dead(self._publisher, disposition.reason)

        return publishes

    async def _run(self, delivery: JobMessage, job: Job, started_at: datetime) -> tuple[Exception | None, JsonValue]:
        attempt = Attempt(
            job_id=delivery.envelope.id,
            number=delivery.attempt,
            limit=delivery.max_attempts,
            cause_id=delivery.envelope.causationid,
            caused_at=delivery.envelope.time,
            traceparent=delivery.envelope.traceparent,
            is_cancelled=partial(self._controls.is_cancelled, delivery.envelope.id, delivery.fence),
        )
        limit_seconds = delivery.timeout_ms / 1000
        limit = asyncio.timeout(limit_seconds)
        started = asyncio.get_running_loop().call_later(
            STARTED_AFTER_SECONDS, self._report_started, delivery, started_at
        )
        try:
            async with limit:
                return None, kept_result(await self._handler(job, attempt))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # shutdown, out of grace
                raise
            return HandlerCancelled("something the handler waited for was cancelled"), None
        except TimeoutError as exc:
            if limit.expired():
                return AttemptTimeout(f"not done after {limit_seconds:g} s"), None
            return exc, None
        except Exception as exc:
            if not isinstance(exc, AppError):
                log.exception("handler_bug")
            return exc, None
        finally:
            started.cancel()

    def _report_started(self, delivery: JobMessage, started_at: datetime) -> None:
        report = AttemptReport(
            job_id=delivery.envelope.id,
            job_type=self._work.type,
            attempt=delivery.attempt,
            fence=delivery.fence,
            outcome=Outcome.STARTED,
            worker=self._reporter.worker,
            started_at=started_at,
        )
        # Nobody waits for it: if it is lost, the final report says the same and more.
        task = asyncio.ensure_future(self._reporter.send(report))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _tell(self, report: AttemptReport) -> None:
        ATTEMPTS.labels(report.job_type, report.outcome if report.is_spent else "postponed").inc()
        RUN_SECONDS.labels(report.job_type).observe(report.run_ms / 1000)
        tell = log.info if report.error is None else log.warning
        tell(
            "job_attempt",
            outcome=report.outcome.value,
            run_ms=report.run_ms,
            error=None if report.error is None else f"{report.error.error_class}: {report.error.message[:300]}",
        )

    async def _until_open_or_done(self, session: Session, step: Callable[[], Awaitable[None]]) -> bool:
        """Repeat what the broker did not confirm while the delivery is still ours; False when it no longer is."""
        wait_seconds = 0.1
        while session.is_open:
            try:
                await step()
            except Unavailable as exc:
                log.warning("settle_failed", error=exc.detail, again_in_seconds=wait_seconds)
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, 5.0)
            else:
                return True
        return False

    async def _park(self, message: DeliveredMessage, reason: str) -> None:
        properties = message.header.properties
        ours = {name: value for name, value in (properties.headers or {}).items() if name.startswith("souk-")}
        properties.headers = {**ours, "souk-reason": storable(reason)[:200]}
        properties.delivery_mode = PERSISTENT
        properties.expiration = None
        await self._publisher.publish_body(
            message.body, exchange=DEAD, routing_key=f"{self._work.type}.{UNPARSABLE}", properties=properties
        )


async def _nothing() -> None:
    """What settles a copy that is dropped: only its ack."""
