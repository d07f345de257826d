"""Web push against a real push service on this machine, which decrypts: who is told, how often, and who no more."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import jwt
import pytest

from services.notifier import push_store, pusher
from services.notifier import pushes as pushes_module
from services.notifier.errors import CatalogDown, PushPutOff, SubscriptionTaken, UnknownSubscription
from services.notifier.models import Contact, Notification, Preference, PushOutcome, Reader, Subscription
from services.notifier.pusher import Push, Pusher, padless, topic_of
from services.notifier.pushes import KEPT_FOR, Pushes, Subscriptions
from services.notifier.usecases import Inbox, Preferences
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.db.pool import Pool, connection
from shared.errors import DependencyDown, InvalidInput
from shared.ids import new_id
from shared.outbound import guarded_session
from tests.integration.notifier.people import ADA, APPROVED, BEN, EVE, VENDOR, People
from tests.integration.notifier.push_service import VAPID, Browser, PushService

EVES, BENS, ADAS = Reader(EVE.account_id, VENDOR), Reader(BEN.account_id, VENDOR), Reader(ADA.account_id, None)
LOW = APPROVED.model_copy(
    update={
        "kind": "stock_low",
        "params": {
            "products": [
                {"product_id": str(UUID(int=3)), "sku": "B-1", "title": "Bowl", "on_hand": 2, "threshold": 5},
                {"product_id": str(UUID(int=4)), "sku": "C-1", "title": "Cup", "on_hand": 0, "threshold": 5},
            ]
        },
    }
)


async def subscribe(subscriptions: Subscriptions, reader: Reader, browser: Browser) -> Subscription:
    return await subscriptions.add(reader, endpoint=browser.endpoint, name="Firefox on Linux", **browser.keys)


async def line(inbox: Inbox, job: object = None) -> Notification:
    return (await inbox.send_notification(LOW if job is None else job, job_id=new_id())).notification  # type: ignore[arg-type]


async def test_a_browser_is_told_once_in_words_only_it_can_read(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    told = await line(inbox)
    assert (await pushes.push(told, is_last=False)).as_json() == {"sent": 1}
    assert (await pushes.push(told, is_last=False)).as_json() == {}
    (pushed,) = service.taken
    assert pushed.content == {
        "id": str(told.id),
        "title": "Low stock: 2 products",
        "body": "Cup (0 left), Bowl (2 left)",
        "path": "/vendor/inventory?low=yes",
        "tag": pushed.headers["Topic"],
    }
    assert 0 < int(pushed.headers["TTL"]) <= KEPT_FOR.total_seconds()
    assert len(pushed.headers["Topic"]) == 32
    assert (pushed.headers["Urgency"], pushed.headers["Content-Encoding"]) == ("high", "aes128gcm")
    token, key = (part.strip()[2:] for part in pushed.headers["Authorization"].removeprefix("vapid ").split(","))
    claims = jwt.decode(token, options={"verify_signature": False})  # the service has checked it
    assert key == VAPID.public
    assert (claims["aud"], claims["sub"]) == (f"http://{service.host}", "mailto:souk@example.com")
    assert claims["exp"] < utc_now().timestamp() + 24 * 3600


async def test_news_of_one_matter_have_one_topic_and_others_another(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    about = {"product_id": str(UUID(int=3)), "title": "Bowl"}
    approved = APPROVED.model_copy(update={"params": {**about, "slug": "bowl"}})
    suspended = APPROVED.model_copy(update={"kind": "product_suspended", "params": about})
    for job in (approved, suspended, LOW, LOW):
        await pushes.push(await line(inbox, job), is_last=False)
    first, second, third, fourth = [each.headers["Topic"] for each in service.taken]
    assert (first == second, third == fourth, first == third) == (True, True, False)


async def test_who_could_not_be_told_is_told_by_the_next_attempt_and_nobody_twice(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    for reader, name in ((EVES, "eve"), (BENS, "ben")):
        await subscribe(subscriptions, reader, service.browser(name))
    told = await line(inbox)
    service.statuses["eve"] = 503
    with pytest.raises(PushPutOff) as put_off:
        await pushes.push(told, is_last=False)
    assert (service.told(), put_off.value.retry_after_seconds) == (["ben"], 7)
    service.statuses.clear()
    await pushes.push(told, is_last=False)
    assert service.told() == ["ben", "eve"]


async def test_a_push_service_that_stays_away_fails_no_job(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    told = await line(inbox)
    service.statuses["eve"] = 429
    assert (await pushes.push(told, is_last=True)).as_json() == {"given_up": 1}
    service.statuses.clear()
    assert (await pushes.push(told, is_last=False)).as_json() == {}, "it is over with"


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService, status: int
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    service.statuses["eve"] = status
    assert (await pushes.push(await line(inbox), is_last=False)).as_json() == {"gone": 1}
    assert await subscriptions.of(EVES) == []


@pytest.mark.parametrize("status", [400, 403, 413, 302])
async def test_a_refusal_is_noted_and_not_tried_again(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService, status: int
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    service.statuses["eve"] = status
    told = await line(inbox)
    assert (await pushes.push(told, is_last=False)).as_json() == {"refused": 1}
    await pushes.push(told, is_last=False)
    assert (service.asked, len(await subscriptions.of(EVES))) == (["eve"], 1)


async def test_an_address_that_is_not_public_is_never_connected_to(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    assert pushes.pusher is not None
    async with guarded_session() as closed:
        guarded = replace(pushes, pusher=replace(pushes.pusher, outbound=closed))
        assert (await guarded.push(await line(inbox), is_last=False)).as_json() == {"refused": 1}
    assert service.asked == []


async def test_a_push_service_that_says_nothing_is_given_up_in_time(
    inbox: Inbox,
    pushes: Pushes,
    subscriptions: Subscriptions,
    service: PushService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, name in ((pusher, "ANSWER_SECONDS"), (pushes_module, "ALL_SECONDS")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, 0.3)
            browser = service.browser(name)
            service.silent.add(name)
            await subscribe(subscriptions, EVES, browser)
            with pytest.raises(PushPutOff):
                await pushes.push(await line(inbox), is_last=False)
    assert len(service.asked) >= 2


async def test_only_who_wants_it_and_is_there_is_told(
    inbox: Inbox,
    pushes: Pushes,
    subscriptions: Subscriptions,
    preferences: Preferences,
    service: PushService,
    people: People,
) -> None:
    stranger = Reader(UUID(int=9), UUID(int=10))
    for reader, name in ((EVES, "eve"), (BENS, "ben"), (ADAS, "ada"), (stranger, "stranger")):
        await subscribe(subscriptions, reader, service.browser(name))
    await preferences.replace(EVES, [Preference("stock_low", push=False)])
    await pushes.push(await line(inbox), is_last=False)
    assert service.told() == ["ben"], "Eve wants no pushes of low stock; the others have other inboxes"
    people.vendors[VENDOR] = [EVE]
    await pushes.push(await line(inbox), is_last=False)
    assert service.told() == ["ben"], "he is the vendor's no more"
    submitted = LOW.model_copy(update={"audience": Audience(kind="admins"), "kind": "product_submitted"})
    await pushes.push(await line(inbox, submitted), is_last=False)
    assert service.told() == ["ben", "ada"]


class NobodyAnswers(People):
    """Contacts of a catalog that is away."""

    async def vendor(self, vendor_id: UUID) -> Sequence[Contact]:
        raise CatalogDown("The catalog cannot be reached.")


async def test_with_the_catalog_away_pushes_wait_and_lines_go_on(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    blind = replace(pushes, contacts=NobodyAnswers())
    told = await line(inbox)
    assert (await blind.push(told, is_last=False)).as_json() == {}, "with no browser nobody is asked"
    await subscribe(subscriptions, EVES, service.browser("eve"))
    told = await line(inbox)
    with pytest.raises(PushPutOff) as put_off:
        await blind.push(told, is_last=False)
    assert not isinstance(put_off.value, DependencyDown), "no breaker keeps lines out of inboxes"
    assert (await blind.push(told, is_last=True)).as_json() == {"given_up": 1}
    assert (await pushes.push(told, is_last=False)).as_json() == {"sent": 1}


async def test_what_was_before_a_browser_or_is_a_day_old_is_not_pushed(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    before = await line(inbox)
    await subscribe(subscriptions, EVES, service.browser("eve"))
    late = replace(pushes, clock=lambda: utc_now() + KEPT_FOR)
    assert (await pushes.push(before, is_last=False)).as_json() == {}
    assert (await late.push(await line(inbox), is_last=False)).as_json() == {}
    assert service.asked == []


class KilledAfterTheAnswer(Pusher):
    """Is gone as soon as the push service has taken a message."""

    async def send(self, subscription: Subscription, push: Push) -> PushOutcome:
        await super().send(subscription, push)
        raise asyncio.CancelledError


async def test_killed_between_the_answer_and_the_row_it_is_shown_again_in_the_same_place(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    told, whole = await line(inbox), pushes.pusher
    assert whole is not None
    killed = KilledAfterTheAnswer(outbound=whole.outbound, key=whole.key, contact=whole.contact, clock=whole.clock)
    with pytest.raises(asyncio.CancelledError):
        await replace(pushes, pusher=killed).push(told, is_last=False)
    await pushes.push(told, is_last=False)
    await pushes.push(told, is_last=False)
    first, second = service.taken
    assert first.content == second.content, "with the same tag, so that a browser shows one"


async def test_without_a_key_nobody_subscribes_and_nobody_is_told(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    assert (await replace(pushes, pusher=None).push(await line(inbox), is_last=False)).as_json() == {}
    with pytest.raises(InvalidInput):
        await subscribe(replace(subscriptions, public_key=None), BENS, service.browser("ben"))
    assert service.asked == []


async def test_a_browser_is_one_persons_and_a_person_has_ten(
    subscriptions: Subscriptions, service: PushService, pool: Pool
) -> None:
    shared = service.browser("shared")
    first = await subscribe(subscriptions, EVES, shared)
    assert (await subscribe(subscriptions, EVES, shared)).id == first.id
    assert (await subscribe(subscriptions, BENS, shared)).account_id == BEN.account_id
    assert (await subscriptions.of(EVES), len(await subscriptions.of(BENS))) == ([], 1)
    with pytest.raises(SubscriptionTaken):
        await subscribe(subscriptions, EVES, Browser(shared.endpoint))
    with pytest.raises(UnknownSubscription):
        await subscriptions.remove(EVES, first.id)
    for number in range(push_store.MAX_BROWSERS):
        await subscribe(subscriptions, BENS, service.browser(f"ben-{number}"))
    kept = [each.endpoint.rpartition("/")[2] for each in await subscriptions.of(BENS)]
    assert kept == [f"ben-{number}" for number in reversed(range(push_store.MAX_BROWSERS))]


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"p256dh": padless(b"\x04" + b"\x01" * 64)}, ["/keys/p256dh"]),
        ({"p256dh": "B"}, ["/keys/p256dh"]),
        ({"p256dh": "ü" * 87}, ["/keys/p256dh"]),
        ({"auth": padless(b"1" * 15)}, ["/keys/auth"]),
        ({"auth": "", "p256dh": ""}, ["/keys/p256dh", "/keys/auth"]),
    ],
)
async def test_keys_that_are_none_are_pointed_at(
    subscriptions: Subscriptions, service: PushService, keys: dict[str, str], wrong: list[str]
) -> None:
    browser = service.browser("eve")
    with pytest.raises(InvalidInput) as refused:
        await subscriptions.add(EVES, endpoint=browser.endpoint, name="Eve's", **{**browser.keys, **keys})
    assert [error.pointer for error in refused.value.errors] == wrong
    assert await subscriptions.of(EVES) == []


async def test_what_was_pushed_goes_with_its_line(
    inbox: Inbox, pushes: Pushes, subscriptions: Subscriptions, service: PushService, pool: Pool
) -> None:
    await subscribe(subscriptions, EVES, service.browser("eve"))
    told = await line(inbox)
    await pushes.push(told, is_last=False)
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM notifier.push_deliveries WHERE outcome = 'sent'") == 1
        await conn.execute("DELETE FROM notifier.notifications WHERE id = $1", told.id)
        assert await conn.fetchval("SELECT count(*) FROM notifier.push_deliveries") == 0


STATEMENTS = {name: sql for name, sql in vars(push_store).items() if name.isupper() and isinstance(sql, str)}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_every_statement_fits_the_schema(pool: Pool, name: str) -> None:
    async with connection(pool) as conn:
        await conn.prepare(STATEMENTS[name])


def test_a_topic_is_what_push_services_take() -> None:
    topics = {topic_of(text) for text in ("product 1", "product 2", "ü" * 500, json.dumps({}))}
    assert len(topics) == 4
    assert all(len(topic) == 32 and topic.replace("-", "").replace("_", "").isalnum() for topic in topics)
