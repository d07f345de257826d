"""Every job type there is: what it carries and what keeps a second copy of it without effect.

How often and how long a type is tried is the topology's (`shared.messaging.topology`).
"""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, PositiveInt

from shared.contracts.base import Audience, Job, Text

LetterParam = str | int | bool | None
Params = dict[str, LetterParam | list[dict[str, LetterParam]]]
"""Small values a letter or a notification needs: ids, titles, amounts, reasons. Never an address or a text."""


class SendEmail(Job):
    """Mail one letter to everybody of an audience."""

    type = "send-email"
    once_only_by = "delivery row per (job, recipient), written with the SMTP answer"
    letter: Text
    audience: Audience
    params: Params


class SendNotification(Job):
    """Put one in-app notification into an audience's inbox. `dedupe_key` is the job's id where none is given."""

    type = "send-notification"
    once_only_by = "inbox row unique by dedupe key"
    kind: Text
    audience: Audience
    params: Params
    dedupe_key: Text | None = None


class ProcessImage(Job):
    """Make and store the renditions of one picture, then answer with `image.processed`."""

    type = "process-image"
    once_only_by = "rendition keys derived from content hash and preset"
    image_id: UUID
    product_id: UUID
    source: Annotated[str, Field(max_length=2000)]
    round: PositiveInt = 1


class GenerateReport(Job):
    """Build one report; or, with the scope `due`, ask for the report of everybody whose day ended before `due_at`."""

    type = "generate-report"
    once_only_by = "one report per (type, scope, period), replaced atomically"
    report_id: UUID | None = None
    report_type: Text
    vendor_id: UUID | None = None
    period_from: date | None = None
    period_to: date | None = None
    due_at: datetime | None = None
    scope: Literal["one", "due"] = "one"


class SyncInventory(Job):
    """Bring a vendor's stock in line with its own system. Without `run_id` it is a run of its own."""

    type = "sync-inventory"
    once_only_by = "absolute quantities with source version; movements unique by (source, version, sku)"
    source_id: UUID
    version: Text = ""
    run_id: UUID | None = None


class CleanupCache(Job):
    """Have every gateway replica clear (off-peak) or expire its caches. `auto` lets the hour decide."""

    type = "cleanup-cache"
    once_only_by = "idempotent"
    mode: Literal["auto", "clear", "expire"] = "auto"
    due_at: datetime | None = None


class CheckLowStock(Job):
    """Open an alert for each product at or below its threshold and tell the vendors."""

    type = "check-low-stock"
    once_only_by = "an alert opens once until recovered"
    due_at: datetime | None = None


class CleanupJobs(Job):
    """Prune the ledger by the retention of each state."""

    type = "cleanup-jobs"
    once_only_by = "idempotent"
    due_at: datetime | None = None


JOBS: tuple[type[Job], ...] = (
    SendEmail,
    SendNotification,
    ProcessImage,
    GenerateReport,
    SyncInventory,
    CleanupCache,
    CheckLowStock,
    CleanupJobs,
)
JOB_BY_TYPE: dict[str, type[Job]] = {job.type: job for job in JOBS}
