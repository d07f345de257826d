"""What the addresses of the jobs api promise."""

from typing import Final

from services.jobs.activity.schemas import ActivityQuery, ActivityShown
from services.jobs.breakers.store import TypeEvent
from services.jobs.control.schemas import (
    BulkBody,
    BulkRetryShown,
    BulkShown,
    CancelledShown,
    RetryFailedBody,
    StatesBody,
    StatesShown,
    TypeEventsQuery,
    TypesShown,
)
from services.jobs.control.store import FailureGroup
from services.jobs.dead_letters.schemas import (
    LetterShown,
    LettersQuery,
    PurgeBody,
    ReplayBody,
    ReplayedShown,
    WholeLetter,
)
from services.jobs.dead_letters.usecases import Purge, Replay
from services.jobs.health.store import WorkerView
from services.jobs.health.usecases import TypeOverview
from services.jobs.queues.schemas import QueuesShown
from services.jobs.schemas import (
    ClearedAnswer,
    ClearHistoryAction,
    EnqueueBody,
    HealthAnswer,
    JobAnswer,
    JobsAnswer,
    JobShown,
    JobsQuery,
    JobType,
    ListQuery,
    RetryAction,
    StatsAnswer,
    VendorListQuery,
    WholeJobShown,
)
from shared.web.operations import Answer, Group, Listed, Operation, Page

_LETTER_ERRORS: Final = (409,)

JOBS: Final = Group(
    "Jobs",
    "What is done in the background: what waits, runs, failed; retry, cancel, pause.",
    (
        Operation(
            route="GET /api/admin/jobs",
            id="readJobs",
            summary="Read statistics, the latest jobs, or one job",
            description="`action` says which: `stats`, `health`, `completed` (the last 100), `failed` (the last 50), "
            "or `job` with its `id`.",
            query=JobsQuery,
            answers={200: Answer(StatsAnswer | HealthAnswer | JobsAnswer | JobAnswer, "What `action` asked for.")},
            errors=(404,),
        ),
        Operation(
            route="POST /api/admin/jobs",
            id="actOnJobs",
            summary="Retry a job, or clear the history",
            body=RetryAction | ClearHistoryAction,
            answers={200: Answer(JobAnswer | ClearedAnswer, "The job, or how many were cleared.")},
            errors=(404, 409),
        ),
        Operation(
            route="GET /api/admin/jobs/list",
            id="listJobs",
            summary="List and search jobs",
            query=ListQuery,
            answers={200: Answer(Page[JobShown], "A page of jobs, newest first.")},
        ),
        Operation(
            route="GET /api/vendor/jobs",
            id="listOwnJobs",
            summary="List the jobs about your products",
            query=VendorListQuery,
            answers={200: Answer(Page[JobShown], "A page of jobs, newest first.")},
        ),
        Operation(
            route="POST /api/admin/jobs/enqueue",
            id="enqueueJob",
            summary="Enqueue a job by hand",
            body=EnqueueBody,
            answers={201: Answer(JobShown, "The job.")},
            is_creating=True,
            errors=(409,),
        ),
        Operation(
            route="POST /api/admin/jobs/{id}/retry",
            id="retryJob",
            summary="Retry a job that failed or was cancelled",
            answers={200: Answer(JobShown, "The job, waiting again.")},
            errors=(409,),
        ),
        Operation(
            route="POST /api/admin/jobs/{id}/cancel",
            id="cancelJob",
            summary="Cancel a job",
            answers={
                200: Answer(CancelledShown, "It is cancelled."),
                202: Answer(CancelledShown, "Its worker is told; its report decides."),
            },
            errors=(409,),
        ),
        Operation(
            route="POST /api/admin/jobs/retry",
            id="retryFailedJobs",
            summary="Retry failed jobs by filter",
            description="By default they are only counted: send `dry_run` false to retry them.",
            body=RetryFailedBody,
            answers={200: Answer(BulkRetryShown, "How many, and over how many seconds.")},
        ),
        Operation(
            route="POST /api/admin/jobs/states",
            id="countStates",
            summary="Count jobs by their state",
            description="How a bulk retry goes: send the `ids` that it answered, 5,000 at most.",
            body=StatesBody,
            answers={200: Answer(StatesShown, "How many are in which state.")},
        ),
        Operation(
            route="GET /api/admin/jobs/groups",
            id="listFailures",
            summary="List failed jobs by their cause",
            answers={200: Answer(Listed[FailureGroup], "Each cause with its newest job.")},
        ),
        Operation(
            route="POST /api/admin/jobs/bulk",
            id="actOnManyJobs",
            summary="Retry or cancel the jobs of a list",
            description="The filters are those of the list; of its jobs only those count that are in a state for it. "
            "By default they are only counted: send `dry_run` false to do it, for 5,000 jobs at most.",
            body=BulkBody,
            answers={200: Answer(BulkShown, "How many, over how many seconds, and whether there are more.")},
        ),
        Operation(
            route="GET /api/admin/jobs/overview",
            id="readOverview",
            summary="Read every type at a glance",
            description="Jobs by state, workers, the oldest waiting job, what stops the type, and its last hour.",
            answers={200: Answer(Listed[TypeOverview], "Every type.")},
        ),
        Operation(
            route="GET /api/admin/jobs/activity",
            id="readActivity",
            summary="Read throughput, waits and run times over time",
            query=ActivityQuery,
            answers={200: Answer(ActivityShown, "The steps of the span, oldest first.")},
        ),
        Operation(
            route="GET /api/admin/jobs/{id}",
            id="readJob",
            summary="Read a job with its history and the jobs around it",
            answers={200: Answer(WholeJobShown, "The job.")},
        ),
        Operation(
            route="GET /api/admin/queues",
            id="listQueues",
            summary="List the queues",
            description="What RabbitMQ says of each, where SOUK_MANAGEMENT_URL names its management API.",
            answers={200: Answer(QueuesShown, "Every queue of the topology.")},
        ),
        Operation(
            route="GET /api/admin/job-types",
            id="listStandingTypes",
            summary="List the types that are paused or broken",
            answers={200: Answer(TypesShown, "The types that stand.")},
        ),
        Operation(
            route="GET /api/admin/job-types/events",
            id="listTypeEvents",
            summary="List what stopped types and let them go on",
            description="Of the last 30 days, newest first: people who paused and resumed, breakers that opened and "
            "closed, and who tries for all.",
            query=TypeEventsQuery,
            answers={200: Answer(Listed[TypeEvent], "The newest ones.")},
        ),
        Operation(
            route="POST /api/admin/job-types/{type}/pause",
            id="pauseType",
            summary="Pause a type",
            path={"type": JobType},
            errors=(422,),
            answers={200: Answer(TypesShown, "The types that stand now.")},
        ),
        Operation(
            route="POST /api/admin/job-types/{type}/resume",
            id="resumeType",
            summary="Resume a type",
            path={"type": JobType},
            errors=(422,),
            answers={200: Answer(TypesShown, "The types that stand now.")},
        ),
        Operation(
            route="GET /api/admin/workers",
            id="listWorkers",
            summary="List the workers",
            answers={200: Answer(Listed[WorkerView], "Those heard of in the last ten minutes.")},
        ),
    ),
)

