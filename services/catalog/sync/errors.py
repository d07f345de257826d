"""What can be wrong with a stock source, a run of it, or a push."""

from shared.errors import Conflict, InvalidInput, NotFound, Unauthorised, Unavailable


class SourceNotFound(NotFound):
    """This vendor has no such source."""

    code = "source_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such stock source.")


class RunNotFound(NotFound):
    """The source has no such run."""

    code = "run_not_found"

    def __init__(self) -> None:
        super().__init__("The source has no such run.")


class NameTaken(Conflict):
    """The vendor has another source of this name."""

    code = "name_taken"

    def __init__(self) -> None:
        super().__init__("Another of your sources has this name.")


class RunInHand(Conflict):
    """The source is being pulled; look at its runs."""

    code = "run_in_hand"

    def __init__(self) -> None:
        super().__init__("A run of this source is in hand.")


class WrongKind(Conflict):
    """A push has no address to be pulled from, a pull no secret."""

    code = "wrong_kind"


class SourceDisabled(Conflict):
    """The vendor has switched the source off."""

    code = "source_disabled"

    def __init__(self) -> None:
        super().__init__("The source is switched off.")


class BadSignature(Unauthorised):
    """The push is not signed with the source's secret, or its time stamp is more than five minutes off."""

    code = "bad_signature"


class Unreadable(InvalidInput):
    """The document is not what the source's format and layout say; nothing of it was applied."""

    code = "unreadable"


class WrongVaultKey(Unavailable):
    """What is kept encrypted was sealed with another key than this process has: give it the right SOUK_SYNC_KEY."""

    code = "wrong_vault_key"
