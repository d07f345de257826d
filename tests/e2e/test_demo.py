"""`souk demo`, as a user runs it: a stack of its own, beside any other that runs."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local.programs import BLUEPRINTS
from tests.e2e.marketplace import Stack, living

Entries = list[dict[str, Any]]

RENDITIONS = {(preset, form) for preset in ("thumb", "card", "page", "zoom") for form in ("webp", "jpg")}


def of_kind(timeline: Entries, kind: str) -> Entries:
    """The entries of one kind, in order."""
    return [entry for entry in timeline if entry["kind"] == kind]


@pytest.mark.timeout(240)
def test_the_demo_holds_and_leaves_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    own = Stack(tmp_path)
    begun = time.monotonic()
    demo = own.souk("demo", "--json", timeout_seconds=200)
    record_property("demo_seconds", round(time.monotonic() - begun, 1))
    assert demo.returncode == 0, demo.stderr
    assert living(own.home.folder) == []
    assert not own.home.run_file.exists()

    timeline: Entries = json.loads(demo.stdout)["timeline"]
    mails = {(mail["to"], mail["subject"].split(":")[0]) for mail in of_kind(timeline, "mail")}
    assert ("admin@example.com", "To review") in mails
    assert len({to for to, _ in mails}) > 1, "only the admin was told"

    assert {(each["preset"], each["format"]) for each in of_kind(timeline, "rendition")} == RENDITIONS
    assert all(each["bytes"] > 0 for each in of_kind(timeline, "rendition"))

    low = [mail for mail in of_kind(timeline, "mail") if mail["subject"].startswith("Low stock")]
    assert len(low) == 1
    facts = {entry["who"]: entry["fact"] for entry in of_kind(timeline, "fact")}
    assert facts["sync"] == "Warehouse: 3 rows, 1 changed, 1 older, 1 unmatched"

    jobs = [job for entry in of_kind(timeline, "jobs") for job in entry["jobs"]]
    assert {job["state"] for job in jobs} == {"completed"}
    assert {job["type"] for job in jobs} >= {
        "send-email",
        "send-notification",
        "process-image",
        "generate-report",
        "check-low-stock",
        "sync-inventory",
    }
    assert all(job["wait_ms"] >= 0 and job["run_ms"] >= 0 for job in jobs)

    did = {row["name"]: row["did"] for entry in of_kind(timeline, "processes") for row in entry["processes"]}
    assert set(did) == {each.name for each in BLUEPRINTS}
    assert all(did.values())