DEAD_LETTERS: Final = Group(
    "Dead letters",
    "Messages that were given up.",
    (
        Operation(
            route="GET /api/admin/dead-letters",
            id="listDeadLetters",
            summary="List dead letters",
            query=LettersQuery,
            answers={200: Answer(Page[LetterShown], "A page of letters, newest first.")},
        ),
        Operation(
            route="GET /api/admin/dead-letters/{id}",
            id="readDeadLetter",
            summary="Read a dead letter",
            answers={200: Answer(WholeLetter, "The letter.")},
        ),
        Operation(
            route="DELETE /api/admin/dead-letters/{id}",
            id="deleteDeadLetter",
            summary="Delete a dead letter",
            answers={204: Answer(description="It is gone.")},
            errors=_LETTER_ERRORS,
        ),
        Operation(
            route="POST /api/admin/dead-letters/{id}/replay",
            id="replayDeadLetter",
            summary="Replay a dead letter",
            answers={202: Answer(ReplayedShown, "Its job is retried, or the message goes back to its queue.")},
            errors=_LETTER_ERRORS,
        ),
        Operation(
            route="POST /api/admin/dead-letters/replay",
            id="replayDeadLetters",
            summary="Replay dead letters by filter",
            description="By default they are only counted: send `dry_run` false to replay them.",
            body=ReplayBody,
            answers={200: Answer(Replay, "What is replayed, and over how many seconds.")},
        ),
        Operation(
            route="POST /api/admin/dead-letters/purge",
            id="purgeDeadLetters",
            summary="Delete dead letters by filter",
            description="By default they are only counted: send `dry_run` false to delete them.",
            body=PurgeBody,
            answers={200: Answer(Purge, "How many letters.")},
        ),
    ),
)
