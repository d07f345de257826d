"""What the addresses of the caches promise."""

from typing import Final

from services.catalog.cache.schemas import AllCaches, ClearBody, ClearingShown
from shared.web.operations import Answer, Group, Operation

CACHES: Final = Group(
    "Caches",
    "What every gateway replica keeps in memory.",
    (
        Operation(
            route="GET /api/admin/cache",
            id="readCaches",
            summary="Read how the caches do",
            answers={200: Answer(AllCaches, "Each replica as it last reported, and the sum.")},
        ),
        Operation(
            route="POST /api/admin/cache/clear",
            id="clearCaches",
            summary="Clear the caches of all replicas",
            body=ClearBody,
            is_body_optional=True,
            answers={200: Answer(ClearingShown, "What each replica removed.")},
        ),
    ),
)
