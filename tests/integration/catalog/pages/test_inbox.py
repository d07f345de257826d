"""The inbox and what one is told of, by pages, with the notifier's own API behind the gateway."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from services.notifier.pushes import Subscriptions
from services.notifier.routes import new_api
from services.notifier.usecases import Inbox, Preferences
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.contracts.jobs import SendNotification
from shared.db.outbox import Outbox
from shared.db.pool import Pool, open_pool
from shared.ids import new_id
from shared.web.server import serving
from tests.integration.catalog.conftest import KEY, NOBODY_THERE, Gateway
from tests.integration.catalog.pages.browser import Browser
from tests.integration.notifier import push_service
from tests.integration.notifier.people import People, without_mail_server
from tests.servers import Database

PUSH_KEY = push_service.VAPID.public


@pytest.fixture
async def notifiers_pool(database: Database) -> AsyncIterator[Pool]:
    """The notifier's part of the same database."""
    async with open_pool(database.url("notifier"), name="tests") as opened:
        yield opened


@pytest.fixture
def inbox(notifiers_pool: Pool) -> Inbox:
    """Where the jobs put lines."""
    return Inbox(pool=notifiers_pool, outbox=Outbox("notifier"), clock=utc_now)


@pytest.fixture
def subscriptions(notifiers_pool: Pool) -> Subscriptions:
    """Who is told where."""
    return Subscriptions(pool=notifiers_pool, public_key=PUSH_KEY, clock=utc_now)


@pytest.fixture
async def upstream_urls(
    notifiers_pool: Pool, inbox: Inbox, subscriptions: Subscriptions
) -> AsyncIterator[dict[str, str]]:
    """The notifier is there; the others are not."""
    mailroom = without_mail_server(notifiers_pool, People())
    app = new_api(inbox, Preferences(pool=notifiers_pool, clock=utc_now), subscriptions, mailroom, key=KEY)
    async with serving(app, host="127.0.0.1", port=0, grace_seconds=0.5) as port:
        yield dict.fromkeys(("jobs", "reporting", "scheduler"), NOBODY_THERE) | {"notifier": f"http://127.0.0.1:{port}"}


async def tell(inbox: Inbox, gateway: Gateway, title: str) -> None:
    job = SendNotification(
        kind="product_suspended",
        audience=Audience(kind="vendor", vendor_id=gateway.accounts.vendors[0].vendor_id),
        params={"product_id": str(UUID(int=3)), "title": title, "note": "The picture shows another one."},
    )
    await inbox.send_notification(job, job_id=new_id())


async def test_lines_are_counted_in_every_head_opened_and_read(
    vendors_browser: Browser, inbox: Inbox, gateway: Gateway
) -> None:
    for title in ("Bowl", "<Cup>", "Plate"):
        await tell(inbox, gateway, title)
    _, text = await vendors_browser.get("/vendor")
    assert 'aria-label="Notifications, 3 unread"' in text
    _, text = await vendors_browser.get("/notifications")
    assert "Suspended: &lt;Cup&gt;" in text
    assert text.count("The picture shows another one.") == 3
    token = await vendors_browser.token("/notifications")
    newest, middle, oldest = lines_of(text)
    answer, _ = await vendors_browser.post(f"/notifications/{newest}/open", csrf_token=token, path="/vendor/inventory")
    assert answer.url.path == "/vendor/inventory"
    answer, _ = await vendors_browser.post(
        f"/notifications/{middle}/open", csrf_token=token, path="https://evil.example/"
    )
    assert (answer.url.host, answer.url.path) == ("127.0.0.1", "/notifications")
    _, text = await vendors_browser.post(f"/notifications/{oldest}/read", csrf_token=token)
    assert 'aria-label="Notifications"' in text
    await tell(inbox, gateway, "Jug")
    _, text = await vendors_browser.post("/notifications/read", csrf_token=token)
    assert ("All read." in text, "0 unread" in text, lines_of(text)) == (True, True, [])


async def test_a_long_inbox_has_pages(vendors_browser: Browser, inbox: Inbox, gateway: Gateway) -> None:
    for number in range(25):
        await tell(inbox, gateway, f"No. {number}")
    _, text = await vendors_browser.get("/notifications")
    assert ("No. 24" in text, "No. 0<" in text) == (True, False)
    following = text.split('rel="next" href="')[1].split('"')[0]
    _, text = await vendors_browser.get(following)
    assert ("No. 24" in text, "No. 0<" in text) == (False, True)
    answer, _ = await vendors_browser.get("/notifications?cursor=nonsense")
    assert answer.status == 422


async def test_each_kind_is_chosen_by_way(
    vendors_browser: Browser, subscriptions: Subscriptions, gateway: Gateway
) -> None:
    here = "/notifications/preferences"
    _, text = await vendors_browser.get(here)
    assert (text.count(" checked"), "Low stock" in text, PUSH_KEY in text) == (21, True, True)
    token = await vendors_browser.token(here)
    shown = {f"{kind}.shown": "1" for kind in ("stock_low", "sync_failing")}
    _, text = await vendors_browser.post(here, csrf_token=token, **shown, **{"stock_low.email": "on"})
    assert ("Saved." in text, text.count(" checked")) == (True, 16), "what the form did not have stays as it was"


async def test_browsers_that_are_told_are_listed_and_removed(
    vendors_browser: Browser, subscriptions: Subscriptions, gateway: Gateway
) -> None:
    here, token = "/notifications/preferences", await vendors_browser.token()
    browser = push_service.Browser("https://push.example.com/send/1")
    body = {"endpoint": browser.endpoint, "keys": browser.keys, "name": "Firefox <on> Linux"}
    async with vendors_browser.http.post(
        "/api/push-subscriptions", json=body, headers={"X-CSRF-Token": token}
    ) as answer:
        assert answer.status == 201, await answer.text()
        kept = await answer.json()
    _, text = await vendors_browser.get(here)
    assert ("Firefox &lt;on&gt; Linux" in text, browser.endpoint in text) == (True, False)
    for said in ("is told no more", "It was gone already."):
        _, text = await vendors_browser.post(f"/notifications/devices/{kept['id']}/delete", csrf_token=token)
        assert (said in text, "Firefox" in text) == (True, False)


async def test_the_service_worker_may_act_for_all_addresses_and_loads_nothing(browser: Browser) -> None:
    answer, _ = await browser.get("/push-worker.js")
    headers = answer.headers
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("text/javascript; charset=utf-8", "no-cache")
    assert headers["Content-Security-Policy"] == "default-src 'none'"


def lines_of(text: str) -> list[str]:
    """The unread lines that a page lists, as it lists them."""
    return [part.split("/")[0] for part in text.split('action="/notifications/')[1:] if "/open" in part[:60]]
