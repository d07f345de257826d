"""Reading the schedule file."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.jobs.policy import orders_for
from services.scheduler.errors import ScheduleInvalid
from services.scheduler.schedule import parse_schedule, read_schedule
from shared.contracts.events import ScheduleDue

ROOT = Path(__file__).parents[3]
GOOD = """
[[entry]]
name = "prune"
cron = "0 3 * * *"
job_type = "cleanup-jobs"
"""


def test_the_default_schedule_is_that_of_the_design() -> None:
    path = ROOT / "deploy" / "schedule.toml"
    shown = {timed.name: (timed.entry.cron, timed.entry.job_type) for timed in read_schedule(path, default_zone="UTC")}
    assert shown == {
        "cleanup-cache": ("0 * * * *", "cleanup-cache"),
        "check-low-stock": ("*/30 * * * *", "check-low-stock"),
        "daily-metrics": ("0 0 * * *", "generate-report"),
        "daily-sales": ("0 * * * *", "generate-report"),
        "cleanup-jobs": ("0 */6 * * *", "cleanup-jobs"),
    }


def test_each_slot_of_the_default_schedule_makes_exactly_one_job() -> None:
    path = ROOT / "deploy" / "schedule.toml"
    due_at = datetime(2026, 11, 24, tzinfo=UTC)
    for timed in read_schedule(path, default_zone="UTC"):
        entry = timed.entry
        event = ScheduleDue(entry=entry.name, job_type=entry.job_type, payload=entry.payload, due_at=due_at)
        [order] = orders_for(event)
        assert (order.job.type, order.target) == (entry.job_type, entry.name)
        assert order.job.model_dump()["due_at"] == due_at


def test_a_process_with_a_wrong_file_ends_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "schedule.toml"
    file.write_text(GOOD.replace("0 3", "0 33"))
    given = {
        "SOUK_AMQP_URL": "amqp://u:p@127.0.0.1:1/v",
        "SOUK_SCHEDULER_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d",
        "SOUK_SCHEDULER_KEY": "k" * 40,
        "SOUK_SCHEDULE_FILE": str(file),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "services.scheduler"], env=given, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == f"{file}:\n  entry 'prune': cron: '0 33 * * *': Bad hour\n"


def test_an_entry_runs_in_its_own_zone_or_the_marketplaces() -> None:
    own = GOOD.replace('"prune"', '"own"') + 'zone = "Asia/Tokyo"\n'
    entries = parse_schedule(GOOD + own, source="f", default_zone="Europe/Berlin")
    assert [timed.cron.zone.key for timed in entries] == ["Europe/Berlin", "Asia/Tokyo"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[entry", "not TOML: "),
        ("other = 1", "unknown key 'other'"),
        ("[entry]\nname = 'a'", "entries are written as [[entry]]"),
        (GOOD + GOOD, "entry 'prune': is there 2 times"),
        (GOOD.replace("0 3", "0 33"), "entry 'prune': cron: '0 33 * * *': Bad hour"),
        (GOOD.replace("cleanup-jobs", "clean"), "entry 'prune': job_type: there is no 'clean'; there are "),
        (GOOD + "payload = { x = 1 }", "entry 'prune': payload: cleanup-jobs has no x"),
        (GOOD.replace("cleanup-jobs", "generate-report"), "entry 'prune': payload: report_type: Field required"),
        (GOOD + "misfire = 'never'", "entry 'prune': misfire: Input should be 'skip', 'once' or 'all'"),
        (GOOD + "window = '32d'", "entry 'prune': window: at most 31d"),
        (GOOD + "window = '999999d'", "entry 'prune': window: at most 31d"),
        (GOOD + "window = 5", "entry 'prune': window: write a number with s, m, h or d: 30m"),
        (GOOD + "zone = 'Mars/Olympus'", "entry 'prune': zone: 'Mars/Olympus' is not the name of a time zone"),
        (GOOD + "colour = 1", "entry 'prune': colour: Extra inputs are not permitted"),
        (GOOD + "enabled = 1", "entry 'prune': enabled: Input should be a valid boolean"),
        ("[[entry]]\ncron = '* * * * *'", "entry number 1: name: Field required"),
    ],
)
def test_what_is_wrong_is_said_with_the_entrys_name(text: str, problem: str) -> None:
    with pytest.raises(ScheduleInvalid) as caught:
        parse_schedule(text, source="f", default_zone="UTC")
    assert any(found.startswith(problem) for found in caught.value.problems), caught.value


def test_a_missing_file_is_said() -> None:
    with pytest.raises(ScheduleInvalid, match="cannot be read: No such file"):
        read_schedule(Path("nowhere.toml"), default_zone="UTC")
