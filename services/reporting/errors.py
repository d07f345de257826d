"""What reporting raises on purpose."""

from shared.errors import Conflict, FieldError, InvalidInput, NotFound, Unavailable


class UnknownReport(NotFound):
    """There is no such report, or it is another vendor's."""

    code = "unknown_report"


class ReportNotReady(Conflict):
    """The report has no figures yet; look at its `state` and come back when it is `ready`."""

    code = "report_not_ready"


class ReportNotPending(Conflict):
    """The report is finished; there is nothing to cancel."""

    code = "report_not_pending"


class PdfNotInstalled(InvalidInput):
    """PDF is an extra that this installation does not have; ask for another format."""

    code = "pdf_not_installed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError("/format", "not_installed", detail)])


class PdfNotMade(Unavailable):
    """The page could not be laid out in time; the other formats can be had."""

    code = "pdf_not_made"


class BadPeriod(InvalidInput):
    """The period is turned around, too long, too early, or lies in the future."""

    code = "bad_period"


class BadReportJob(InvalidInput):
    """A job asks for a report without saying which, or of which days. Trying it again changes nothing."""

    code = "bad_report_job"


class EventsMissing(Conflict):
    """The figures hold more than the kept events tell: made anew, they would be fewer."""

    code = "events_missing"


class BadLink(NotFound):
    """The link to a report has expired, or is none of ours. Sign in to open the report."""

    code = "bad_link"
