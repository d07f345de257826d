"""Errors that more than one feature of the catalog raises on purpose."""

from shared.errors import Conflict, Unauthorised


class InvalidCredentials(Unauthorised):
    """The key, session, or e-mail and password are wrong, revoked or expired; which of them is not told."""

    code = "invalid_credentials"


class SlugTaken(Conflict):
    """Another one has this slug; give another."""

    code = "slug_taken"
