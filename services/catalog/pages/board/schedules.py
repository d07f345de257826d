"""`/admin/schedules`: what runs by the clock. Operators see it; administrators also change it."""

from dataclasses import dataclass

from aiohttp import web

from services.catalog.pages.board.jobs import FEED, WORDS, acted
from services.catalog.pages.board.people import People
from services.catalog.pages.board.service import SchedulerService
from services.catalog.pages.board.wording import TICKS, ahead, day_time
from services.catalog.pages.view import View
from shared.clock import utc_now
from shared.web.identity import IDENTITY, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePages:
    """The pages of schedules."""

    view: View
    scheduler: SchedulerService
    people: People

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = "/admin/schedules/{name}"
        return [
            web.get("/admin/schedules", self.list_all),
            web.get(one, self.show),
            web.post(f"{one}/run", self.run),
            web.post(f"{one}/pause", self.pause),
            web.post(f"{one}/resume", self.resume),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        """Every entry with its next runs."""
        return await self.view.page(
            request,
            "jobs/schedules.html.jinja",
            feed=FEED,
            schedules=await self.scheduler.schedules(request),
            can_change=_can_change(request),
            ahead=lambda moment: ahead(moment, utc_now()),
            **WORDS,
        )

    async def show(self, request: web.Request) -> web.Response:
        """One entry with its latest ticks and what people did with it."""
        schedule = await self.scheduler.schedule(request, request.match_info["name"])
        accounts = [*(tick.account for tick in schedule.ticks), *(change.account for change in schedule.changes)]
        return await self.view.page(
            request,
            "jobs/schedule.html.jinja",
            feed=FEED,
            schedule=schedule,
            names=await self.people.named(accounts),
            can_change=_can_change(request),
            ticks=TICKS,
            day_time=day_time,
            ahead=lambda moment: ahead(moment, utc_now()),
            **WORDS,
        )

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Run it now, paused or not."""
        return await self._act(request, "run", "It runs now; its job follows.")

    async def pause(self, request: web.Request) -> web.StreamResponse:
        """Let none of its slots run."""
        return await self._act(request, "pause", "Paused. What is due meanwhile is not made up for.")

    async def resume(self, request: web.Request) -> web.StreamResponse:
        """Let its slots run again."""
        return await self._act(request, "resume", "It runs by the clock again.")

    async def _act(self, request: web.Request, action: str, said: str) -> web.StreamResponse:
        name = request.match_info["name"]
        return await acted(f"/admin/schedules/{name}", self.scheduler.act(request, name, action), said)


def _can_change(request: web.Request) -> bool:
    return request[IDENTITY].role is Role.ADMIN
