"""Pictures that nobody answers for are asked for again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.catalog.images.chaser import PictureChaser
from services.catalog.images.usecases import Images
from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import ImageProcessed, JobFailed
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool
from shared.ids import new_id
from tests.factories import make_product
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.told import outbox

PATIENCE_SECONDS = 30.0


class Later:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def chaser(pool: Pool, later: Later) -> PictureChaser:
    return PictureChaser(pool=pool, outbox=Outbox("catalog"), patience_seconds=PATIENCE_SECONDS, clock=later)


@pytest.fixture
def images(pool: Pool) -> Images:
    return Images(pool=pool, outbox=Outbox("catalog"), inbox=Inbox("catalog"))


async def pending(vendor: Client) -> tuple[UUID, UUID]:
    """A product whose one picture waits; returns both ids."""
    product = await make_product(vendor, images=[{"url": "https://example.com/a.jpg"}])
    return UUID(product["id"]), UUID(product["images"][0]["id"])


async def image_of(vendor: Client, product_id: UUID) -> dict[str, Any]:
    async with vendor.get(f"/api/vendor/products/{product_id}") as answer:
        image: dict[str, Any] = (await answer.json())["images"][0]
        return image


def processed(product_id: UUID, image_id: UUID, round_: int) -> ImageProcessed:
    return ImageProcessed(
        image_id=image_id,
        product_id=product_id,
        round=round_,
        original_key="originals/ab/ab.jpg",
        width=1600,
        height=1200,
        placeholder="data:,",
        renditions=(),
    )


def enveloped(event: Event) -> Envelope:
    return wrap(event, identifier=new_id(), kind=event.type, source="tests", subject=None, time=utc_now())


async def test_a_picture_is_asked_for_again_in_the_next_round_when_its_time_is_over(
    vendor: Client, pool: Pool, chaser: PictureChaser, later: Later
) -> None:
    _, image_id = await pending(vendor)
    later.seconds = PATIENCE_SECONDS - 10
    assert await chaser.run_once() == 0
    later.seconds = PATIENCE_SECONDS + 10
    assert await chaser.run_once() == 1
    first, second = await outbox(pool, "image.added")
    assert first["data"] == {**second["data"], "round": 1}
    assert (second["data"]["image_id"], second["data"]["round"]) == (str(image_id), 2)
    assert await chaser.run_once() == 0


async def test_each_round_waits_twice_as_long_as_the_one_before(
    vendor: Client, pool: Pool, chaser: PictureChaser, later: Later
) -> None:
    await pending(vendor)
    for round_ in range(1, 13):  # the events of all rounds are written now: only the wait of the round counts
        patience = PATIENCE_SECONDS * 2 ** min(round_ - 1, 9)
        later.seconds = patience - 10
        assert await chaser.run_once() == 0
        later.seconds = patience + 10
        assert await chaser.run_once() == 1
    assert [told["data"]["round"] for told in await outbox(pool, "image.added")] == list(range(1, 14))


async def answer(images: Images, picture: tuple[UUID, UUID], round_: int) -> None:
    event = processed(*picture, round_)
    await images.processed(event, enveloped(event))


async def test_one_picture_is_asked_for_and_its_answer_tells_that_the_others_are_lost(
    vendor: Client, pool: Pool, chaser: PictureChaser, later: Later, images: Images
) -> None:
    lost = [await pending(vendor) for _ in range(4)]
    later.seconds = PATIENCE_SECONDS + 10
    assert [await chaser.run_once() for _ in range(3)] == [1, 0, 0]
    await answer(images, lost[0], 2)
    assert [await chaser.run_once() for _ in range(2)] == [3, 0]
    asked = [told["data"]["image_id"] for told in await outbox(pool, "image.added") if told["data"]["round"] == 2]
    assert asked == [str(image_id) for _, image_id in lost]


async def test_a_picture_that_a_later_one_has_overtaken_is_asked_for_with_all_others(
    vendor: Client, chaser: PictureChaser, later: Later, images: Images
) -> None:
    for _ in range(3):
        await pending(vendor)
    await answer(images, await pending(vendor), 1)
    later.seconds = PATIENCE_SECONDS - 10
    assert await chaser.run_once() == 0
    later.seconds = PATIENCE_SECONDS + 10
    assert await chaser.run_once() == 3


async def test_a_backlog_is_not_asked_for_again_when_its_first_rounds_are_answered_in_turn(
    vendor: Client, chaser: PictureChaser, later: Later, images: Images
) -> None:
    backlog = [await pending(vendor) for _ in range(4)]
    later.seconds = PATIENCE_SECONDS + 10
    assert await chaser.run_once() == 1
    for picture in backlog[:3]:
        await answer(images, picture, 1)
        assert await chaser.run_once() <= 1, "at most the one that waits longest"


@pytest.mark.parametrize("round_", [1, 2], ids=["the first round", "the second"])
async def test_the_answer_to_any_round_brings_the_renditions(
    vendor: Client, chaser: PictureChaser, later: Later, images: Images, round_: int
) -> None:
    product_id, image_id = await pending(vendor)
    later.seconds = PATIENCE_SECONDS + 10
    assert await chaser.run_once() == 1
    answer = processed(product_id, image_id, round_)
    await images.processed(answer, enveloped(answer))
    assert (await image_of(vendor, product_id))["status"] == "ready"
    later.seconds *= 100
    assert await chaser.run_once() == 0


async def test_a_picture_whose_job_failed_is_not_asked_for_again(
    vendor: Client, pool: Pool, chaser: PictureChaser, later: Later, images: Images
) -> None:
    product_id, image_id = await pending(vendor)
    [asked] = await outbox(pool, "image.added")
    failed = JobFailed(
        job_id=new_id(),
        job_type="process-image",
        cause_id=UUID(asked["id"]),
        target=str(image_id),
        error_class="InvalidImage",
        error_message="The file is cut off.",
    )
    await images.job_failed(failed, enveloped(failed))
    later.seconds = PATIENCE_SECONDS * 100
    assert await chaser.run_once() == 0
    assert (await image_of(vendor, product_id))["status"] == "failed"


async def test_two_chasers_ask_once(
    vendor: Client, pool: Pool, chaser: PictureChaser, later: Later, images: Images
) -> None:
    for _ in range(3):
        await pending(vendor)
    later.seconds = PATIENCE_SECONDS + 10
    await answer(images, await pending(vendor), 1)
    assert sum(await asyncio.gather(*(chaser.run_once() for _ in range(4)))) == 3
    assert len(await outbox(pool, "image.added")) == 7
