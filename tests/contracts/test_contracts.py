"""Messages on the wire: every kind has a golden message, and every golden message stays readable for ever."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import orjson
import pytest
from pydantic import ValidationError

from deploy.schemas import schemas
from shared.contracts.base import Contract
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import EVENT_BY_TYPE, EVENTS
from shared.contracts.jobs import JOB_BY_TYPE, JOBS
from shared.contracts.reports import ReportBatch
from tests.contracts.goldens import GOLDEN

MODELS: dict[str, type[Contract]] = {**EVENT_BY_TYPE, **JOB_BY_TYPE}
FILES = sorted(path for folder in ("events", "jobs") for path in (GOLDEN / folder).glob("*.json"))
REPORTS = GOLDEN / "attempt.reports.1.json"


def kind_of(path: Path) -> tuple[str, str]:
    kind, _, version = path.stem.rpartition(".")
    return kind, version


def test_every_kind_has_a_golden_message_and_none_is_of_no_kind() -> None:
    wanted = {f"events/{event.type}.1.json" for event in EVENTS} | {f"jobs/{job.type}.1.json" for job in JOBS}
    there = {str(path.relative_to(GOLDEN)) for path in FILES}
    assert wanted - there == set(), "run `python -m tests.contracts.goldens` and commit what it writes"
    assert there - wanted == set(), "a kind of message is gone, and messages of it may be out there"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_message_is_read_and_written_again_as_it_was(path: Path) -> None:
    text = path.read_text()
    golden = json.loads(text)
    kind, version = kind_of(path)
    envelope = Envelope.model_validate_json(text)
    content = MODELS[kind].model_validate_json(orjson.dumps(envelope.data))
    assert (envelope.type, envelope.dataschema) == (kind, f"urn:souk:{kind}:{version}")
    again = wrap(
        content,
        identifier=envelope.id,
        kind=kind,
        source=envelope.source,
        subject=getattr(content, "subject", None),
        time=envelope.time,
        traceparent=envelope.traceparent,
        cause=envelope.causationid,
    )
    # A field that was added since has its default now, and is missing in the golden message.
    assert kept(golden, json.loads(again.model_dump_json(exclude_none=True))) == golden


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_message_fits_its_schema(path: Path) -> None:
    golden, found = json.loads(path.read_text()), schemas()
    jsonschema.validate(golden, found["envelope.1.json"])
    jsonschema.validate(golden["data"], found[f"{path.parent.name}/{path.name}"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_reader_ignores_what_it_does_not_know_and_refuses_what_it_misses(path: Path) -> None:
    data = json.loads(path.read_text())["data"]
    model = MODELS[kind_of(path)[0]]
    assert model.model_validate_json(json.dumps({**data, "from_the_future": {"a": 1}})) == model.model_validate_json(
        json.dumps(data)
    )
    for name in model.model_json_schema().get("required", []):
        with pytest.raises(ValidationError):
            model.model_validate_json(json.dumps({key: value for key, value in data.items() if key != name}))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_reader_is_strict(path: Path) -> None:
    """What lax reading would take: a number as text, a truth as a number."""
    data = json.loads(path.read_text())["data"]
    model = MODELS[kind_of(path)[0]]
    for name, value in data.items():
        if isinstance(value, int) and not isinstance(value, bool):
            for wrong in (str(value), True, value + 0.5):
                with pytest.raises(ValidationError):
                    model.model_validate_json(json.dumps({**data, name: wrong}))


def test_reports_are_read_and_written_again_as_they_were() -> None:
    text = REPORTS.read_text()
    jsonschema.validate(json.loads(text), schemas()["attempt.reports.1.json"])
    batch = ReportBatch.model_validate_json(text)
    assert kept(json.loads(text), json.loads(batch.model_dump_json())) == json.loads(text)
    assert ReportBatch.model_validate_json(batch.model_dump_json(exclude_none=True)) == batch


def test_a_report_of_before_the_field_waits_in_the_broker() -> None:
    golden = json.loads(REPORTS.read_text())
    for one in golden["reports"]:
        del one["waits_in_ledger"]
    assert not any(one.waits_in_ledger for one in ReportBatch.model_validate_json(json.dumps(golden)).reports)


def test_every_event_is_listed_once_and_every_job_says_what_keeps_a_copy_without_effect() -> None:
    assert len({event.type for event in EVENTS}) == len(EVENTS)
    assert len({job.type for job in JOBS}) == len(JOBS)
    assert all(job.once_only_by.strip() for job in JOBS)


@pytest.mark.parametrize("model", [*EVENTS, *JOBS], ids=lambda model: model.type)
def test_every_message_is_explained(model: type[Contract]) -> None:
    assert model.__doc__
    assert model.__doc__ != Contract.__doc__


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_names_a_field_as_its_subject(event: Any) -> None:
    assert event.subject_field is None or event.subject_field in event.model_fields


def kept(golden: Any, now: Any) -> Any:
    """`now` without the fields that `golden` does not have."""
    if isinstance(golden, dict) and isinstance(now, dict):
        return {name: kept(golden[name], value) for name, value in now.items() if name in golden}
    if isinstance(golden, list) and isinstance(now, list) and len(golden) == len(now):
        return [kept(before, after) for before, after in zip(golden, now, strict=True)]
    return now
