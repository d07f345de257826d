"""Asking the catalog for people: how often, and what its failures become."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import aiohttp
import pytest

from deploy.local.ports import free_port
from services.notifier.contacts import CatalogContacts
from services.notifier.errors import ContactsUnavailable
from services.notifier.handlers import account_changed
from services.notifier.usecases import Mailroom
from shared.clock import utc_now
from shared.contracts.envelope import wrap
from shared.contracts.events import AccountChanged
from shared.ids import new_id
from tests.integration.notifier.catalog import KEY, Catalog, running
from tests.integration.notifier.people import ADA, BEN, EVE, TO_ADMINS, VENDOR
from tests.integration.notifier.smtp_sink import Sink

KEEP_SECONDS = 30.0


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def catalog() -> AsyncIterator[Catalog]:
    async with running(Catalog({"admins": [ADA, BEN], str(VENDOR): [EVE]})) as served:
        yield served


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def contacts(catalog: Catalog, session: aiohttp.ClientSession, hands: Hands) -> CatalogContacts:
    return CatalogContacts(session, catalog_url=catalog.url, key=KEY, keep_seconds=KEEP_SECONDS, clock=hands)


async def test_people_are_asked_for_once_and_kept(contacts: CatalogContacts, catalog: Catalog) -> None:
    for _ in range(2):
        assert await contacts.admins() == (ADA, BEN)
        assert await contacts.vendor(VENDOR) == (EVE,)
    assert catalog.asked == ["admins", str(VENDOR)]


async def test_they_are_asked_for_again_after_a_while(
    contacts: CatalogContacts, catalog: Catalog, hands: Hands
) -> None:
    await contacts.admins()
    hands.seconds = KEEP_SECONDS - 1
    await contacts.admins()
    assert len(catalog.asked) == 1
    hands.seconds = KEEP_SECONDS
    await contacts.admins()
    assert len(catalog.asked) == 2


async def test_an_audience_without_people_is_asked_for_each_time(contacts: CatalogContacts, catalog: Catalog) -> None:
    catalog.people.clear()
    assert await contacts.admins() == ()
    catalog.people["admins"] = [BEN]
    assert await contacts.admins() == (BEN,)


@pytest.mark.parametrize(
    ("version", "questions"),
    [
        pytest.param(1, 1, id="what is kept is at that version"),
        pytest.param(2, 2, id="what is kept is older"),
    ],
)
async def test_a_change_drops_only_what_is_older(
    contacts: CatalogContacts, catalog: Catalog, version: int, questions: int
) -> None:
    await contacts.admins()
    event = AccountChanged(account_id=ADA.account_id, version=version)
    envelope = wrap(event, identifier=new_id(), kind=event.type, source="catalog", subject=None, time=utc_now())
    await account_changed(event, envelope, contacts=contacts)
    catalog.people["admins"] = [replace(ADA, email="ada@example.org", version=2), BEN]
    await contacts.admins()
    assert len(catalog.asked) == questions


async def test_a_change_of_somebody_unknown_may_be_a_new_colleague(contacts: CatalogContacts, catalog: Catalog) -> None:
    await contacts.admins()
    catalog.people["admins"].append(EVE)
    contacts.forget(EVE.account_id, 1)
    assert await contacts.admins() == (ADA, BEN, EVE)


async def test_an_answer_that_a_change_overtook_is_used_once(contacts: CatalogContacts, catalog: Catalog) -> None:
    catalog.meanwhile = lambda: contacts.forget(UUID(int=9), 1)
    assert await contacts.admins() == (ADA, BEN)
    catalog.meanwhile = lambda: None
    for _ in range(2):
        await contacts.admins()
    assert len(catalog.asked) == 2


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_a_refusal_is_worth_another_attempt(contacts: CatalogContacts, catalog: Catalog, status: int) -> None:
    catalog.status = status
    with pytest.raises(ContactsUnavailable, match=str(status)) as failure:
        await contacts.admins()
    assert failure.value.retryable


@pytest.mark.parametrize("body", [{"items": [{}]}, {"people": []}, ["x"]], ids=str)
async def test_an_answer_of_another_shape_is_worth_another_attempt(
    contacts: CatalogContacts, catalog: Catalog, body: object
) -> None:
    catalog.body = body
    with pytest.raises(ContactsUnavailable):
        await contacts.admins()


async def test_a_wrong_key_is_worth_another_attempt(catalog: Catalog, session: aiohttp.ClientSession) -> None:
    contacts = CatalogContacts(session, catalog_url=catalog.url, key="w" * 32, keep_seconds=1)
    with pytest.raises(ContactsUnavailable, match="401"):
        await contacts.admins()
    assert catalog.asked == []


async def test_with_the_catalog_away_no_mail_is_sent_and_the_job_is_worth_another_attempt(
    mailroom: Mailroom, sink: Sink, session: aiohttp.ClientSession
) -> None:
    away = CatalogContacts(session, catalog_url=f"http://127.0.0.1:{free_port()}", key=KEY, keep_seconds=1)
    with pytest.raises(ContactsUnavailable) as failure:
        await replace(mailroom, contacts=away).send_email(TO_ADMINS, job_id=new_id())
    assert failure.value.retryable
    assert sink.connections == 0


async def test_what_is_kept_bridges_a_short_outage(contacts: CatalogContacts, catalog: Catalog) -> None:
    await contacts.admins()
    catalog.status = 503
    assert await contacts.admins() == (ADA, BEN)
