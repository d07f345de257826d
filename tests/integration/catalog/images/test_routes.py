"""Pictures over HTTP, and the answers that imaging sends, on the real database."""

import asyncio
from contextlib import AbstractAsyncContextManager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientResponse, FormData

from services.catalog.images.usecases import Images
from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import ImageProcessed, JobFailed, Rendition
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool
from shared.ids import new_id
from tests.factories import make_approved, make_product
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.told import outbox, outbox_kinds, rows
from tests.pictures import photo

HASH = "ab" * 32
OTHER_PART = b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nabc\r\n--x--\r\n'
KEY = f"renditions/ab/{HASH}/v1/card.webp"


@pytest.fixture
def images(pool: Pool) -> Images:
    """The use cases as the worker holds them."""
    return Images(pool=pool, outbox=Outbox("catalog"), inbox=Inbox("catalog"))


def _form(content: bytes, name: str = "front.jpg", **fields: str) -> FormData:
    form = FormData()
    form.add_field("file", BytesIO(content), filename=name, content_type="image/jpeg")
    for field, value in fields.items():
        form.add_field(field, value)
    return form


def _stored(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


def _processed(image_id: str, product_id: str, round_: int = 1) -> ImageProcessed:
    return ImageProcessed(
        image_id=UUID(image_id),
        product_id=UUID(product_id),
        round=round_,
        original_key=f"originals/ab/{HASH}.jpg",
        width=1600,
        height=1200,
        placeholder="data:image/webp;base64,AAAA",
        renditions=(Rendition(preset="card", format="webp", width=320, height=240, bytes=9000, key=KEY),),
    )


def _failed(cause_id: str | None, job_type: str = "process-image") -> JobFailed:
    return JobFailed(
        job_id=new_id(),
        job_type=job_type,
        cause_id=None if cause_id is None else UUID(cause_id),
        target="x",
        error_class="InvalidImage",
        error_message="The file is cut off.",
    )


def _envelope(event: Event) -> Envelope:
    return wrap(event, identifier=new_id(), kind=event.type, source="tests", subject=None, time=utc_now())


async def _own(vendor: Client, product_id: str) -> dict[str, Any]:
    async with vendor.get(f"/api/vendor/products/{product_id}") as answer:
        product: dict[str, Any] = await answer.json()
        return product


async def test_an_upload_is_stored_and_its_renditions_are_asked_for(vendor: Client, pool: Pool, tmp_path: Path) -> None:
    product = await make_product(vendor, on_hand=0)
    at = f"/api/vendor/products/{product['id']}/images"
    async with vendor.post(at, data=_form(photo(), alt="From the front")) as answer:
        added = await answer.json()
        assert answer.status == 201, added
    assert [(image["status"], image["alt"]) for image in added["images"]] == [("pending", "From the front")]
    assert added["version"] == 2
    [file] = _stored(tmp_path)
    [told] = await outbox(pool, "image.added")
    assert told["data"]["source"] == f"blob:originals/{file.parent.name}/{file.name}"
    assert (told["data"]["image_id"], told["data"]["round"]) == (added["image_id"], 1)
    assert file.read_bytes() == photo()
    assert await outbox_kinds(pool) == ["product.submitted", "image.added", "product.changed"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"%PDF-1.7 and a lot of text that goes on and on", 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 422),
        (b"", 422),
        (b"\xff\xd8\xff", 422),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 15_000_000, 413),
    ],
    ids=["pdf", "svg", "empty", "too short", "too large"],
)
async def test_what_is_no_picture_is_refused_and_nothing_is_stored(
    vendor: Client, pool: Pool, tmp_path: Path, content: bytes, status: int
) -> None:
    product = await make_product(vendor)
    told = await outbox_kinds(pool)
    async with vendor.post(f"/api/vendor/products/{product['id']}/images", data=_form(content)) as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"
    assert await _own(vendor, product["id"]) == product
    assert await outbox_kinds(pool) == told
    assert _stored(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 400),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"abc", "multipart/form-data", 400),
        (OTHER_PART, "multipart/form-data; boundary=x", 422),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422),
        (b"abc", "image/jpeg", 415),
        (b"{}", "application/json", 422),
        (b"{", "application/json", 400),
    ],
)
async def test_a_body_of_another_shape_is_a_problem_of_the_clients(
    vendor: Client, body: bytes, content_type: str, status: int
) -> None:
    product = await make_product(vendor)
    at = f"/api/vendor/products/{product['id']}/images"
    async with vendor.post(at, data=body, headers={"Content-Type": content_type}) as answer:
        assert answer.status == status, await answer.text()


