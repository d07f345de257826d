"""The alert rules of `deploy/alerts.yaml`, as tests read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import promql_parser
from ruamel.yaml import YAML

ALERTS = Path(__file__).resolve().parents[1] / "deploy" / "alerts.yaml"


@dataclass(frozen=True)
class Alert:
    """One rule. `wait` is in Prometheus' words: `5m`."""

    name: str
    expression: str
    wait: str
    severity: str

    def selectors(self) -> Iterator[tuple[str, set[str]]]:
        """The name of every figure in the expression, with the labels it is chosen by."""
        found: list[promql_parser.VectorSelector] = []

        def note(node: promql_parser.Expr) -> bool:
            if isinstance(node, promql_parser.VectorSelector):
                found.append(node)
            return True

        promql_parser.walk(promql_parser.parse(self.expression), note)
        for each in found:
            assert each.name is not None
            yield each.name, {matcher.name for matcher in each.matchers.matchers}


def in_rules() -> list[Alert]:
    """Every rule of the file."""
    [group] = YAML(typ="safe").load(ALERTS)["groups"]
    return [
        Alert(rule["alert"], rule["expr"], wait=rule["for"], severity=rule["labels"]["severity"])
        for rule in group["rules"]
    ]
