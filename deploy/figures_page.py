"""`docs/figures.md`, rendered from where the code declares its figures."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.settings import CLONE

INTRODUCTION: Final = """\
# Figures

<!-- Rendered from the code by `make docs`. Change the figure where it is declared, not this page. -->

What the processes tell Prometheus at `GET /metrics` of their operations ports. What is read at the scrape is absent
rather than old when it cannot be read, so alert on absence too. The rules are in
[`deploy/alerts.yaml`](../deploy/alerts.yaml), what to do about each in the [runbook](runbook.md), which figure watches
which promise in [observability](observability.md). A histogram has `_bucket`, `_count` and `_sum`; what
`prometheus_client` tells of each process (`process_cpu_seconds_total`, …) is there as well.
"""
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "Counter": ("counter", "_total"),
    "CounterMetricFamily": ("counter", "_total"),
    "Gauge": ("gauge", ""),
    "GaugeMetricFamily": ("gauge", ""),
    "Histogram": ("histogram", ""),
    "Info": ("info", "_info"),
}
"""By the name of the class: the kind, and what is added to the figure's name when it is told."""
TOLD_BY: Final[Mapping[str, str]] = {
    "services/catalog": "each gateway",
    "services/jobs/health": "jobs api",
    "services/jobs": "each ledger",
    "services/notifier": "each notifier",
    "services/scheduler": "each scheduler",
    "shared/db/gaps.py": "who reads events",
    "shared/db": "who relays an outbox",
    "shared/messaging/breaker.py": "each worker",
    "shared/messaging/consumer.py": "each worker",
    "shared/messaging/reader.py": "who reads events",
    "shared/messaging/subscription.py": "who consumes",
    "shared/web/requests.py": "who has an API",
    "shared": "each process",
}
"""By where a figure is declared; of several that fit, the first."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as it is told."""

    name: str
    labels: tuple[str, ...]
    kind: str
    told_by: str
    about: str


def figures() -> list[Figure]:
    """Every figure of the code, by who tells it."""
    sources = (path for folder in ("services", "shared") for path in sorted((CLONE / folder).rglob("*.py")))
    order = list(dict.fromkeys(TOLD_BY.values()))
    found = (figure for source in sources for figure in _declared(source))
    return sorted(found, key=lambda figure: (order.index(figure.told_by), figure.name))


def figures_page() -> str:
    """The whole page."""
    rows = "\n".join(
        f"| `{figure.name}{_braced(figure.labels)}` | {figure.kind} | {figure.told_by} | {figure.about} |"
        for figure in figures()
    )
    return f"{INTRODUCTION}\n| figure | kind | told by | is |\n|---|---|---|---|\n{rows}\n"


def _declared(source: Path) -> Iterator[Figure]:
    place = source.relative_to(CLONE).as_posix()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=called), args=[ast.Constant(value=str()), *_]) if called in KINDS:
                yield _figure(node, place, *KINDS[called])


def _figure(node: ast.Call, place: str, kind: str, ending: str) -> Figure:
    name, about, *rest = (ast.literal_eval(argument) for argument in node.args)
    named = {word.arg: word.value for word in node.keywords}
    labels = rest[0] if rest else ast.literal_eval(named["labels"]) if "labels" in named else ()
    return Figure(f"{name.removesuffix(ending)}{ending}", tuple(labels), kind, _told_by(place), about)


def _told_by(place: str) -> str:
    return next(who for prefix, who in TOLD_BY.items() if place.startswith(prefix))


def _braced(labels: tuple[str, ...]) -> str:
    return f"{{{','.join(labels)}}}" if labels else ""
