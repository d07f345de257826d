"""What the addresses of accounts promise."""

from typing import Final

from services.catalog.accounts.schemas import (
    AccountShown,
    ApiKeyShown,
    Login,
    NewApiKey,
    NewApiKeyShown,
    OwnAccount,
    ProfileChange,
    SessionShown,
    SignedIn,
)
from shared.web.operations import Answer, Group, Operation, Page
from shared.web.paging import PageQuery

ACCOUNTS: Final = Group(
    "Accounts",
    "Signing in, one's own profile, sessions and API keys.",
    (
        Operation(
            route="POST /api/auth/login",
            id="signIn",
            summary="Sign in",
            description="For browsers: the session is a cookie. Unknown addresses and wrong passwords get one answer.",
            body=Login,
            answers={200: Answer(SignedIn, "Signed in.")},
            errors=(401,),
        ),
        Operation(
            route="POST /api/auth/logout",
            id="signOut",
            summary="Sign out",
            answers={204: Answer(description="The session is over.")},
        ),
        Operation(
            route="GET /api/me",
            id="readMe",
            summary="Read who you are",
            answers={200: Answer(OwnAccount, "Your account.")},
            has_version=True,
        ),
        Operation(
            route="PATCH /api/me",
            id="changeMe",
            summary="Change your profile or password",
            description="A new address or password needs `current_password`.",
            body=ProfileChange,
            answers={200: Answer(AccountShown, "Your account as it is now.")},
            has_version=True,
            needs_version=True,
            errors=(409,),
        ),
        Operation(
            route="GET /api/api-keys",
            id="listApiKeys",
            summary="List your API keys",
            query=PageQuery,
            answers={200: Answer(Page[ApiKeyShown], "A page of keys, newest first.")},
        ),
        Operation(
            route="POST /api/api-keys",
            id="createApiKey",
            summary="Make an API key",
            description="Its text is in this answer and in no other.",
            body=NewApiKey,
            answers={201: Answer(NewApiKeyShown, "The key.")},
            is_creating=True,
        ),
        Operation(
            route="DELETE /api/api-keys/{id}",
            id="revokeApiKey",
            summary="Revoke an API key",
            answers={204: Answer(description="It holds no more.")},
        ),
        Operation(
            route="GET /api/sessions",
            id="listSessions",
            summary="List where you are signed in",
            query=PageQuery,
            answers={200: Answer(Page[SessionShown], "A page of sessions, newest first.")},
        ),
        Operation(
            route="DELETE /api/sessions",
            id="revokeOtherSessions",
            summary="Sign out everywhere else",
            answers={204: Answer(description="All other sessions are over.")},
        ),
        Operation(
            route="DELETE /api/sessions/{id}",
            id="revokeSession",
            summary="End a session",
            answers={204: Answer(description="It is over.")},
        ),
    ),
)
