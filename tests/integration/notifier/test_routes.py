"""The notifier's API as the gateway calls it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from services.notifier.models import ADMIN_KINDS, VENDOR_KINDS, Preference, Reader
from services.notifier.pushes import Subscriptions
from services.notifier.routes import new_api
from services.notifier.usecases import Inbox, Mailroom, Preferences
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.db.pool import Pool
from shared.ids import new_id
from shared.web.identity import HEADER, Identity, Role, sign
from shared.web.server import serving
from tests.golden import kept_mails as mails
from tests.integration.notifier.people import ADA, APPROVED, BEN, EVE, VENDOR, People
from tests.integration.notifier.push_service import VAPID, Browser
from tests.integration.notifier.smtp_sink import Sink

KEY = "n" * 32
PREVIEW = "/api/admin/letters/preview"
NOBODY = str(UUID(int=77))
ADMIN = Identity(ADA.account_id, Role.ADMIN)
OPS = Identity(BEN.account_id, Role.OPS)
SELLER = Identity(EVE.account_id, Role.VENDOR, VENDOR)
OTHER_SELLER = Identity(UUID(int=9), Role.VENDOR, UUID(int=10))


class Api:
    """Calls in somebody's name; answers status and JSON."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.headers: dict[str, str] = {}

    async def __call__(
        self, identity: Identity, method: str, path: str, body: object = None, *, key: str = KEY
    ) -> tuple[int, Any]:
        token = sign(
            identity, service="notifier", key=key, method=method, path=path.partition("?")[0], request_id="test-call"
        )
        async with self._session.request(method, self._url + path, json=body, headers={HEADER: token}) as answer:
            self.headers = dict(answer.headers)
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def api(pool: Pool, inbox: Inbox, preferences: Preferences, mailroom: Mailroom) -> AsyncIterator[Api]:
    subscriptions = Subscriptions(pool=pool, public_key=VAPID.public, clock=utc_now)
    app = new_api(inbox, preferences, subscriptions, mailroom, key=KEY)
    async with (
        serving(app, host="127.0.0.1", port=0, grace_seconds=1) as port,
        aiohttp.ClientSession() as session,
    ):
        yield Api(session, f"http://127.0.0.1:{port}")


async def tell_vendor(inbox: Inbox, times: int = 1) -> None:
    for _ in range(times):
        await inbox.send_notification(APPROVED, job_id=new_id())


async def test_an_inbox_is_read_page_by_page(api: Api, inbox: Inbox) -> None:
    await tell_vendor(inbox, 3)
    status, page = await api(SELLER, "GET", "/api/notifications?limit=2")
    assert (status, len(page["items"]), page["unread"]) == (200, 2, 3)
    assert page["items"][0].keys() == {"id", "kind", "title", "text", "path", "params", "created_at", "read_at"}
    assert page["items"][0]["params"] == APPROVED.params
    assert page["items"][0]["created_at"].endswith("Z")
    following = f"/api/notifications?limit=2&cursor={page['next']}"
    assert api.headers["Link"] == f'<{following}>; rel="next"'
    _, last = await api(SELLER, "GET", following)
    assert (len(last["items"]), last["next"]) == (1, None)
    assert "Link" not in api.headers


async def test_everybody_sees_their_own_inbox_only(api: Api, inbox: Inbox) -> None:
    await tell_vendor(inbox)
    await inbox.send_notification(
        APPROVED.model_copy(update={"audience": Audience(kind="admins"), "kind": "product_submitted"}), job_id=new_id()
    )
    seen = {}
    for identity in (ADMIN, OPS, SELLER, OTHER_SELLER):
        _, page = await api(identity, "GET", "/api/notifications")
        seen[identity] = [line["kind"] for line in page["items"]]
    assert seen == {
        ADMIN: ["product_submitted"],
        OPS: ["product_submitted"],
        SELLER: ["product_approved"],
        OTHER_SELLER: [],
    }


@pytest.mark.parametrize("is_all", [False, True])
async def test_lines_are_marked_as_read(api: Api, inbox: Inbox, is_all: bool) -> None:
    await tell_vendor(inbox, 2)
    _, page = await api(SELLER, "GET", "/api/notifications")
    body = {"all": True} if is_all else {"ids": [page["items"][0]["id"]]}
    left = 0 if is_all else 1
    assert await api(SELLER, "POST", "/api/notifications/read", body) == (200, {"unread": left})
    _, page = await api(SELLER, "GET", "/api/notifications")
    assert [line["read_at"] is None for line in page["items"]] == [False, not is_all]


