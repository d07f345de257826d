"""The main job from end to end: as the demo tells it, and as a vendor and a visitor live through it."""

import json
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from deploy.local.pictures import photo
from deploy.local.programs import BLUEPRINTS
from tests.e2e.marketplace import Shop, Stack, living

Entries = list[dict[str, Any]]

RENDITIONS = {(preset, form) for preset in ("thumb", "card", "page", "zoom") for form in ("webp", "jpg")}
WIDTH = {"thumb": 160, "card": 320, "page": 1024, "zoom": 2048}


def of_kind(timeline: Entries, kind: str) -> Entries:
    """The entries of one kind, in order."""
    return [entry for entry in timeline if entry["kind"] == kind]


def test_the_demo_holds_beside_another_stack_and_leaves_nothing(
    stack: Stack, tmp_path: Path, record_property: Any
) -> None:
    assert stack.run.gateway  # the other one, on ports of its own
    own = Stack(tmp_path)
    begun = time.monotonic()
    demo = own.souk("demo", "--json", timeout_seconds=110)
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

    jobs = [job for entry in of_kind(timeline, "jobs") for job in entry["jobs"]]
    assert {job["state"] for job in jobs} == {"completed"}
    assert {job["type"] for job in jobs} >= {
        "send-email",
        "send-notification",
        "process-image",
        "generate-report",
        "check-low-stock",
    }
    assert all(job["wait_ms"] >= 0 and job["run_ms"] >= 0 for job in jobs)

    did = {row["name"]: row["did"] for entry in of_kind(timeline, "processes") for row in entry["processes"]}
    assert set(did) == {each.name for each in BLUEPRINTS}
    assert all(did.values())


async def test_media_serves_each_rendition_with_the_bytes_that_the_catalogue_says(shop: Shop) -> None:
    product = await shop.submit(pictures=[photo(21, 2400, 1600), photo(22, 300, 500)])
    await shop.settled(product, pictures=2)
    shown = await shop.get("vendor", f"/api/vendor/products/{product['id']}")
    for image in shown["images"]:
        assert image["placeholder"].startswith("data:image/webp;base64,")
        assert {(each["preset"], each["format"]) for each in image["renditions"]} == RENDITIONS
        for rendition in image["renditions"]:
            async with shop.http.get(f"{shop.gateway}{rendition['url']}") as served:
                content = await served.read()
            assert (served.status, len(content)) == (200, rendition["bytes"])
            assert served.content_type == {"webp": "image/webp", "jpg": "image/jpeg"}[rendition["format"]]
            with Image.open(BytesIO(content)) as picture:
                assert picture.size == (rendition["width"], rendition["height"])
                assert picture.width <= WIDTH[rendition["preset"]]
