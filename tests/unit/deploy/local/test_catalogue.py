"""The goods of the seeded catalogue, and the pictures of them."""

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from deploy.local.catalogue.goods import GOODS, SALES
from deploy.local.catalogue.paintings import FIRST_SEED, open_paintings, paint
from services.catalog.inventory.models import DEFAULT_THRESHOLD
from services.catalog.products.schemas import OfferBody

BY_SKU = {good.sku: good for good in GOODS}


def test_there_are_48_goods_sixteen_of_each_shop() -> None:
    assert len(BY_SKU) == 48
    assert Counter(good.shop for good in GOODS) == {0: 16, 1: 16, 2: 16}
    assert len({good.title for good in GOODS}) == 48


def test_every_good_is_an_offer_that_the_catalogue_takes() -> None:
    for good in GOODS:
        OfferBody.model_validate(good.offer)


def test_the_orders_sell_what_is_there_and_leave_no_shelf_low() -> None:
    sold: Counter[str] = Counter()
    for sale in SALES:
        sold.update(dict(sale.lines))
    assert {sku: BY_SKU[sku].on_hand - pieces for sku, pieces in sold.items() if sku not in BY_SKU} == {}
    assert [sku for sku, pieces in sold.items() if BY_SKU[sku].on_hand - pieces <= DEFAULT_THRESHOLD] == []
    assert len({sale.number for sale in SALES}) == len(SALES)
    assert min(sale.hours_before for sale in SALES) >= 24, "today's figures belong to whoever looks at them"


def test_the_first_shop_has_no_low_stock_of_its_own() -> None:
    """The demo's digest is then about the demo's product alone."""
    assert [good.sku for good in GOODS if good.shop == 0 and good.on_hand <= DEFAULT_THRESHOLD] == []


@pytest.mark.parametrize("number", [0, 23, 47])
def test_a_painting_is_a_photo_of_1600x1200_of_150_to_600_kb(number: int, tmp_path: Path) -> None:
    paint(tmp_path / "it.jpg", FIRST_SEED + number)
    content = (tmp_path / "it.jpg").read_bytes()
    assert 150_000 <= len(content) <= 600_000
    assert Image.open(io.BytesIO(content)).size == (1600, 1200)
    assert [path.name for path in tmp_path.iterdir()] == ["it.jpg"]


async def test_a_painting_that_is_there_is_not_painted_again(tmp_path: Path) -> None:
    (tmp_path / "07.jpg").write_bytes(b"kept from the last run")
    with open_paintings(tmp_path) as paintings:
        assert await paintings.of(7) == b"kept from the last run"


async def test_a_painting_that_is_missing_is_painted_elsewhere(tmp_path: Path) -> None:
    with open_paintings(tmp_path) as paintings:
        assert (await paintings.of(3))[:2] == b"\xff\xd8"