async def test_nobody_uploads_to_another_vendors_product(vendor: Client, other_vendor: Client, tmp_path: Path) -> None:
    product = await make_product(vendor, images=[{"url": "https://example.com/a.jpg"}])
    at = f"/api/vendor/products/{product['id']}/images"
    image = f"{at}/{product['images'][0]['id']}"
    answers = [
        await other_vendor.post(at, data=_form(photo())),
        await other_vendor.delete(image),
        await other_vendor.post(f"{image}/retry"),
    ]
    assert [answer.status for answer in answers] == [404, 404, 404]
    assert _stored(tmp_path) == []
    assert await _own(vendor, product["id"]) == product


async def test_a_product_takes_twelve_pictures_however_they_come(vendor: Client, pool: Pool) -> None:
    product = await make_product(vendor)
    at = f"/api/vendor/products/{product['id']}/images"
    answers = await asyncio.gather(
        *(vendor.post(at, json={"url": f"https://example.com/{number}.jpg"}) for number in range(15))
    )
    assert sorted(answer.status for answer in answers) == [201] * 12 + [409] * 3
    assert await rows(pool, "images") == 12


async def test_renditions_come_back_to_the_product(
    vendor: Client, admin: Client, anonymous: Client, images: Images, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, images=[{"url": "https://example.com/a.jpg", "alt": "Front"}])
    async with anonymous.get(f"/api/products/{product['id']}") as answer:
        assert (await answer.json())["images"] == []
        etag = answer.headers["ETag"]
    event = _processed(product["images"][0]["id"], product["id"])
    await images.processed(event, _envelope(event))
    async with anonymous.get(f"/api/products/{product['id']}", headers={"If-None-Match": etag}) as answer:
        [image] = (await answer.json())["images"]
    assert (image["status"], image["renditions"][0]["url"]) == ("ready", f"/media/{KEY}")
    changed = (await outbox(pool, "product.changed"))[-1]
    assert changed["data"]["version"] == product["version"] + 1


async def test_a_repeated_an_older_and_a_foreign_answer_change_nothing(
    vendor: Client, images: Images, pool: Pool
) -> None:
    product = await make_product(vendor, images=[{"url": "https://example.com/a.jpg"}])
    image_id = product["images"][0]["id"]
    event = _processed(image_id, product["id"])
    same = _envelope(event)
    await images.processed(event, same)
    after, told = await _own(vendor, product["id"]), await outbox_kinds(pool)
    await images.processed(event, same)
    await images.processed(event, _envelope(event))
    for other in (_processed(image_id, product["id"], 2), _processed(str(new_id()), product["id"])):
        await images.processed(other, _envelope(other))
    assert await _own(vendor, product["id"]) == after
    assert await outbox_kinds(pool) == told


async def test_a_failed_job_fails_its_picture_and_a_retry_asks_again(
    vendor: Client, images: Images, pool: Pool
) -> None:
    product = await make_product(vendor, images=[{"url": "https://example.com/a.jpg"}])
    at = f"/api/vendor/products/{product['id']}/images/{product['images'][0]['id']}"
    async with vendor.post(f"{at}/retry") as answer:
        assert answer.status == 409
    [asked] = await outbox(pool, "image.added")
    failed = _failed(asked["id"])
    await images.job_failed(failed, _envelope(failed))
    [image] = (await _own(vendor, product["id"]))["images"]
    assert (image["status"], image["failure"]) == ("failed", "The file is cut off.")
    [told] = await outbox(pool, "image.failed")
    assert told["data"]["vendor_id"] == product["vendor"]["id"]

    async with vendor.post(f"{at}/retry") as answer:
        assert (answer.status, (await answer.json())["images"][0]["status"]) == (202, "pending")
    asked_again = (await outbox(pool, "image.added"))[1]
    assert (asked_again["data"]["round"], asked_again["data"]["source"]) == (2, "https://example.com/a.jpg")

    for event in (failed, _failed(asked["id"])):
        await images.job_failed(event, _envelope(event))
    assert (await _own(vendor, product["id"]))["images"][0]["status"] == "pending"
    answered = _processed(product["images"][0]["id"], product["id"], 2)
    await images.processed(answered, _envelope(answered))
    assert (await _own(vendor, product["id"]))["images"][0]["status"] == "ready"