async def test_nobody_marks_a_line_of_another_inbox(api: Api, inbox: Inbox) -> None:
    await tell_vendor(inbox)
    _, page = await api(SELLER, "GET", "/api/notifications")
    ids = {"ids": [page["items"][0]["id"]]}
    for identity in (ADMIN, OTHER_SELLER):
        assert await api(identity, "POST", "/api/notifications/read", ids) == (200, {"unread": 0})
    assert (await api(SELLER, "GET", "/api/notifications"))[1]["unread"] == 1


async def test_preferences_are_on_until_chosen_otherwise(api: Api) -> None:
    on = [{"kind": kind, "in_app": True, "email": True, "push": True} for kind in VENDOR_KINDS]
    assert await api(SELLER, "GET", "/api/notification-preferences") == (200, {"items": on})
    admins = [{"kind": kind, "in_app": True, "email": True, "push": True} for kind in ADMIN_KINDS]
    assert await api(ADMIN, "GET", "/api/notification-preferences") == (200, {"items": admins})


async def test_preferences_are_replaced_and_what_is_left_out_is_on_again(api: Api) -> None:
    quiet = {"kind": "stock_low", "in_app": True, "email": False, "push": False}
    status, answer = await api(SELLER, "PUT", "/api/notification-preferences", {"items": [quiet]})
    assert status == 200
    assert quiet in answer["items"]
    assert (await api(SELLER, "GET", "/api/notification-preferences"))[1] == answer
    _, answer = await api(SELLER, "PUT", "/api/notification-preferences", {"items": []})
    assert all(item["in_app"] and item["email"] and item["push"] for item in answer["items"])


STOCK_LOW = {"kind": "stock_low", "in_app": True, "email": True}


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("GET", "/api/notifications?limit=0", None, "/limit"),
        ("GET", "/api/notifications?limit=101", None, "/limit"),
        ("GET", "/api/notifications?cursor=x", None, "/cursor"),
        ("GET", "/api/notifications?page=2", None, "/page"),
        ("POST", "/api/notifications/read", {}, ""),
        ("POST", "/api/notifications/read", {"ids": [], "all": True}, "/ids"),
        ("POST", "/api/notifications/read", {"all": False}, "/all"),
        ("POST", "/api/notifications/read", {"ids": ["x"]}, "/ids/0"),
        ("POST", "/api/notifications/read", {"ids": [str(new_id())] * 101}, "/ids"),
        ("POST", "/api/push-subscriptions", {"endpoint": "ftp://example.com", "keys": {}}, "/endpoint"),
        (
            "POST",
            "/api/push-subscriptions",
            {"endpoint": "https://example.com/1", "keys": {"auth": ""}},
            "/keys/p256dh",
        ),
        ("PUT", "/api/notification-preferences", {"items": [{**STOCK_LOW, "email": "yes"}]}, "/items/0/email"),
        ("PUT", "/api/notification-preferences", {"items": [{"kind": "stock_low"}]}, "/items/0/in_app"),
        ("PUT", "/api/notification-preferences", {"items": [STOCK_LOW, STOCK_LOW]}, "/items/1/kind"),
        (
            "PUT",
            "/api/notification-preferences",
            {"items": [{**STOCK_LOW, "kind": "product_submitted"}]},
            "/items/0/kind",
        ),
    ],
)
async def test_what_does_not_fit_is_pointed_at(api: Api, method: str, path: str, body: object, pointer: str) -> None:
    status, problem = await api(SELLER, method, path, body)
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)


async def test_a_browser_subscribes_is_listed_without_its_address_and_leaves(api: Api) -> None:
    browser = Browser("https://push.example.com/send/1")
    body = {"endpoint": browser.endpoint, "keys": browser.keys, "name": "Firefox on Linux", "expirationTime": None}
    status, kept = await api(SELLER, "POST", "/api/push-subscriptions", body)
    assert (status, kept.keys()) == (201, {"id", "name", "created_at"})
    assert await api(SELLER, "POST", "/api/push-subscriptions", body) == (201, kept)
    assert await api(SELLER, "GET", "/api/push-subscriptions") == (200, {"public_key": VAPID.public, "items": [kept]})
    assert (await api(ADMIN, "GET", "/api/push-subscriptions"))[1]["items"] == []
    for identity, expected in ((OTHER_SELLER, 404), (SELLER, 204), (SELLER, 404)):
        assert (await api(identity, "DELETE", f"/api/push-subscriptions/{kept['id']}"))[0] == expected
    assert (await api(SELLER, "DELETE", "/api/push-subscriptions/mine"))[0] == 404


