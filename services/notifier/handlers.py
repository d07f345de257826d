"""The message edge: one coroutine per job and event the notifier reads."""

from pydantic import JsonValue

from services.notifier.contacts import CatalogContacts
from services.notifier.pushes import Pushes
from services.notifier.usecases import Inbox, Mailroom
from shared.contracts.envelope import Envelope
from shared.contracts.events import AccountChanged
from shared.contracts.jobs import SendEmail, SendNotification
from shared.messaging.attempt import Attempt


async def send_email(job: SendEmail, attempt: Attempt, *, mailroom: Mailroom) -> JsonValue:
    """Mail a letter to an audience; the result names who has it, by account. A cancelled one goes to nobody."""
    result = await mailroom.send_email(job, job_id=attempt.job_id, before_sending=attempt.stop_if_cancelled)
    return result.as_json()


async def send_notification(job: SendNotification, attempt: Attempt, *, inbox: Inbox, pushes: Pushes) -> JsonValue:
    """Put a line into an inbox and push it; the result says whether it is new, and who did not want it.

    The line comes first, in a transaction of its own: nothing a push service does keeps it from the inbox.
    """
    result = await inbox.send_notification(job, job_id=attempt.job_id)
    pushed = await pushes.push(result.notification, is_last=attempt.number >= attempt.limit)
    return result.as_json(pushed)


async def account_changed(event: AccountChanged, _: Envelope, *, contacts: CatalogContacts) -> None:
    """Use no address any more that may be of before the change."""
    contacts.forget(event.account_id, event.version)
