"""What a gateway wrote itself is dropped at its commit, and once more only where nobody knows of the commit."""

from uuid import UUID

import pytest

from services.catalog.cache.caches import SOURCE, Caches
from services.catalog.cache.floors import Rows
from services.catalog.cache.models import SHOWN, Answer, Loaded, product_row
from shared.clock import utc_now
from shared.contracts.envelope import wrap
from shared.contracts.events import ProductChanged
from shared.ids import new_id
from shared.messaging.reader import Received

PRODUCT = UUID(int=1)
CHANGED = ProductChanged(vendor_id=UUID(int=2), product_id=PRODUCT, version=7, slug="oak", status="approved")


class Live:
    """Every change is heard of."""

    is_live = True


async def _are_current(_: Rows) -> bool:
    return True


@pytest.fixture
def caches() -> Caches:
    return Caches(are_current=_are_current, liveness=Live())


async def fill(caches: Caches) -> None:
    async def product() -> Loaded:
        return Loaded(Answer(b"{}", '"7"'), {product_row(PRODUCT): 7})

    async def products() -> Loaded:
        return Loaded(Answer(b"[]", '"x"'), {SHOWN: None})

    await caches.product.read("oak", product)
    await caches.lists.read("/", products)


def known(caches: Caches) -> tuple[bool, bool]:
    return caches.product.known("oak") is not None, caches.lists.known("/") is not None


def heard(identifier: UUID) -> Received:
    envelope = wrap(CHANGED, identifier=identifier, kind=CHANGED.type, source=SOURCE, subject=None, time=utc_now())
    return Received(envelope, CHANGED)


async def test_what_was_read_after_an_own_change_stays(caches: Caches) -> None:
    identifier = new_id()
    await fill(caches)
    caches.changed([(identifier, CHANGED)])
    assert known(caches) == (True, False), "the product is at this version already"
    await fill(caches)
    caches.heard(heard(identifier), None)
    assert known(caches) == (True, True)
    caches.heard(heard(new_id()), None)
    assert known(caches) == (True, False), "another's is another matter"


async def test_a_commit_that_nobody_answered_may_come_after_what_was_read_since(caches: Caches) -> None:
    identifier = new_id()
    caches.changed([(identifier, CHANGED)], is_committed=False)
    await fill(caches)
    caches.heard(heard(identifier), None)
    assert known(caches) == (True, False)
