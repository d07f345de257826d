"""Who is told of reports on live pages."""

from uuid import UUID

import pytest

from services.catalog.realtime.models import DESK, notices_of, vendor_key
from shared.contracts.events import ReportFailed, ReportReady

REPORT, VENDOR = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("vendor_id", [None, VENDOR])
def test_a_report_is_told_to_those_whose_it_is(vendor_id: UUID | None) -> None:
    ready = ReportReady(report_id=REPORT, report_type="daily_sales", vendor_id=vendor_id)
    failed = ReportFailed(report_id=REPORT, report_type="daily_sales", vendor_id=vendor_id, error="Nothing happened.")
    to = DESK if vendor_id is None else vendor_key(vendor_id)
    [told], [lost] = notices_of(ready), notices_of(failed)
    assert (told.name, told.to) == ("report", (to,))
    assert (lost.name, lost.to) == ("report-failed", (to,))
    assert dict(lost.data) == {"id": REPORT, "type": "daily_sales", "error": "Nothing happened."}
