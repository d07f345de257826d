"""What the scheduler's addresses promise."""

from typing import Final

from services.scheduler.schemas import RunAccepted, ScheduleDetail, ScheduleItem, ScheduleList, TickList
from shared.web.operations import Answer, Group, Operation
from shared.web.paging import PageQuery

_NAMED: Final = {"name": str}

SCHEDULES: Final = Group(
    "Schedules",
    "What runs by the clock.",
    (
        Operation(
            route="GET /api/admin/schedules",
            id="listSchedules",
            summary="List the schedule",
            answers={200: Answer(ScheduleList, "Every entry with its next runs.")},
        ),
        Operation(
            route="GET /api/admin/schedules/{name}",
            id="readSchedule",
            summary="Read an entry",
            path=_NAMED,
            answers={200: Answer(ScheduleDetail, "The entry with its latest ticks.")},
        ),
        Operation(
            route="GET /api/admin/schedules/{name}/ticks",
            id="listTicks",
            summary="List when an entry was due",
            path=_NAMED,
            query=PageQuery,
            answers={200: Answer(TickList, "A page of ticks, newest first.")},
        ),
        Operation(
            route="POST /api/admin/schedules/{name}/run",
            id="runSchedule",
            summary="Run an entry now",
            path=_NAMED,
            answers={202: Answer(RunAccepted, "Its job follows.")},
            errors=(409,),
        ),
        *(
            Operation(
                route=f"POST /api/admin/schedules/{{name}}/{action}",
                id=f"{action}Schedule",
                summary=summary,
                path=_NAMED,
                answers={200: Answer(ScheduleItem, "The entry as it is now.")},
                errors=(409,),
            )
            for action, summary in (("pause", "Stop an entry's slots"), ("resume", "Let an entry's slots run again"))
        ),
    ),
)
