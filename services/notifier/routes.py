"""The notifier's HTTP edge, called by the gateway: everybody reads their own inbox and chooses for themselves."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from services.notifier.errors import UnknownSubscription
from services.notifier.models import Reader
from services.notifier.pushes import Subscriptions
from services.notifier.schemas import (
    InboxAnswer,
    PreferenceItem,
    PreferencesBody,
    PreviewAnswer,
    PreviewBody,
    ReadBody,
    SubscriptionBody,
    SubscriptionItem,
    SubscriptionsAnswer,
    UnreadAnswer,
)
from services.notifier.usecases import Inbox, Mailroom, Preferences
from shared.contracts.base import Audience
from shared.errors import Forbidden
from shared.web.bodies import read_body, read_query
from shared.web.cursors import Cursors
from shared.web.identity import Role, identity_middleware, require
from shared.web.paging import CURSORS, PageQuery, cursor_behind, id_in, link_to
from shared.web.server import new_app

INBOX: Final = web.AppKey("inbox", Inbox)
PREFERENCES: Final = web.AppKey("preferences", Preferences)
SUBSCRIPTIONS: Final = web.AppKey("subscriptions", Subscriptions)
MAILROOM: Final = web.AppKey("mailroom", Mailroom)


def new_api(
    inbox: Inbox, preferences: Preferences, subscriptions: Subscriptions, mailroom: Mailroom, *, key: str
) -> web.Application:
    """The application that `serving` serves."""
    app = new_app(middlewares=[identity_middleware(service="notifier", key=key)])
    app[CURSORS] = Cursors(key.encode())
    app[INBOX] = inbox
    app[PREFERENCES] = preferences
    app[SUBSCRIPTIONS] = subscriptions
    app[MAILROOM] = mailroom
    app.router.add_get("/api/notifications", list_notifications)
    app.router.add_get("/api/notifications/unread", count_unread)
    app.router.add_post("/api/notifications/read", mark_read)
    app.router.add_get("/api/notification-preferences", list_preferences)
    app.router.add_put("/api/notification-preferences", replace_preferences)
    app.router.add_get("/api/push-subscriptions", list_subscriptions)
    app.router.add_post("/api/push-subscriptions", subscribe)
    app.router.add_delete("/api/push-subscriptions/{id}", unsubscribe)
    app.router.add_post("/api/admin/letters/preview", preview_letter)
    return app


async def list_notifications(request: web.Request) -> web.Response:
    """The caller's inbox, newest first."""
    reader, query = _reader(request), read_query(request, PageQuery)
    page = await request.app[INBOX].page(reader, below=id_in(request, query), limit=query.limit)
    following = None if page.next is None else cursor_behind(request, query, str(page.next))
    return _json(InboxAnswer.of(page, following), headers=link_to(request, following))


async def count_unread(request: web.Request) -> web.Response:
    """How much the caller has not read: for the head of every page."""
    return _json(UnreadAnswer(unread=await request.app[INBOX].unread(_reader(request))))


async def mark_read(request: web.Request) -> web.Response:
    """Lines the caller has read."""
    reader, body = _reader(request), await read_body(request, ReadBody)
    inbox = request.app[INBOX]
    unread = await (inbox.read_all(reader) if body.ids is None else inbox.read(reader, body.ids))
    return _json(UnreadAnswer(unread=unread))


async def list_preferences(request: web.Request) -> web.Response:
    """What the caller wants of each kind of message they are told of."""
    chosen = await request.app[PREFERENCES].of(_reader(request))
    return _json(PreferencesBody(items=tuple(PreferenceItem.of(preference) for preference in chosen)))


async def replace_preferences(request: web.Request) -> web.Response:
    """Choose anew. One person writes their own few flags, so the last one holds and no version is asked for."""
    reader, body = _reader(request), await read_body(request, PreferencesBody)
    chosen = await request.app[PREFERENCES].replace(reader, [item.preference() for item in body.items])
    return _json(PreferencesBody(items=tuple(PreferenceItem.of(preference) for preference in chosen)))


async def list_subscriptions(request: web.Request) -> web.Response:
    """The browsers that show the caller's notifications, and the key to subscribe another one with."""
    subscriptions = request.app[SUBSCRIPTIONS]
    found = await subscriptions.of(_reader(request))
    items = tuple(SubscriptionItem.of(each) for each in found)
    return _json(SubscriptionsAnswer(public_key=subscriptions.public_key, items=items))


async def subscribe(request: web.Request) -> web.Response:
    """Show the caller's notifications in a browser. The same browser again is the same subscription."""
    reader, body = _reader(request), await read_body(request, SubscriptionBody)
    kept = await request.app[SUBSCRIPTIONS].add(
        reader, endpoint=body.endpoint, p256dh=body.keys.p256dh, auth=body.keys.auth, name=body.name
    )
    return _json(SubscriptionItem.of(kept), status=201)


async def unsubscribe(request: web.Request) -> web.Response:
    """Show them there no more."""
    reader = _reader(request)
    try:
        subscription_id = UUID(request.match_info["id"])
    except ValueError as exc:
        raise UnknownSubscription("You have no such browser.") from exc
    await request.app[SUBSCRIPTIONS].remove(reader, subscription_id)
    return web.Response(status=204)


async def preview_letter(request: web.Request) -> web.Response:
    """What a letter says before anybody has it."""
    require(request, Role.ADMIN)
    body = await read_body(request, PreviewBody)
    audience = Audience(kind="admins" if body.vendor_id is None else "vendor", vendor_id=body.vendor_id)
    letter, recipients = await request.app[MAILROOM].preview(body.letter, body.params, audience=audience)
    return _json(PreviewAnswer.of(letter, recipients))


def _reader(request: web.Request) -> Reader:
    """The caller and their inbox: a vendor's own; the marketplace's for admin and ops. Raises Forbidden."""
    identity = require(request, Role.VENDOR, Role.ADMIN, Role.OPS)
    if identity.role is not Role.VENDOR:
        return Reader(identity.account_id, None)
    if identity.vendor_id is None:  # null would be the admins' inbox
        raise Forbidden("This account belongs to no vendor.")
    return Reader(identity.account_id, identity.vendor_id)


def _json(body: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    answer = body.model_dump_json().encode()
    return web.Response(status=status, body=answer, content_type="application/json", headers=headers)
