"""`/admin/dead-letters`: messages that were given up, to be looked at, replayed and deleted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from services.catalog.answers import uuid_in_path
from services.catalog.pages.board.jobs import FEED, REFUSED, WORDS, acted
from services.catalog.pages.board.masking import masked, masked_text
from services.catalog.pages.board.models import Letter
from services.catalog.pages.board.service import JobsService
from services.catalog.pages.board.wording import duration
from services.catalog.pages.forms import Form, read_form
from services.catalog.pages.middleware import own_path
from services.catalog.pages.paging import Listed, Paging
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import counted
from shared.clock import utc_now
from shared.errors import InvalidInput

A_PAGE: Final = 50
NAMES: Final = ("type", "queue", "kind", "reason", "job_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPages:
    """The pages of dead letters."""

    view: View
    jobs: JobsService

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = "/admin/dead-letters/{id}"
        return [
            web.get("/admin/dead-letters", self.list_all),
            web.get("/admin/dead-letters/bulk", self.count),
            web.post("/admin/dead-letters/bulk", self.act_on_many),
            web.get(one, self.show),
            web.post(f"{one}/replay", self.replay),
            web.post(f"{one}/delete", self.delete),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        """Those that fit, newest first. A filter that does not fit says so."""
        filters = _filters(request.query)
        paging, form = Paging(request, filters), Form(filters)
        behind = paging.behind()
        place = {} if behind is None else {"cursor": str(behind[0])}
        listed: Listed[Letter] = Listed([], "", "")
        try:
            found = await self.jobs.letters(request, {**filters, **place, "limit": str(A_PAGE)})
            listed = paging.page(found.items, None if found.next is None else [found.next])
        except InvalidInput as exc:
            form = form.refused(exc)
        return await self.view.page(
            request, "jobs/letters.html.jinja", feed=FEED, listed=listed, paging=paging, form=form, **WORDS
        )

    async def show(self, request: web.Request) -> web.Response:
        """One with its whole body, what is personal in it masked."""
        letter = await self.jobs.letter(request, uuid_in_path(request))
        text = masked_text(letter.text or "") if letter.payload is None else _written(letter.payload)
        return await self.view.page(
            request,
            "jobs/letter.html.jinja",
            feed=FEED,
            letter=letter,
            body=text,
            properties=_written(dict(letter.properties)),
            **WORDS,
        )

    async def replay(self, request: web.Request) -> web.StreamResponse:
        """Retry its job, or put the message back into its queue."""
        act = self.jobs.replay(request, uuid_in_path(request))
        return await acted("/admin/dead-letters", act, "It goes back to where it was given up.")

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete it; a job stays as it is."""
        act = self.jobs.delete(request, uuid_in_path(request))
        return await acted("/admin/dead-letters", act, "Deleted.")

    async def count(self, request: web.Request) -> web.Response:
        """How many a replay or a purge would be about, to be confirmed."""
        action, filters = _action(request.query), _filters(request.query)
        meant, until = dict(filters), utc_now().isoformat()
        jobs = messages = letters = 0
        if action == "replay":
            replay = await self.jobs.replay_all(request, {**meant, "until": until}, is_dry_run=True)
            jobs, messages = replay.jobs, replay.messages
        else:
            letters = (await self.jobs.purge(request, {**meant, "until": until}, is_dry_run=True)).letters
        return await self.view.page(
            request,
            "jobs/letters_bulk.html.jinja",
            action=action,
            filters=filters,
            until=until,
            jobs=jobs,
            messages=messages,
            letters=letters,
            back=Paging(request, filters).address_at("/admin/dead-letters"),
            **WORDS,
        )

    async def act_on_many(self, request: web.Request) -> web.StreamResponse:
        """Do it."""
        values = await read_form(request)
        back = own_path(values.get("back", ""), request) or "/admin/dead-letters"
        meant: dict[str, Any] = {**_filters(values), **({"until": values["until"]} if values.get("until") else {})}
        try:
            if _action(values) == "replay":
                replay = await self.jobs.replay_all(request, meant, is_dry_run=False)
                over = f" over {duration(replay.over_seconds * 1000)}" if replay.over_seconds >= 1 else ""
                said = f"{counted(replay.jobs, 'job')} and {counted(replay.messages, 'message')} go back{over}."
            else:
                said = (
                    f"{counted((await self.jobs.purge(request, meant, is_dry_run=False)).letters, 'letter')} deleted."
                )
        except REFUSED as exc:
            return done(back, exc.detail, tone="warn")
        return done(back, said)


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name].strip() for name in NAMES if given.get(name, "").strip()}


def _action(given: Mapping[str, str]) -> str:
    """Replay or purge; what is neither is the harmless one."""
    return "purge" if given.get("action") == "purge" else "replay"


def _written(value: Any) -> str:
    return json.dumps(masked(value), indent=2, ensure_ascii=False)
