"""Jobs as the API shows them."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.jobs.models import JobState
from services.jobs.schemas import job_shown
from services.jobs.store import JobView

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("state", "is_shown"), [("completed", False), ("retrying", True), ("failed", True)])
def test_the_error_of_an_attempt_is_no_error_of_a_completed_job(state: str, is_shown: bool) -> None:
    job = JobView(
        id=UUID(int=1),
        type="send-email",
        priority=2,
        state=JobState(state),
        attempt=2,
        max_attempts=3,
        payload={},
        cause=None,
        cause_type=None,
        parent=None,
        vendor_id=None,
        target="product_approved",
        created_at=AT,
        run_at=None,
        started_at=AT,
        finished_at=AT,
        run_ms=1,
        retry_at=None,
        result=None,
        error_class="MailboxDeferred",
        error_message="451 later",
        progress=None,
    )
    shown = job_shown(job, [])["error"]
    assert shown == ({"class": "MailboxDeferred", "message": "451 later"} if is_shown else None)
