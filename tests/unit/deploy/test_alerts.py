"""The alert rules and the runbook say the same."""

import re
from dataclasses import dataclass

import promql_parser
import pytest

from tests.alerts import ALERTS, Alert, in_rules

RUNBOOK = re.compile(
    r"^## (?P<name>Souk\w+)\n`(?P<expression>[^`]+)`(?: for (?P<minutes>\d+) minutes?)?(?P<critical>, critical)?\n"
    r"(?P<entry>(?:(?!## ).*\n)+)",
    re.MULTILINE,
)
USUAL_MINUTES = 5
"""What the runbook means where it says nothing."""


@dataclass(frozen=True)
class Entry:
    alert: Alert
    text: str


def entries() -> dict[str, Entry]:
    page = (ALERTS.parents[1] / "docs" / "runbook.md").read_text(encoding="utf-8")
    return {
        found["name"]: Entry(
            Alert(
                found["name"],
                found["expression"],
                wait=f"{found['minutes'] or USUAL_MINUTES}m",
                severity="critical" if found["critical"] else "warning",
            ),
            found["entry"],
        )
        for found in RUNBOOK.finditer(page)
    }


def test_each_alert_has_its_entry_in_the_runbook_and_each_entry_its_alert() -> None:
    assert {name: entry.alert for name, entry in entries().items()} == {alert.name: alert for alert in in_rules()}


@pytest.mark.parametrize("entry", entries().values(), ids=entries().keys())
def test_an_entry_says_what_it_looks_like_what_it_means_where_to_look_and_what_to_do(entry: Entry) -> None:
    assert re.findall(r"^- \*\*(\w+(?: \w+)?):\*\* ", entry.text, re.MULTILINE) == ["Looks like", "Means", "Look", "Do"]


@pytest.mark.parametrize("alert", in_rules(), ids=lambda alert: alert.name)
def test_prometheus_can_read_the_expression(alert: Alert) -> None:
    assert promql_parser.parse(alert.expression)