async def test_a_line_says_what_happened_and_where_it_leads(api: Api, inbox: Inbox) -> None:
    params = {"product_id": str(UUID(int=3)), "title": "Bowl", "reasons": [{"code": "title", "note": "Of which wood?"}]}
    rejected = APPROVED.model_copy(update={"kind": "product_rejected", "params": params})
    for job in (rejected, APPROVED.model_copy(update={"kind": "of_a_newer_sender"})):
        await inbox.send_notification(job, job_id=new_id())
    _, page = await api(SELLER, "GET", "/api/notifications")
    assert [(line["title"], line["text"], line["path"]) for line in page["items"]] == [
        ("Of a newer sender", "", "/notifications"),
        ("Changes needed: Bowl", "The title needs work: Of which wood?", f"/vendor/products/{UUID(int=3)}"),
    ]
    assert await api(SELLER, "GET", "/api/notifications/unread") == (200, {"unread": 2})


async def test_a_letter_is_read_as_its_first_recipient_would_and_sent_to_nobody(
    api: Api, people: People, preferences: Preferences, sink: Sink
) -> None:
    people.vendors[VENDOR] = [ADA, BEN]
    await preferences.replace(
        Reader(ADA.account_id, VENDOR), [Preference("product_rejected", in_app=True, email=False)]
    )
    reasons = [{"code": "images", "note": "Lighter, <b>please</b>."}]
    params: dict[str, Any] = {"product_id": mails.PRODUCT, "title": "Bowl", "reasons": reasons}
    body = {"letter": "product_rejected", "params": params, "vendor_id": str(VENDOR)}
    status, told = await api(ADMIN, "POST", PREVIEW, body)
    assert status == 200
    assert (told["to"], told["unwanted"]) == (["Ben"], ["Ada"])
    assert told["subject"] == "Changes needed: Bowl"
    assert "Hello Ben" in told["text"]
    assert "Lighter, &lt;b&gt;please&lt;/b&gt;." in told["html"]
    assert sink.taken == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"letter": "horoscope", "params": {}}, 404),
        ({"letter": "product_rejected", "params": {"title": "Bowl"}}, 422),
        (
            {
                "letter": "product_rejected",
                "params": {"product_id": mails.PRODUCT, "title": "Bowl"},
                "vendor_id": NOBODY,
            },
            404,
        ),
    ],
    ids=["no such letter", "params that do not fit", "nobody to read it"],
)
async def test_a_preview_says_what_is_wrong(api: Api, body: object, status: int) -> None:
    assert (await api(ADMIN, "POST", PREVIEW, body))[0] == status


async def test_only_admins_read_letters_of_others(api: Api) -> None:
    assert [(await api(who, "POST", PREVIEW, {"letter": "x", "params": {}}))[0] for who in (OPS, SELLER)] == [403, 403]


@pytest.mark.parametrize(
    "identity",
    [Identity(UUID(int=5), Role.CHANNEL), Identity(UUID(int=0), Role.SERVICE), Identity(UUID(int=5), Role.VENDOR)],
    ids=["channel", "service", "vendor without a vendor"],
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/notifications", None),
        ("GET", "/api/notifications/unread", None),
        ("GET", "/api/push-subscriptions", None),
        ("DELETE", f"/api/push-subscriptions/{UUID(int=7)}", None),
        ("POST", "/api/notifications/read", {"all": True}),
        ("GET", "/api/notification-preferences", None),
        ("PUT", "/api/notification-preferences", {"items": []}),
    ],
)
async def test_others_are_not_let_in(api: Api, identity: Identity, method: str, path: str, body: object) -> None:
    status, problem = await api(identity, method, path, body)
    assert (status, problem["type"]) == (403, "urn:souk:problem:forbidden")


async def test_a_call_that_the_gateway_did_not_sign_is_refused(api: Api) -> None:
    status, _ = await api(ADMIN, "GET", "/api/notifications", key="w" * 32)
    assert status == 401
