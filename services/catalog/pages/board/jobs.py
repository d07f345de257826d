"""`/admin/jobs` and below: the board, a job, its changed copies, failures by cause, and the types."""

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from pydantic import JsonValue

from services.catalog.answers import uuid_in_path
from services.catalog.pages.board import charts
from services.catalog.pages.board.filters import SPANS, WITHIN, Filters, filters_of
from services.catalog.pages.board.masking import masked, masked_text, unmasked
from services.catalog.pages.board.models import HeardPage, Job, TypeView, WholeJob
from services.catalog.pages.board.people import People
from services.catalog.pages.board.service import JobsService
from services.catalog.pages.board.wording import OUTCOMES, STATES, TYPE_EVENTS, about, ahead, duration, short
from services.catalog.pages.forms import Form, read_form
from services.catalog.pages.middleware import own_path
from services.catalog.pages.paging import Listed, Paging
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import counted
from shared.clock import utc_now
from shared.errors import Conflict, FieldError, InvalidInput, NotFound
from shared.web.cursors import Position
from shared.web.identity import IDENTITY, Role

A_PAGE: Final = 50
TYPE_EVENTS_SHOWN: Final = 12
FEED: Final = "/api/admin/jobs/stream"
REFUSED: Final = (InvalidInput, Conflict, NotFound)
RETRYABLE: Final = ("failed", "cancelled")
OPEN: Final = ("scheduled", "pending", "processing", "retrying")
MAX_PAYLOAD_CHARS: Final = 100_000
WORDS: Final[Mapping[str, Any]] = {
    "states": STATES,
    "outcomes": OUTCOMES,
    "duration": duration,
    "short": short,
    "about": about,
    "masked_text": masked_text,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPages:
    """The pages of jobs."""

    view: View
    jobs: JobsService
    people: People
    mail_search_url: str | None

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = "/admin/jobs/{id}"
        return [
            web.get("/admin/jobs", self.board),
            web.get("/admin/jobs/failures", self.failures),
            web.get("/admin/jobs/types", self.types),
            web.post("/admin/jobs/types/{type}/pause", self.pause),
            web.post("/admin/jobs/types/{type}/resume", self.resume),
            web.get("/admin/jobs/bulk", self.count),
            web.post("/admin/jobs/bulk", self.act_on_many),
            web.get(one, self.show),
            web.post(f"{one}/retry", self.retry),
            web.post(f"{one}/cancel", self.cancel),
            web.get(f"{one}/copy", self.ask_copy),
            web.post(f"{one}/copy", self.copy),
        ]

    # -- the board -----------------------------------------------------------------------------------

    async def board(self, request: web.Request) -> web.Response:
        """Counts by state, what happened over time, and the jobs that fit. A filter that does not fit says so."""
        filters = filters_of(request)
        paging = Paging(request, filters.in_address)
        job_type = filters.values.get("type", "")
        types, activity = await asyncio.gather(
            self.jobs.types(request), self.jobs.activity(request, filters.span, job_type)
        )
        form = Form(filters.values)
        listed: Listed[Job] = Listed([], "", "")
        try:
            listed = paging.page(*await self._page(request, filters, paging))
        except InvalidInput as exc:
            form = form.refused(exc)
        return await self.view.page(
            request,
            "jobs/board.html.jinja",
            feed=FEED,
            types=types,
            stopped=[one for one in types if one.paused or one.breaker],
            names=await self._names(types),
            counts=_counts(types, job_type),
            filters=filters,
            form=form,
            listed=listed,
            paging=paging,
            throughput=charts.throughput(activity.items),
            times=charts.times(activity.items),
            axis=charts.axis(activity.items),
            spans=SPANS,
            within=WITHIN,
            type_options=[(one.type, one.type) for one in types],
            state_options=[(state, words[0]) for state, words in STATES.items()],
            within_options=[(value, words[0]) for value, words in WITHIN.items()],
            bulk_actions=_bulk_actions(filters, listed.items),
            **WORDS,
        )

    async def _page(
        self, request: web.Request, filters: Filters, paging: Paging
    ) -> tuple[Sequence[Job], Position | None]:
        behind = paging.behind()
        # "Within" is before the first page: the service's places are good for the same times only.
        now = utc_now() if behind is None else datetime.fromisoformat(str(behind[1]))
        place = {} if behind is None else {"cursor": str(behind[0])}
        asked = {**filters.asked(now), **place, "limit": str(A_PAGE)}
        found: HeardPage[Job] = await self.jobs.jobs(request, asked)
        return found.items, None if found.next is None else [found.next, now.isoformat()]

    async def failures(self, request: web.Request) -> web.Response:
        """Failed jobs by cause."""
        groups = await self.jobs.failures(request)
        return await self.view.page(request, "jobs/failures.html.jinja", feed=FEED, groups=groups, **WORDS)

    async def types(self, request: web.Request) -> web.Response:
        """Every type, with what stops it."""
        types, events = await asyncio.gather(
            self.jobs.types(request), self.jobs.type_events(request, TYPE_EVENTS_SHOWN)
        )
        return await self.view.page(
            request,
            "jobs/types.html.jinja",
            feed=FEED,
            types=types,
            events=events,
            event_words=TYPE_EVENTS,
            names=await self._names(types, *(event.actor for event in events)),
            **WORDS,
        )

    async def _names(self, types: Sequence[TypeView], *others: str) -> Mapping[str, str]:
        return await self.people.named([*others, *(one.paused.actor for one in types if one.paused)])

    async def pause(self, request: web.Request) -> web.StreamResponse:
        """Have no worker take jobs of a type."""
        job_type = request.match_info["type"]
        act = self.jobs.set_paused(request, job_type, is_paused=True)
        return await acted("/admin/jobs/types", act, f"{job_type} is paused. What runs, finishes.")

    async def resume(self, request: web.Request) -> web.StreamResponse:
        """Let workers take jobs of a type again."""
        job_type = request.match_info["type"]
        act = self.jobs.set_paused(request, job_type, is_paused=False)
        return await acted("/admin/jobs/types", act, f"{job_type} goes on.")

    # -- many at once --------------------------------------------------------------------------------

    async def count(self, request: web.Request) -> web.Response:
        """How many an action would be about, to be confirmed."""
        action, filters = request.query.get("action", ""), filters_of(request)
        now = utc_now()
        pinned = {"until": now.isoformat(), **filters.asked(now)}  # what comes meanwhile is not meant
        found = await self.jobs.bulk(request, action, {**filters.as_body(now), **_times(pinned)}, is_dry_run=True)
        return await self.view.page(
            request,
            "jobs/bulk.html.jinja",
            action=action,
            found=found,
            filters=filters,
            pinned=pinned,
            back=Paging(request, filters.in_address).address_at("/admin/jobs"),
            within=WITHIN,
            **WORDS,
        )

    async def act_on_many(self, request: web.Request) -> web.StreamResponse:
        """Do it."""
        values = await read_form(request)
        action, filters = values.get("action", ""), Filters.of(values)
        back = own_path(values.get("back", ""), request) or "/admin/jobs"
        try:
            did = await self.jobs.bulk(request, action, filters.as_body(utc_now()), is_dry_run=False)
        except REFUSED as exc:
            return done(back, exc.detail, tone="warn")
        over = f" over {duration(did.over_seconds * 1000)}" if did.over_seconds >= 1 else ""
        verb = "sent round again" if action == "retry" else "cancelled, or asked to stop"
        more = " There are more: do it again." if did.more else ""
        return done(back, f"{counted(did.jobs, 'job')} {verb}{over}.{more}")

    # -- one job -------------------------------------------------------------------------------------

    async def show(self, request: web.Request) -> web.Response:
        """A job with everything that is known of it."""
        job = await self.jobs.job(request, uuid_in_path(request))
        return await self.view.page(
            request,
            "jobs/job.html.jinja",
            feed=FEED,
            job=job,
            names=await self.people.named(line.actor for line in job.history),
            payload=_written(masked(job.payload)),
            result=None if job.result is None else _written(masked(job.result)),
            links=self._links(job, request[IDENTITY].role),
            can_retry=job.state in RETRYABLE,
            can_cancel=job.state in OPEN,
            ahead=lambda moment: ahead(moment, utc_now()),
            **WORDS,
        )

    async def retry(self, request: web.Request) -> web.StreamResponse:
        """Send a failed or cancelled one round again."""
        job_id = uuid_in_path(request)
        return await acted(_page_of(job_id), self.jobs.act(request, job_id, "retry"), "It goes round again.")

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """Cancel one, or ask the worker that has it to stop."""
        job_id = uuid_in_path(request)
        said = "Cancelled. If it was running, its worker has been asked to stop."
        return await acted(_page_of(job_id), self.jobs.act(request, job_id, "cancel"), said)

    async def ask_copy(self, request: web.Request) -> web.Response:
        """The form of a changed copy: the payload as it is shown, with what is personal masked."""
        job = await self.jobs.job(request, uuid_in_path(request))
        values = {"payload": _written(masked(job.payload)), "priority": str(job.priority)}
        return await self._copy_form(request, job, Form(values))

    async def copy(self, request: web.Request) -> web.StreamResponse:
        """Make a new job of a changed payload; what is still masked is what it was."""
        job, form = await self.jobs.job(request, uuid_in_path(request)), Form(await read_form(request))
        try:
            made = await self.jobs.enqueue(request, _copied(job, form.values))
        except REFUSED as exc:
            return await self._copy_form(request, job, form.refused(exc), status=422)
        return done(_page_of(made.id), "A new job was made of it.")

    async def _copy_form(self, request: web.Request, job: Job, form: Form, *, status: int = 200) -> web.Response:
        return await self.view.page(
            request, "jobs/copy.html.jinja", http_status=status, job=job, form=form, feed=FEED, **WORDS
        )

    def _links(self, job: WholeJob, role: Role) -> list[tuple[str, str]]:
        """Where to see what a job is about: (what it says, address)."""
        links = []
        product = _product_of(job.payload)
        if product is not None and role is Role.ADMIN:
            links.append(("The product", f"/admin/products/{product}"))
        if job.type == "send-email" and self.mail_search_url is not None:
            links.append(("The mail", self.mail_search_url.replace("{job}", str(job.id))))
        return links


async def acted(back: str, act: Awaitable[None], said: str) -> web.StreamResponse:
    """Do it and see the page again, which says what was done, or why not."""
    try:
        await act
    except REFUSED as exc:
        return done(back, exc.detail, tone="warn")
    return done(back, said)


def _page_of(job_id: UUID) -> str:
    return f"/admin/jobs/{job_id}"


def _counts(types: Sequence[TypeView], job_type: str) -> dict[str, int]:
    """The jobs by state, of one type or of all."""
    meant = [one for one in types if one.type == job_type] if job_type else types
    return {state: sum(one.counts.get(state, 0) for one in meant) for state in STATES}


def _bulk_actions(filters: Filters, shown: Sequence[Job]) -> list[str]:
    """What can be done to all that fit: only where a filter says what is meant, and something is there."""
    state = filters.values.get("state", "")
    if not filters.values or not shown:
        return []
    states = {state} if state else {job.state for job in shown}
    return [
        *(["retry"] if states & set(RETRYABLE) else []),
        *(["cancel"] if states & set(OPEN) else []),
    ]


def _times(pinned: Mapping[str, str]) -> dict[str, str]:
    return {name: pinned[name] for name in ("since", "until") if name in pinned}


def _copied(job: Job, values: Mapping[str, str]) -> dict[str, Any]:
    """A changed copy as the jobs service takes it. Raises `InvalidInput` pointing at the payload."""
    payload = unmasked(_read_payload(values.get("payload", "")), job.payload)
    priority = values.get("priority", "")
    body: dict[str, Any] = {"type": job.type, "payload": payload, "copy_of": str(job.id)}
    return {**body, "priority": int(priority)} if priority.isascii() and priority.isdigit() else body


def _read_payload(text: str) -> dict[str, JsonValue]:
    try:
        payload = json.loads(text[: MAX_PAYLOAD_CHARS + 1])
    except json.JSONDecodeError as exc:
        raise _no_payload(f"This is no JSON (line {exc.lineno}: {exc.msg}).") from exc
    except (ValueError, RecursionError) as exc:  # a number of thousands of digits, or nested too deeply
        raise _no_payload("This is no JSON that can be kept.") from exc
    if not isinstance(payload, dict):
        raise _no_payload("It is an object: {…}.")
    return payload


def _no_payload(said: str) -> InvalidInput:
    return InvalidInput("The payload does not fit.", errors=[FieldError("/payload", "json", said)])


def _product_of(payload: Mapping[str, JsonValue]) -> str | None:
    """The product that a payload names, at its top or among its letter's params."""
    params = payload.get("params")
    inner = params.get("product_id") if isinstance(params, Mapping) else None
    named = payload.get("product_id") or inner
    try:
        return str(UUID(str(named)))
    except ValueError:
        return None


def _written(value: JsonValue) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
