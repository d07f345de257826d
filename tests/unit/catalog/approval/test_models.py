"""The list of rejection reasons."""

from services.catalog.approval.models import REASON_TEXTS, ReasonCode
from services.notifier.wording import REASONS


def test_the_notifier_explains_every_reason_an_admin_can_give() -> None:
    assert {code.value for code in ReasonCode} == set(REASONS)


def test_pages_and_mails_call_a_reason_the_same() -> None:
    assert {code.value: text for code, text in REASON_TEXTS.items()} == {
        code: explanation.what for code, explanation in REASONS.items()
    }
