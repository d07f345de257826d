"""What the address of the audit log promises."""

from typing import Final

from services.catalog.audit_routes import AuditPage, DeedsShown
from shared.web.operations import Answer, Group, Operation

AUDIT: Final = Group(
    "Audit",
    "Who decided what.",
    (
        Operation(
            route="GET /api/admin/audit",
            id="listDeeds",
            summary="Read the audit log of all services",
            query=AuditPage,
            answers={200: Answer(DeedsShown, "A page of deeds, newest first.")},
        ),
    ),
)
