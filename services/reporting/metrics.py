"""Puts together what services measured of themselves. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from services.reporting.models import (
    CacheUse,
    FailureCause,
    HealthScore,
    JobWork,
    Lasting,
    MeasureRow,
    Period,
    Slot,
    Work,
)

MAIL: Final = "send-email"
IMAGE: Final = "process-image"
HOUR: Final = timedelta(hours=1)

Sums = Mapping[tuple[str, str], MeasureRow]
"""Measures by name and label."""


def work_of(period: Period, rows: Sequence[MeasureRow], *, is_whole: bool) -> Work | None:
    """What was measured in a period, as a whole and over its time; None if nothing was told."""
    if not rows:
        return None
    sums = _sums(rows)
    at_time: dict[datetime, list[MeasureRow]] = defaultdict(list)
    for row in rows:
        at_time[row.at].append(row)
    return Work(
        is_whole=is_whole,
        mails_sent=_count(sums, "mails_sent"),
        mails_refused=_count(sums, "mails_refused"),
        mails_failed=_count(sums, "jobs_failed", MAIL),
        images_processed=_count(sums, "jobs_completed", IMAGE),
        images_failed=_count(sums, "jobs_failed", IMAGE),
        jobs=_jobs(sums),
        failures=_failures(sums),
        caches=tuple(
            CacheUse(cache=cache, hits=_count(sums, "cache_hits", cache), misses=_count(sums, "cache_misses", cache))
            for cache in _labels(sums, "cache_hits", "cache_misses")
        ),
        health=_health(sums),
        slots=tuple(_slot(at, _sums(at_time[at])) for at in _times(period)),
    )


def _times(period: Period) -> list[datetime]:
    """When the slots of a period begin: every hour there was of one day, or every day."""
    if len(period.days) > 1:
        return [replace(period, first=day, last=day).starts_at for day in period.days]
    count = round((period.ends_at - period.starts_at) / HOUR)
    return [period.starts_at.astimezone(UTC) + HOUR * passed for passed in range(count)]


def _sums(rows: Iterable[MeasureRow]) -> dict[tuple[str, str], MeasureRow]:
    sums: dict[tuple[str, str], MeasureRow] = {}
    for row in rows:
        key = row.name, row.label
        known = sums.get(key)
        sums[key] = row if known is None else _added(known, row)
    return sums


def _added(one: MeasureRow, other: MeasureRow) -> MeasureRow:
    return replace(
        one,
        count=one.count + other.count,
        total=one.total + other.total,
        least=min(one.least, other.least),
        most=max(one.most, other.most),
    )


def _count(sums: Sums, name: str, label: str | None = None) -> int:
    """How often; without a label, of all labels together."""
    if label is not None:
        return row.count if (row := sums.get((name, label))) else 0
    return sum(row.count for (each, _), row in sums.items() if each == name)


def _labels(sums: Sums, *names: str) -> list[str]:
    return sorted({label for name, label in sums if name in names})


def _jobs(sums: Sums) -> tuple[JobWork, ...]:
    work = [
        JobWork(
            job_type=job_type,
            completed=_count(sums, "jobs_completed", job_type),
            failed=_count(sums, "jobs_failed", job_type),
            cancelled=_count(sums, "jobs_cancelled", job_type),
            wait=_lasting(sums, "wait_ms", job_type),
            run=_lasting(sums, "run_ms", job_type),
        )
        for job_type in _labels(sums, "jobs_completed", "jobs_failed", "jobs_cancelled")
    ]
    return tuple(sorted(work, key=lambda each: (-each.completed - each.failed, each.job_type)))


def _lasting(sums: Sums, what: str, job_type: str) -> Lasting | None:
    """Of jobs that completed and of those that failed together."""
    rows = [row for state in ("completed", "failed") if (row := sums.get((f"{state}_{what}", job_type)))]
    count = sum(row.count for row in rows)
    if count == 0:
        return None
    return Lasting(mean_ms=round(sum(row.total for row in rows) / count), longest_ms=max(row.most for row in rows))


def _failures(sums: Sums) -> tuple[FailureCause, ...]:
    causes = []
    for label in _labels(sums, "job_failures"):
        job_type, _, error_class = label.partition(" ")
        count = _count(sums, "job_failures", label)
        causes.append(FailureCause(job_type=job_type, error_class=error_class, count=count))
    return tuple(sorted(causes, key=lambda cause: -cause.count))


def _health(sums: Sums) -> HealthScore | None:
    row = sums.get(("health", ""))
    return None if row is None or row.count == 0 else HealthScore(mean=round(row.total / row.count), lowest=row.least)


def _slot(at: datetime, sums: Sums) -> Slot:
    return Slot(
        at=at,
        jobs_completed=_count(sums, "jobs_completed"),
        jobs_failed=_count(sums, "jobs_failed"),
        mails_sent=_count(sums, "mails_sent"),
        images_processed=_count(sums, "jobs_completed", IMAGE),
        cache_hits=_count(sums, "cache_hits"),
        cache_misses=_count(sums, "cache_misses"),
        health=_health(sums),
    )