async def test_a_job_retried_by_hand_still_brings_its_renditions(vendor: Client, images: Images, pool: Pool) -> None:
    product = await make_product(vendor, images=[{"url": "https://example.com/a.jpg"}])
    [asked] = await outbox(pool, "image.added")
    for event in (_failed(asked["id"]), _failed(None), _failed(asked["id"], "send-email")):
        await images.job_failed(event, _envelope(event))
    answered = _processed(product["images"][0]["id"], product["id"])
    await images.processed(answered, _envelope(answered))
    assert (await _own(vendor, product["id"]))["images"][0]["status"] == "ready"


async def test_a_deleted_picture_stays_deleted(vendor: Client, images: Images, pool: Pool) -> None:
    product = await make_product(vendor, images=[{"url": "https://example.com/a.jpg"}])
    at = f"/api/vendor/products/{product['id']}/images/{product['images'][0]['id']}"
    async with vendor.delete(at) as answer:
        assert answer.status == 204
    async with vendor.delete(at) as answer:
        assert answer.status == 404
    event = _processed(product["images"][0]["id"], product["id"])
    await images.processed(event, _envelope(event))
    assert (await _own(vendor, product["id"]))["images"] == []


async def test_a_rendition_is_served_for_ever(anonymous: Client, gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "blobs" / KEY
    file.parent.mkdir(parents=True)
    file.write_bytes(b"RIFFxxxxWEBP")
    async with anonymous.get(f"/media/{KEY}") as answer:
        assert (answer.status, await answer.read()) == (200, b"RIFFxxxxWEBP")
        assert answer.headers["Content-Type"] == "image/webp"
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        etag = answer.headers["ETag"]
    async with anonymous.get(f"/media/{KEY}", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304


@pytest.mark.parametrize(
    "key",
    [
        "originals/ab/x.jpg",
        "renditions/../originals/ab/x.jpg",
        "renditions/%2e%2e/originals/x.jpg",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        f"renditions/ab/{HASH}/v1/card.svg",
        f"renditions/ab/{HASH}/v1/none.webp",
        f"{KEY}%00",
        "reports/x.html",
    ],
)
async def test_nothing_but_renditions_is_served(anonymous: Client, tmp_path: Path, key: str) -> None:
    for place in ("originals/ab/x.jpg", "reports/x.html", f"renditions/ab/{HASH}/v1/card.svg"):
        file = tmp_path / "blobs" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"secret")
    async with anonymous.get(f"/media/{key}", allow_redirects=False) as answer:
        assert answer.status == 404
        assert b"secret" not in await answer.read()


async def test_an_upload_sent_again_gives_one_picture(vendor: Client, pool: Pool) -> None:
    product = await make_product(vendor)
    at, key = f"/api/vendor/products/{product['id']}/images", {"Idempotency-Key": "upload-1"}
    async with vendor.post(at, data=_form(photo()), headers=key) as answer:
        first = await answer.json()
    async with vendor.post(at, data=_form(photo()), headers=key) as answer:
        assert (answer.status, await answer.json()) == (201, first)
        assert answer.headers["Idempotent-Replayed"] == "true"
    async with vendor.post(at, data=_form(photo(), alt="Other"), headers=key) as answer:
        assert answer.status == 422
    assert await rows(pool, "images") == 1


async def test_answers_and_deletions_at_once_do_not_block_each_other(
    vendor: Client, images: Images, pool: Pool
) -> None:
    pictures = [{"url": f"https://example.com/{number}.jpg"} for number in range(12)]
    product = await make_product(vendor, images=pictures)
    at = f"/api/vendor/products/{product['id']}/images"
    processed = [_processed(image["id"], product["id"]) for image in product["images"]]
    async with asyncio.TaskGroup() as group:
        deletions = [group.create_task(_status(vendor.delete(f"{at}/{image['id']}"))) for image in product["images"]]
        for event in processed:
            group.create_task(images.processed(event, _envelope(event)))
    assert {deletion.result() for deletion in deletions} == {204}
    assert await rows(pool, "images") == 0


async def _status(request: AbstractAsyncContextManager[ClientResponse]) -> int:
    async with request as answer:
        return answer.status
