"""What the notifier's addresses promise."""

from typing import Final

from services.notifier.schemas import (
    InboxAnswer,
    PreferencesBody,
    PreviewAnswer,
    PreviewBody,
    ReadBody,
    SubscriptionBody,
    SubscriptionItem,
    SubscriptionsAnswer,
    UnreadAnswer,
)
from shared.web.operations import Answer, Group, Operation
from shared.web.paging import PageQuery

NOTIFICATIONS: Final = Group(
    "Notifications",
    "One's own inbox, and what one wants to be told of.",
    (
        Operation(
            route="GET /api/notifications",
            id="listNotifications",
            summary="Read your inbox",
            query=PageQuery,
            answers={200: Answer(InboxAnswer, "A page of it, newest first, and how much is unread.")},
        ),
        Operation(
            route="GET /api/notifications/unread",
            id="countUnreadNotifications",
            summary="Count what you have not read",
            answers={200: Answer(UnreadAnswer, "How much is unread, counted up to 1000.")},
        ),
        Operation(
            route="POST /api/notifications/read",
            id="markNotificationsRead",
            summary="Mark notifications as read",
            body=ReadBody,
            answers={200: Answer(UnreadAnswer, "How much is unread now.")},
        ),
        Operation(
            route="GET /api/notification-preferences",
            id="readPreferences",
            summary="Read what you are told of",
            answers={200: Answer(PreferencesBody, "Every kind of message.")},
        ),
        Operation(
            route="PUT /api/notification-preferences",
            id="replacePreferences",
            summary="Choose what you are told of",
            description="Kinds left out are on again.",
            body=PreferencesBody,
            answers={200: Answer(PreferencesBody, "Every kind of message.")},
        ),
        Operation(
            route="GET /api/push-subscriptions",
            id="listPushSubscriptions",
            summary="List the browsers that show your notifications",
            description="With `public_key` a browser subscribes (`applicationServerKey`); null: there is no web push.",
            answers={200: Answer(SubscriptionsAnswer, "Your browsers, newest first.")},
        ),
        Operation(
            route="POST /api/push-subscriptions",
            id="subscribeToPush",
            summary="Show your notifications in a browser",
            description="Send what the browser's `PushSubscription` says of itself. The same one again is kept once; "
            "of more than ten the oldest goes.",
            body=SubscriptionBody,
            answers={201: Answer(SubscriptionItem, "The browser, as it is kept.")},
            errors=(409,),
        ),
        Operation(
            route="DELETE /api/push-subscriptions/{id}",
            id="unsubscribeFromPush",
            summary="Show them there no more",
            answers={204: Answer(None, "It is told no more.")},
        ),
        Operation(
            route="POST /api/admin/letters/preview",
            id="previewLetter",
            summary="Read a letter before it is sent",
            description="Written as it would be mailed now, to whom it would go; nothing is sent.",
            body=PreviewBody,
            answers={200: Answer(PreviewAnswer, "The letter, and who would get it.")},
            errors=(404,),
        ),
    ),
)
