"""What the notifier raises on purpose."""

from shared.errors import AppError, Conflict, DependencyDown, InvalidInput, NotFound, Unavailable


class UnknownLetter(NotFound):
    """No letter of this kind exists here: a newer sender, or a typing error in the policy."""

    code = "unknown_letter"


class BadLetterParams(InvalidInput):
    """The params are not what this kind of letter needs; the same job would fail again."""

    code = "bad_letter_params"


class NobodyToTell(NotFound):
    """The audience has no one with an address. Add a person, then retry the job by hand."""

    code = "nobody_to_tell"


class MailUnavailable(Unavailable):
    """The mail server as a whole does not work for us now: down, closing, or it refuses our sign-in or sender.

    The next message would fare no better.
    """

    code = "mail_unavailable"


class MailServerDown(MailUnavailable, DependencyDown):
    """Nobody's mail passes, whatever it is: no connection to be had, or our sign-in or sender is refused.

    The type is paused until a mail passes. Not raised once the server has heard of one mail's recipient: what ends
    the dialogue then may be that mail's doing, and spends its attempt.
    """


class AnswerLost(MailUnavailable):
    """The connection went while the content was under way: the server may have taken it all the same.

    The next attempt may then be this person's second copy, with the same Message-ID.
    """

    code = "answer_lost"


class PushPutOff(Unavailable):
    """A push service did not answer, or asked to come later: the next attempt tells the browsers that are left."""

    code = "push_put_off"


class SubscriptionTaken(Conflict):
    """The address is known with other keys: it is another browser's."""

    code = "subscription_taken"


class UnknownSubscription(NotFound):
    """The caller has no such browser."""

    code = "unknown_subscription"


class ContactsUnavailable(Unavailable):
    """The catalog did not say who is meant: it is away, or does not accept our key. The next attempt asks again."""

    code = "contacts_unavailable"


class CatalogDown(ContactsUnavailable, DependencyDown):
    """No connection to the catalog is to be had: nobody's mail can be addressed."""


class MailboxDeferred(Unavailable):
    """The mail server put this one recipient or content off (4xx): greylisting, a full mailbox. Others may pass."""

    code = "mailbox_deferred"


class MailboxRejected(AppError):
    """The mail server refused this recipient or this content for good (5xx). Trying again changes nothing.

    `answer` is what it said, empty if it was not even asked.
    """

    code = "mailbox_rejected"

    def __init__(self, detail: str, *, answer: str = "") -> None:
        super().__init__(detail)
        self.answer = answer
