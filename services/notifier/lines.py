"""What a notification says, in an inbox and as a push: the words of the letter of its kind, in short. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.notifier.errors import BadLetterParams, UnknownLetter
from services.notifier.letters import params_of
from services.notifier.wording import one_line

INBOX: Final = "/notifications"
TEXT_CHARS: Final = 300
"""As much as a phone shows of a push, and more than a line of a list."""


@dataclass(frozen=True, slots=True)
class Said:
    """A notification in words. `path` is where it leads; news replaces what has the same `topic`."""

    title: str
    text: str
    path: str
    topic: str


def said_of(kind: str, params: Mapping[str, object]) -> Said:
    """The words of a notification. What nobody here can read, of a newer sender, is named and leads to the inbox."""
    try:
        letter = params_of(kind, params)
    except (UnknownLetter, BadLetterParams):
        return Said(one_line(kind.replace("_", " ")).capitalize(), "", INBOX, kind)
    return Said(letter.subject, _cut(letter.gist), letter.place, letter.topic)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else text[: TEXT_CHARS - 1].rstrip() + "…"
