"""The alert rules and the runbook say the same."""

import re

import promql_parser
import pytest

from tests.alerts import ALERTS, Alert, in_rules

RUNBOOK = re.compile(
    r"^## (?P<name>Souk\w+)\n`(?P<expression>[^`]+)`(?: for (?P<minutes>\d+) minutes?)?(?P<critical>, critical)?\n",
    re.MULTILINE,
)
USUAL_MINUTES = 5
"""What the runbook means where it says nothing."""


def in_runbook() -> list[Alert]:
    page = (ALERTS.parents[1] / "docs" / "runbook.md").read_text(encoding="utf-8")
    return [
        Alert(
            found["name"],
            found["expression"],
            wait=f"{found['minutes'] or USUAL_MINUTES}m",
            severity="critical" if found["critical"] else "warning",
        )
        for found in RUNBOOK.finditer(page)
    ]


def test_each_alert_has_its_entry_in_the_runbook_and_each_entry_its_alert() -> None:
    assert in_runbook() == in_rules()


@pytest.mark.parametrize("alert", in_rules(), ids=lambda alert: alert.name)
def test_prometheus_can_read_the_expression(alert: Alert) -> None:
    assert promql_parser.parse(alert.expression)
