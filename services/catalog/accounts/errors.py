"""What accounts raise on purpose."""

from shared.errors import Conflict, NotFound, Unavailable


class EmailTaken(Conflict):
    """Another account has this address; addresses differing in case only are the same."""

    code = "email_taken"


class UnknownKey(NotFound):
    """The caller has no such API key, or it is revoked already."""

    code = "unknown_api_key"


class SignInBusy(Unavailable):
    """More passwords are waiting to be checked than can be soon; try again in a few seconds."""

    code = "sign_in_busy"
