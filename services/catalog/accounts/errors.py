"""What accounts raise on purpose."""

from shared.errors import Conflict, NotFound, Unavailable


class EmailTaken(Conflict):
    """Another account has this address; addresses differing in case only are the same."""

    code = "email_taken"


class UnknownKey(NotFound):
    """The caller has no such API key, or it is revoked already."""

    code = "unknown_api_key"


class UnknownSession(NotFound):
    """The caller has no such session, or it is over already."""

    code = "unknown_session"


class SignInBusy(Unavailable):
    """More passwords are waiting to be checked than can be soon; try again in a few seconds."""

    code = "sign_in_busy"
