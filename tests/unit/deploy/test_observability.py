"""The page of logs, traces and figures speaks of what there is."""

import re

from deploy.figures_page import figures
from deploy.local.settings import CLONE
from tests.alerts import in_rules

PAGE = (CLONE / "docs" / "observability.md").read_text(encoding="utf-8")
RELIABILITY = (CLONE / "docs" / "reliability.md").read_text(encoding="utf-8")
SOURCES = "".join(
    path.read_text(encoding="utf-8") for folder in ("services", "shared") for path in (CLONE / folder).rglob("*.py")
)
NAMED_LINE = re.compile(r"^\| `([a-z_]+)`(?:, `([a-z_]+)`)? \|(?: [^|]+ \|){3}$", re.MULTILINE)


def rows_under(heading: str, page: str) -> list[str]:
    """The first cell of each row of the first table under a heading."""
    [table] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return [row.split("|")[1].strip() for row in table.splitlines() if row.startswith("| ")][1:]


def test_every_figure_that_it_names_is_told() -> None:
    told = {figure.name for figure in figures()}
    named = set(re.findall(r"souk_[a-z_]+", PAGE))
    assert {name.removesuffix("_count") for name in named} <= told


def test_every_alert_that_it_names_exists() -> None:
    assert set(re.findall(r"Souk[A-Z]\w+", PAGE)) <= {alert.name for alert in in_rules()}


def test_every_promise_has_its_figures() -> None:
    promised = rows_under("Promised", RELIABILITY)
    assert len(promised) >= 8
    assert set(promised) <= set(rows_under("Figures", PAGE))


def test_every_line_that_it_names_is_written() -> None:
    names = [name for row in NAMED_LINE.findall(PAGE) for name in row if name]
    assert len(names) >= 8
    assert [name for name in names if f'"{name}"' not in SOURCES] == []
