"""The rendered documentation is that of the code."""

from pathlib import Path

import pytest

from deploy.docs import main, messages_page, readers_of, sample_of, writer_of
from shared.contracts import events
from shared.contracts.base import Event
from shared.contracts.events import EVENTS
from shared.contracts.jobs import JOBS


def test_what_is_committed_is_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_what_is_out_of_date_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert "run `make docs`" in capsys.readouterr().err
    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "messages.md").write_text("old")
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert "messages.md out of date" in capsys.readouterr().err


def test_a_breaking_change_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path)]) == 0
    schema = tmp_path / "schemas" / "events" / "product.archived.1.json"
    before = schema.read_text().replace('"version"', '"revision"')
    schema.write_text(before)
    assert main(["--folder", str(tmp_path)]) == 1
    assert "events/product.archived.1.json: revision is gone" in capsys.readouterr().err
    assert schema.read_text() == before


def test_every_message_has_its_section() -> None:
    page = messages_page()
    for kind in [*(event.type for event in EVENTS), *(job.type for job in JOBS)]:
        assert f"\n### `{kind}`\n" in page
        assert f"(#{kind.replace('.', '')})" in page


def test_writers_and_readers_are_those_of_the_contracts_and_the_topology() -> None:
    assert writer_of(events.ProductSubmitted) == "catalog"
    assert writer_of(events.JobFailed) == "jobs ledger"
    assert writer_of(events.ImageProcessed) == "imaging"
    assert readers_of(events.ImageProcessed) == ["catalog-worker"]
    assert readers_of(events.ProductSubmitted) == ["ledger", "reporting"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_can_be_made_up(event: type[Event]) -> None:
    assert isinstance(sample_of(event), event)
