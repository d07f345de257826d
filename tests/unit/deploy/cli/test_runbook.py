"""The runbook speaks of figures and commands that exist."""

import re
from itertools import chain

import typer.main

from deploy.cli.app import app
from deploy.local.settings import CLONE
from services.catalog.monitoring.models import RULES
from shared.setting_names import KNOWN
from tests.unit.deploy.cli.test_commands import leaves

RUNBOOK = (CLONE / "docs" / "runbook.md").read_text()
GUIDE = (CLONE / "docs" / "cli.md").read_text()
CHECKLIST = (CLONE / "docs" / "production.md").read_text()
SUFFIX = re.compile(r"_(total|bucket|count|sum|info)$")


def figures() -> set[str]:
    """The names of all figures that the code has."""
    sources = chain(*((CLONE / folder).rglob("*.py") for folder in ("services", "shared")))
    return set(chain(*(re.findall(r'"(souk_[a-z_]+)"', source.read_text()) for source in sources)))


def test_every_figure_in_it_exists() -> None:
    named = {SUFFIX.sub("", name) for name in re.findall(r"souk_[a-z_]+", RUNBOOK)}
    assert named <= figures()


def test_every_term_in_it_exists() -> None:
    terms = {term for group in re.findall(r'term=~?"([a-z_|]+)"', RUNBOOK) for term in group.split("|")}
    assert terms <= {str(rule.name) for rule in RULES}


def test_every_entry_says_all_four_things() -> None:
    for entry in RUNBOOK.split("\n## ")[1:]:
        assert re.findall(r"^- \*\*(\w+)", entry, re.MULTILINE) == ["Looks", "Means", "Look", "Do"]


def test_every_setting_in_the_checklist_exists() -> None:
    named = set(re.findall(r"SOUK_[A-Z_]+[A-Z]", CHECKLIST))
    assert named - {f"{name}_FILE" for name in KNOWN} <= KNOWN


def test_every_command_that_the_pages_name_exists() -> None:
    commands = {name for name, _ in leaves(typer.main.get_command(app))}
    for page in (RUNBOOK, GUIDE, CHECKLIST):
        for named in re.findall(r"`souk ([a-z][a-z-]*(?: [a-z][a-z-]*)*)", page):
            assert any(f"{named} ".startswith(f"{command} ") for command in commands), named
