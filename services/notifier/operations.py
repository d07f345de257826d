"""What the notifier's addresses promise."""

from typing import Final

from services.notifier.schemas import InboxAnswer, InboxQuery, PreferencesBody, ReadBody, UnreadAnswer
from shared.web.operations import Answer, Group, Operation

NOTIFICATIONS: Final = Group(
    "Notifications",
    "One's own inbox, and what one wants to be told of.",
    (
        Operation(
            route="GET /api/notifications",
            id="listNotifications",
            summary="Read your inbox",
            query=InboxQuery,
            answers={200: Answer(InboxAnswer, "A page of it, newest first, and how much is unread.")},
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
    ),
)
