"""`docs/grafana.json`: a dashboard for Grafana, rendered from the panels below."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

Unit = Literal["short", "s", "percentunit", "ops", "bytes"]

COLUMNS: Final = 24
"""The width of Grafana's grid."""
HEIGHT: Final = 8
SCHEMA_VERSION: Final = 39
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
OPEN_JOBS: Final = 'souk_jobs{state=~"scheduled|pending|processing|retrying"}'


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph, or one number. Each of `lines` is what it is called (`{{label}}`) and how it is computed."""

    title: str
    unit: Unit
    lines: tuple[tuple[str, str], ...]
    is_number: bool = False


def _slowest(figure: str, by: str, share: float = 0.95) -> tuple[str, str]:
    return f"{{{{{by}}}}}", f"histogram_quantile({share}, sum by (le, {by}) (rate({figure}_bucket[5m])))"


def _rate(figure: str, by: str) -> tuple[str, str]:
    return f"{{{{{by}}}}}", f"sum by ({by}) (rate({figure}[5m]))"


ROWS: Final[tuple[tuple[str, tuple[Panel, ...]], ...]] = (
    (
        "Is it well",
        (
            Panel("Health score", "short", (("score", "min(souk_health_score)"),), is_number=True),
            Panel("What it costs", "short", (("{{term}}", "max by (term) (souk_health_cost) > 0"),)),
            Panel(
                "Types without a worker", "short", (("types", "count(max by (type) (souk_workers) == 0) or vector(0)"),)
            ),
            Panel("Breakers open", "short", (("{{type}}", "max by (type) (souk_breaker_open)"),)),
        ),
    ),
    (
        "Requests",
        (
            Panel("Answers a second, by status", "ops", (_rate("souk_http_request_seconds_count", "status"),)),
            Panel(
                "The slowest routes, p95",
                "s",
                (
                    (
                        "{{route}}",
                        "topk(8, histogram_quantile(0.95, sum by (le, route) "
                        '(rate(souk_http_request_seconds_bucket{route!~".*/stream"}[5m]))))',
                    ),
                ),
            ),
            Panel(
                "Hit rate of the caches",
                "percentunit",
                (
                    (
                        "{{cache}}",
                        'sum by (cache) (rate(souk_cache_reads_total{outcome="hit"}[5m])) '
                        "/ sum by (cache) (rate(souk_cache_reads_total[5m]))",
                    ),
                ),
            ),
            Panel(
                "Refused, and sent again",
                "ops",
                (
                    ("over its share: {{cost}}", "sum by (cost) (rate(souk_rate_limited_total[5m]))"),
                    ("fallen behind", "sum(rate(souk_shed_total[5m]))"),
                    ("key came again: {{was}}", "sum by (was) (rate(souk_repeated_requests_total[5m]))"),
                ),
            ),
        ),
    ),
    (
        "Events",
        (
            Panel(
                "Oldest event in each outbox",
                "s",
                (("{{schema}}", "max by (schema) (souk_outbox_oldest_age_seconds)"),),
            ),
            Panel("Events relayed a second", "ops", (_rate("souk_outbox_relayed_total", "schema"),)),
            Panel("From the change until handled, p95", "s", (_slowest("souk_event_wait_seconds", "type"),)),
            Panel(
                "Lost and found",
                "short",
                (
                    ("events missed: {{reader}}", "sum by (reader) (increase(souk_events_missed_total[5m]))"),
                    ("jobs rescued: {{type}}", "sum by (type) (increase(souk_jobs_rescued_total[5m]))"),
                    ("copies dropped: {{type}}", "sum by (type) (increase(souk_job_copies_dropped_total[5m]))"),
                ),
            ),
        ),
    ),
    (
        "Jobs",
        (
            Panel(
                "Waiting or running", "short", (("{{type}}", f"max by (type) (sum by (type, instance) ({OPEN_JOBS}))"),)
            ),
            Panel("Oldest that waits", "s", (("{{type}}", "max by (type) (souk_jobs_oldest_age_seconds)"),)),
            Panel("Wait until begun, p95 by priority", "s", (_slowest("souk_job_wait_seconds", "priority"),)),
            Panel("Run time, p95", "s", (_slowest("souk_job_run_seconds", "type"),)),
            Panel("Attempts a second, by outcome", "ops", (_rate("souk_job_attempts_total", "outcome"),)),
            Panel(
                "Failed, and dead letters",
                "short",
                (
                    ("failed: {{type}}", 'max by (type) (souk_jobs{state="failed"})'),
                    ("letters: {{queue}}", "sum by (queue) (increase(souk_dead_letters_total[5m]))"),
                ),
            ),
            Panel(
                "From the attempt's end to the ledger, p95", "s", (_slowest("souk_report_wait_seconds", "instance"),)
            ),
            Panel(
                "Crashes and mails",
                "short",
                (
                    ("worker crashes", "sum(increase(souk_worker_crashes_total[5m]))"),
                    ("parked: {{type}}", "sum by (type) (increase(souk_jobs_parked_for_crashes_total[5m]))"),
                    ("mails: {{outcome}}", "sum by (outcome) (increase(souk_mails_total[5m]))"),
                ),
            ),
        ),
    ),
    (
        "Processes",
        (
            Panel("Lag of the event loop, p99", "s", (_slowest("souk_event_loop_lag_seconds", "instance", 0.99),)),
            Panel(
                "Processor time",
                "percentunit",
                (("{{instance}}", "rate(process_cpu_seconds_total[5m]) and on (instance) souk_build_info"),),
            ),
            Panel(
                "Memory",
                "bytes",
                (("{{instance}}", "process_resident_memory_bytes and on (instance) souk_build_info"),),
            ),
            Panel(
                "Links and consumers missed",
                "short",
                (
                    ("{{instance}} {{link}}", "1 - souk_broker_connected > 0"),
                    ("{{instance}} {{queue}}", "souk_consumers_expected - souk_consumers > 0"),
                ),
            ),
        ),
    ),
)


def dashboard() -> str:
    """The whole file."""
    whole = {
        "title": "Souk",
        "uid": "souk",
        "tags": ["souk"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": list(_placed()),
    }
    return f"{json.dumps(whole, indent=1)}\n"


def _placed() -> Iterator[dict[str, Any]]:
    """Rows one below the other, the panels of each side by side, four at most."""
    number, top = 0, 0
    for title, panels in ROWS:
        number += 1
        yield {"id": number, "type": "row", "title": title, "gridPos": _place(0, top, COLUMNS, 1), "panels": []}
        top += 1
        width = COLUMNS // 4
        for index, panel in enumerate(panels):
            number += 1
            yield _shown(panel, number, _place(index % 4 * width, top + index // 4 * HEIGHT, width, HEIGHT))
        top += -(-len(panels) // 4) * HEIGHT


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _shown(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "stat" if panel.is_number else "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": called}
            for index, (called, expression) in enumerate(panel.lines)
        ],
    }
