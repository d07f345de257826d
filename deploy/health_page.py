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

Each gateway tells `souk_health_score`, which looks anew at each scrape, and `souk_health_cost{term}`; the
[figures](figures.md) have all others.
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
