"""The dashboard asks for figures that are told, by labels that they have."""

import json
import re
from typing import Any

import pytest

from deploy.dashboard import dashboard
from deploy.figures_page import figures
from tests.alerts import Alert

OF_PROMETHEUS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
SUFFIX = re.compile(r"_(bucket|count|sum)$")
TOLD = {figure.name: {*figure.labels, "instance", "le"} for figure in figures()}
PANELS: list[dict[str, Any]] = json.loads(dashboard())["panels"]
LINES = [(panel["title"], line) for panel in PANELS for line in panel.get("targets", ())]


@pytest.mark.parametrize(("title", "line"), LINES, ids=[f"{title} {line['refId']}" for title, line in LINES])
def test_each_line_can_be_read_and_asks_for_what_is_told(title: str, line: dict[str, str]) -> None:
    asked = list(Alert(title, line["expr"], wait="", severity="").selectors())
    assert asked
    labels: set[str] = set()
    for name, chosen_by in asked:
        if name in OF_PROMETHEUS:
            labels.add("instance")
            continue
        known = TOLD[SUFFIX.sub("", name)]
        assert chosen_by <= known
        labels |= known
    assert set(re.findall(r"\{\{(\w+)\}\}", line["legendFormat"])) <= labels


def test_no_two_panels_lie_on_one_another() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
