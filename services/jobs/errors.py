"""What the jobs service refuses, and what the caller can do."""

from shared.errors import Conflict, InvalidInput, NotFound


class JobNotFound(NotFound):
    """No job of that id is kept: a wrong id, or it was pruned. Completed ones are kept 7 days, failed ones 30."""

    code = "job_not_found"


class NotRetryable(Conflict):
    """Only a failed or cancelled job can be retried by hand; this one is still under way, or done."""

    code = "job_not_retryable"


class AlreadyOver(Conflict):
    """The job is completed, failed or cancelled: there is nothing left to cancel."""

    code = "job_already_over"


class AlreadyCleared(Conflict):
    """The idempotency key made a job that is done and cleared away; a new job needs a new key."""

    code = "job_already_cleared"


class KeyReused(InvalidInput):
    """The idempotency key made another job today; make a new key for a new thing."""

    code = "idempotency_key_reused"


class UnknownJobType(InvalidInput):
    """There is no such job type; the list is in the message reference."""

    code = "unknown_job_type"


class LetterNotFound(NotFound):
    """No dead letter of that id is kept: it was replayed or purged, or its job went round again."""

    code = "dead_letter_not_found"


class LetterUnreadable(Conflict):
    """Not even the job's id can be read from the message; look at its body, then delete it."""

    code = "dead_letter_unreadable"


class LetterOfUnknownJob(Conflict):
    """The ledger keeps no job of the letter's id: pruned, cleared, or never made here. Enqueue its payload anew."""

    code = "dead_letter_of_unknown_job"
