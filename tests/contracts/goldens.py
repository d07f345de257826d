"""`python -m tests.contracts.goldens` writes a golden message for each kind that has none. It never changes one."""

import json
from datetime import UTC, datetime
from pathlib import Path

from deploy.docs import sample_of
from shared.contracts.base import Event, Job
from shared.contracts.envelope import wrap
from shared.contracts.events import EVENTS
from shared.contracts.jobs import JOBS
from shared.ids import derived_id

GOLDEN = Path(__file__).parents[1] / "golden" / "contracts"
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def write_missing() -> list[Path]:
    """Write what is missing, with made-up values that a person may make more telling before the first commit."""
    written = []
    kinds: list[tuple[str, type[Event] | type[Job]]] = [
        *(("events", event) for event in EVENTS),
        *(("jobs", job) for job in JOBS),
    ]
    for folder, model in kinds:
        path = GOLDEN / folder / f"{model.type}.1.json"
        if path.exists():
            continue
        content = sample_of(model)
        envelope = wrap(
            content,
            identifier=derived_id(AT, model.type),
            kind=model.type,
            source="catalog" if folder == "events" else "jobs",
            subject=getattr(content, "subject", None),
            time=AT,
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            cause=derived_id(AT, "cause"),
        )
        fields = json.loads(envelope.model_dump_json(exclude_none=True))
        path.write_text(json.dumps(fields, indent=2, ensure_ascii=False) + "\n")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write_missing():
        print(path)
