"""`docs/health.md`, rendered from the terms of the health score."""

from typing import Final

from services.catalog.monitoring.models import HEAVY, LEAST_SCORE, RULES, Rule

INTRODUCTION: Final = """\
# The health score

<!-- Rendered from the code by `make docs`. Change services/catalog/monitoring/models.py, not this page. -->

`GET /api/admin/monitoring` (roles `admin` and `ops`) answers 200 with what the gateway can see within two seconds,
whatever is away. Its `health.score` is 100 on a quiet healthy installation, less what each term costs. A term costs
nothing up to its fine value, its whole weight from its full value on, and in proportion between, rounded up to whole
points. **What cannot be observed costs its whole weight**, and its `note` says why: an unknown is not a good sign.
"""
AFTER: Final = """\
In the answer each term has `name`, `weight`, `cost`, `value` (null where it could not be observed), `unit`, `fine`,
`full`, `note`, and, where it cost something, `advice`. A jobs service that is away takes the terms it is the witness
of with it. Every worker tells of itself every 5 s, so one that was killed is missed after 13 s.
"""

FIGURES: Final = """\
## For Prometheus

Told at `GET /metrics` of the operations ports. What is read at the scrape is absent rather than old when it cannot be
read, so alert on absence too. The rules are in [`deploy/alerts.yaml`](../deploy/alerts.yaml), what to do in the
[runbook](runbook.md).

| figure | told by | is |
|---|---|---|
| `souk_health_score` | each gateway | the score above, looked at anew |
| `souk_health_cost{term}` | each gateway | what each term costs |
| `souk_jobs_oldest_age_seconds{type,priority}` | jobs api | how long the oldest due job has waited to be begun |
| `souk_jobs{type,state}` | jobs api | jobs kept |
| `souk_workers{type}` | jobs api | workers heard of lately; 0 for a type that nobody reads |
| `souk_job_wait_seconds{type,priority}` | each worker | from a job's cause to its first attempt |
| `souk_job_attempts_total{type,outcome}` | each worker | attempts that ended |
| `souk_job_run_seconds{type}` | each worker | how long they ran |
| `souk_breaker_open{type}` | each worker | 1 while what the type depends on is away |
| `souk_consumers{queue}` | who consumes | consumers that the broker confirmed |
| `souk_consumers_expected{queue}` | who consumes | consumers that there should be; none while a type is paused |
| `souk_broker_connected{link}` | each process | 1 while a link that was needed stands |
| `souk_broker_links_silent_total{link}` | each process | links broken off because nothing came back |
| `souk_outbox_oldest_age_seconds{schema}` | who relays | age of the oldest event not confirmed |
| `souk_outbox_relayed_total{schema}` | who relays | events that went out |
| `souk_cache_reads_total{cache,outcome}` | each gateway | hits and misses |
| `souk_cache_dropped_total{cache,why}` | each gateway | entries gone before their time |
| `souk_cache_entries{cache}` | each gateway | what a cache holds |
| `souk_cache_max_entries{cache}` | each gateway | what it may hold |
| `souk_http_request_seconds{method,route,status}` | who has an API | how long requests took |
| `souk_live_feeds` | each gateway | live feeds that are open |
| `souk_live_feeds_cut_off_total` | each gateway | live feeds ended because their client did not keep up |
| `souk_event_loop_lag_seconds` | each process | how late tasks are woken |
| `souk_build_info{version}` | each process | the version that runs |
"""


def health_page() -> str:
    """The whole page."""
    statuses = "\n".join(f"| `{status}` | {least} |" for status, least in LEAST_SCORE.items())
    return "\n".join(
        [
            INTRODUCTION,
            "| status | least score |\n|---|---|\n" + statuses + "\n",
            f"While a term of weight {HEAVY} or more costs all of it, the status is `degraded` at best.\n",
            "## The terms\n",
            "| term | weight | fine | full | what is observed | what to do |\n|---|---|---|---|---|---|",
            *(_row(rule) for rule in RULES),
            "",
            AFTER,
            FIGURES,
        ]
    )


def _row(rule: Rule) -> str:
    fine, full = (f"{value:g} {rule.unit}" for value in (rule.fine, rule.full))
    return f"| `{rule.name}` | {rule.weight} | {fine} | {full} | {rule.observes} | {rule.advice} |"
