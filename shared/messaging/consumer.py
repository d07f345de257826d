"""The one consumer of jobs. It alone acknowledges, retries, dead-letters and hands back.

Order at success: effect, report confirmed, ack. At failure: report confirmed, retry or dead publish confirmed, ack.
A crash in between leaves the message unacknowledged: it is delivered again, and the effect's own guard, keyed by the
job, keeps the second run without effect. A crash in the handler leaves the job in the slot's journal as well, and the
next process of the slot tells the ledger of it (`journal.py`).
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, assert_never

from aiormq.abc import DeliveredMessage
from prometheus_client import Counter, Histogram
from pydantic import JsonValue
from structlog.contextvars import bind_contextvars

from shared import causes, tracing
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
from shared.messaging.topology import DEAD, PRIORITIES, UNPARSABLE, Tier, WorkQueue, build
from shared.messaging.work import JobMessage, probe_of

log = get_logger(__name__)

PREFETCH_CHANGE_SECONDS: Final = 1.0
KILLED_ITS_WORKER: Final = "killed_its_worker"
STARTED_AFTER_SECONDS: Final = 0.1
"""An attempt that runs longer is reported as started; a shorter one passes `processing` only in history."""
WATCH_SECONDS: Final = 0.05
"""How often running attempts are looked after; a time limit is that much longer at most."""
TURN_SECONDS: Final = 0.01
"""How long a slot goes on with handlers that never wait before it lets others have the event loop."""

POSTPONED: Final = "postponed"
ATTEMPTS = Counter("souk_job_attempts", "Attempts that ended, by type and outcome.", ["type", "outcome"])
DROPPED = Counter("souk_job_copies_dropped", "Copies dropped unrun: of jobs cancelled or published anew.", ["type"])
WAIT_SECONDS = Histogram(
    "souk_job_wait_seconds",
    "How long jobs waited for their first attempt: since their cause, or their publishing if put off.",
    ["type", "priority"],
    buckets=(0.005, 0.015, 0.05, 0.2, 1, 5, 15, 60, 600),
)
RUN_SECONDS = Histogram(
    "souk_job_run_seconds",
    "How long attempts ran, by type.",
    ["type"],
    buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300),
)


@dataclass(eq=False, slots=True)
class _InHand:
    """A delivery from when it came until it is settled."""

    session: Session
    tag: int
    delivery: JobMessage
    job: Job
    progress: float | None = None


@dataclass(eq=False, slots=True)
class _Running:
    """An attempt whose handler runs; times are monotonic seconds."""

    delivery: JobMessage
    task: asyncio.Task[None]
    started_at: datetime
    clock: float
    ends_at: float
    traceparent: str | None
    is_told: bool = False
    is_over_limit: bool = False


class WorkConsumer:
    """Runs the jobs of one type, `work.concurrency` at once, and takes as many ahead as fit the time they run.

    Slots are tasks that take one job after another for as long as any waits, and one timer watches all that run: a
    task and two timers for each job would cost more than most of what is here. `progressed` is set when a handler says
    how far it has come.
    """

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
        progressed: asyncio.Event,
    ) -> None:
        self.breaker = breaker
        self._progressed = progressed
        self._quarantine = quarantine
        self._work = work
        self._span_name = f"process {work.type}"
        self._handler = handler
        self._reporter = reporter
        self._publisher = broker.publisher
        self._tiers = tiers
        self._controls = controls
        self._following = asyncio.Lock()
        self._run_seconds: float | None = None
        self._prefetch = work.concurrency
        self._prefetch_at = 0.0
        self._refitting: asyncio.Task[None] | None = None
        self._in_hand: set[_InHand] = set()
        self._waiting: deque[_InHand] = deque()
        self._slots: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._running: set[_Running] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._none_in_hand = asyncio.Event()
        # Looking up a metric's labels costs more than counting.
        self._ended = {outcome: ATTEMPTS.labels(work.type, outcome) for outcome in (*Outcome, POSTPONED)}
        self._took = RUN_SECONDS.labels(work.type)
        self._waited = {priority: WAIT_SECONDS.labels(work.type, priority) for priority in PRIORITIES}
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
        return tuple(
            HeldAttempt(
                job_id=item.delivery.envelope.id,
                fence=item.delivery.fence,
                attempt=item.delivery.attempt,
                progress=item.progress,
            )
            for item in self._in_hand
        )

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
        """Stop consuming, let what was taken finish, hand back what does not finish in time."""
        await self.subscription.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._until_none_in_hand()
        waiting, late = list(self._waiting), [*self._slots, *self._settling]
        self._waiting.clear()
        for item in waiting:
            self._hand_back(item)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self.subscription.close()

    async def _until_none_in_hand(self) -> None:
        while self._in_hand or self._settling:
            self._none_in_hand.clear()
            if self._settling:
                await asyncio.wait(self._settling)
            else:
                await self._none_in_hand.wait()

    def _on_delivery(self, session: Session, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        assert tag is not None
        if (probe_id := probe_of(message)) is not None:
            answer = ProbeAnswered(probe_id=probe_id, worker=self._reporter.worker)
            self._settle_by(session, tag, partial(self._reporter.tell, PROBED_TYPE, answer))
            return
        try:
            delivery, job = JobMessage.parse_for(self._work.job, message)
        except Unparsable as exc:
            log.warning("job_unparsable", queue=self._work.name, error=exc.detail)
            self._settle_by(session, tag, partial(self._park, message, exc.detail))
            return
        item = _InHand(session, tag, delivery, job)
        self._in_hand.add(item)
        if self._quarantine.awaits_word_on(delivery.envelope.id):
            self._beside(self._once_told(item))
        else:
            self._enqueue(item)

    async def _once_told(self, item: _InHand) -> None:
        """Let a suspect wait for the ledger's word beside the slots: it must not keep other jobs from running."""
        try:
            await self._quarantine.word_on(item.delivery.envelope.id)
        except asyncio.CancelledError:
            self._hand_back(item)
            raise
        self._enqueue(item)

    def _enqueue(self, item: _InHand) -> None:
        self._waiting.append(item)
        if len(self._slots) < self._work.concurrency:
            # In a task of its own: the effect may be half done when the channel drops.
            self._slots.add(asyncio.create_task(self._slot()))

    async def _slot(self) -> None:
        try:
            await self._work_off()
        finally:
            # Here and not in a callback, which runs a turn later: what comes in between would wait for nobody.
            task = asyncio.current_task()
            assert task is not None
            self._slots.discard(task)

    async def _work_off(self) -> None:
        """Take one job after another until none waits."""
        turn_ends_at = time.monotonic() + TURN_SECONDS
        while self._waiting:
            item = self._waiting.popleft()
            # Set over and over in the task's own context: cheaper than bound and unbound for each.
            job_id = str(item.delivery.envelope.id)
            bind_contextvars(job_id=job_id, type=self._work.type, attempt=item.delivery.attempt, message_id=job_id)
            try:
                await self._settle_in_trace(item, job_id)
            except asyncio.CancelledError:
                # Only at shutdown, out of grace: another worker takes it over as it was.
                if (handing_back := self._hand_back(item)) is not None:
                    await handing_back
                raise
            if time.monotonic() > turn_ends_at:  # handlers that never wait must not keep the loop from its heartbeat
                await asyncio.sleep(0)
                turn_ends_at = time.monotonic() + TURN_SECONDS

    async def _settle_in_trace(self, item: _InHand, job_id: str) -> None:
        cause = item.delivery.envelope.traceparent
        with tracing.span(self._span_name, parent=cause, kind=tracing.Kind.CONSUMER) as span:
            span.note("souk.job_id", job_id)
            span.note("souk.attempt", item.delivery.attempt)
            if not self._is_settled_unrun(item):
                await self._attempt(item, span)

    def _is_settled_unrun(self, item: _InHand) -> bool:
        """Whether the delivery is not to be run, by what was told while it waited; then it is settled as was told."""
        match self._controls.verdict(item.delivery.envelope.id, item.delivery.fence):
            case Verdict.DROP:
                log.info("job_dropped", fence=item.delivery.fence)
                DROPPED.labels(self._work.type).inc()
                self._acknowledge(item)
            case Verdict.PARK:
                log.warning("job_parked", why=KILLED_ITS_WORKER)
                park = partial(item.delivery.publish_dead, self._publisher, KILLED_ITS_WORKER)
                self._settle_by(item.session, item.tag, park, item)
            case None if self.breaker.is_open:
                error = DependencyDown("Not begun, since what jobs of this type depend on is away.")
                self._report(item, error, None, utc_now(), 0)
            case None if self.subscription.is_paused:
                self._hand_back(item)
            case None:
                return False
        return True

    def _acknowledge(self, item: _InHand) -> None:
        if item.session.is_open:  # else it is delivered again anyway
            item.session.acks.finished(item.tag)
        self._let_go(item)

    def _hand_back(self, item: _InHand) -> asyncio.Future[None] | None:
        self._let_go(item)
        return item.session.requeue(item.tag) if item.session.is_open else None

    def _let_go(self, item: _InHand) -> None:
        self._in_hand.discard(item)
        if not self._in_hand:
            self._none_in_hand.set()

    def _settle_by(
        self, session: Session, tag: int, step: Callable[[], Awaitable[None]], item: _InHand | None = None
    ) -> None:
        """Acknowledge a delivery once `step` is done, in a task of its own."""

        async def settle() -> None:
            if await self._until_open_or_done(session, step):
                session.acks.finished(tag)
            if item is not None:
                self._let_go(item)

        self._beside(settle())

    def _beside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _measure(self, run_seconds: float) -> None:
        """Fit the prefetch to how long jobs of this type run, at most once a second and only for a clear change."""
        before = self._run_seconds
        self._run_seconds = run_seconds if before is None else before * 0.9 + run_seconds * 0.1
        wanted, now = prefetch_for(self._work.concurrency, self._run_seconds), time.monotonic()
        is_clear = wanted >= 2 * self._prefetch or 2 * wanted <= self._prefetch
        if is_clear and now - self._prefetch_at >= PREFETCH_CHANGE_SECONDS:
            self._prefetch, self._prefetch_at = wanted, now
            self._refitting = asyncio.create_task(self.follow_controls())

    async def _attempt(self, item: _InHand, span: tracing.Span) -> None:
        """Run the handler once and begin to settle."""
        delivery = item.delivery
        place = await self._quarantine.enter(delivery.envelope.id, self._work.type, delivery.fence, delivery.attempt)
        started_at, clock = utc_now(), time.monotonic()
        if delivery.attempt == 1:
            waited = started_at - delivery.waits_since
            self._waited[delivery.priority].observe(max(0.0, waited.total_seconds()))
        try:
            error, result = await self._run(item, started_at, clock)
        finally:
            self._quarantine.leave(place)
        run_seconds = time.monotonic() - clock
        if error is None:  # how soon an attempt fails says nothing of how long the job takes
            self._measure(run_seconds)
        else:
            span.fail(type(error).__name__)
        self.breaker.met(error)
        self._report(item, error, result, started_at, round(run_seconds * 1000))

    def _report(
        self, item: _InHand, error: Exception | None, result: JsonValue, started_at: datetime, run_ms: int
    ) -> None:
        """Say what became of an attempt, and settle it: the report first, then what the disposition asks for."""
        delivery, disposition = item.delivery, self._decide(error, item.delivery)
        waits = disposition.seconds if isinstance(disposition, (RetryAfter, Postpone)) else None
        report = AttemptReport(
            job_id=delivery.envelope.id,
            job_type=self._work.type,
            attempt=delivery.attempt,
            fence=delivery.fence,
            outcome=_outcome_of(disposition),
            worker=self._reporter.worker,
            started_at=started_at,
            run_ms=run_ms,
            error=None if error is None else described(error),
            retry_at=None if waits is None else utc_now() + timedelta(seconds=waits),
            waits_in_ledger=isinstance(disposition, RetryAfter) and disposition.tier is None,
            is_spent=not isinstance(disposition, Postpone),
            result=result,
            traceparent=tracing.current(),
        )
        self._tell(report)
        self._reporter.submit(report, partial(self._reported, item, report, disposition))

    def _decide(self, error: Exception | None, delivery: JobMessage) -> Disposition:
        if error is None:
            return Ack()
        policy = RetryPolicy(delivery.max_attempts, self._tiers[self._work.first_tier :])
        jitter = random.uniform(SHORTEST_JITTER, LONGEST_JITTER)  # noqa: S311 - spreads load, guards nothing
        return decide(error, delivery.attempt, policy, jitter=jitter)

    def _reported(
        self, item: _InHand, report: AttemptReport, disposition: Disposition, failure: Exception | None
    ) -> None:
        """The ledger's queue has the report, or could not be reached: go on from there."""
        if failure is None and isinstance(disposition, (Ack, Drop)):
            self._acknowledge(item)
            return
        is_told = failure is None

        async def publishes() -> None:
            nonlocal is_told
            if not is_told:  # called again when the publish below was not confirmed
                await self._reporter.send(report)
                is_told = True
            if isinstance(disposition, RetryAfter) and disposition.tier is not None:
                await item.delivery.publish_retry(self._publisher, disposition)
            elif isinstance(disposition, Postpone):
                await item.delivery.publish_postponed(self._publisher, disposition)
            elif isinstance(disposition, DeadLetter):
                await item.delivery.publish_dead(self._publisher, disposition.reason)

        self._settle_by(item.session, item.tag, publishes, item)

    async def _run(self, item: _InHand, started_at: datetime, clock: float) -> tuple[Exception | None, JsonValue]:
        delivery, task = item.delivery, asyncio.current_task()
        assert task is not None
        attempt = Attempt(
            job_id=delivery.envelope.id,
            number=delivery.attempt,
            limit=delivery.max_attempts,
            cause_id=delivery.envelope.causationid,
            caused_at=delivery.envelope.time,
            is_cancelled=partial(self._controls.is_cancelled, delivery.envelope.id, delivery.fence),
            progressed=partial(self._note_progress, item),
        )
        limit_seconds = delivery.timeout_ms / 1000
        running = _Running(delivery, task, started_at, clock, clock + limit_seconds, tracing.current())
        self._running.add(running)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._look)
        error: Exception | None = None
        result: JsonValue = None
        try:
            with causes.working_on(attempt.job_id):
                result = kept_result(await self._handler(item.job, attempt))
        except asyncio.CancelledError:
            if running.is_over_limit and task.cancelling() == 1:
                error = AttemptTimeout(f"not done after {limit_seconds:g} s")
            elif task.cancelling():  # shutdown, out of grace
                raise
            else:
                error = HandlerCancelled("something the handler waited for was cancelled")
        except Exception as exc:
            if not isinstance(exc, AppError):
                log.exception("handler_bug")
            error = exc
        finally:
            self._running.discard(running)
            if running.is_over_limit:
                task.uncancel()
        return error, result

    def _note_progress(self, item: _InHand, share: float) -> None:
        item.progress = min(max(0.0, share), 1.0)
        self._progressed.set()

    def _look(self) -> None:
        """Look after all that runs: tell what takes long enough to be seen, end what is over its limit."""
        now = time.monotonic()
        for running in self._running:
            if not running.is_told and now - running.clock >= STARTED_AFTER_SECONDS:
                running.is_told = True
                self._report_started(running)
            if not running.is_over_limit and now >= running.ends_at:
                running.is_over_limit = True
                running.task.cancel()
        self._watch = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._look) if self._running else None

    def _report_started(self, running: _Running) -> None:
        delivery = running.delivery
        report = AttemptReport(
            job_id=delivery.envelope.id,
            job_type=self._work.type,
            attempt=delivery.attempt,
            fence=delivery.fence,
            outcome=Outcome.STARTED,
            worker=self._reporter.worker,
            started_at=running.started_at,
            traceparent=running.traceparent,
        )
        self._reporter.submit(report, _nobody_waits)

    def _tell(self, report: AttemptReport) -> None:
        self._ended[report.outcome if report.is_spent else POSTPONED].inc()
        self._took.observe(report.run_ms / 1000)
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


def _outcome_of(disposition: Disposition) -> Outcome:
    match disposition:
        case Ack():
            return Outcome.COMPLETED
        case RetryAfter() | Postpone():
            return Outcome.RETRYING
        case Drop():
            return Outcome.CANCELLED
        case DeadLetter():
            return Outcome.FAILED
        case _:
            assert_never(disposition)


def _nobody_waits(_: Exception | None) -> None:
    """If a report of a start is lost, the final report says the same and more."""
