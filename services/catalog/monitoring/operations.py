"""What the address of monitoring promises."""

from typing import Final

from services.catalog.monitoring.routes import SightShown
from shared.web.operations import Answer, Group, Operation

MONITORING: Final = Group(
    "Monitoring",
    "How the whole installation is.",
    (
        Operation(
            route="GET /api/admin/monitoring",
            id="readMonitoring",
            summary="Read the health score and what it is made of",
            answers={200: Answer(SightShown, "What this gateway sees; it answers whatever is away.")},
        ),
    ),
)
