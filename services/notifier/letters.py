"""Letters: what the marketplace writes to people, as subject, HTML and text. Pure: no I/O after the first use.

The HTML is made in two passes. MJML with its layout (`[% … %]`) becomes HTML once per process; the letter's
own places (`{{ … }}`) are filled per mail, escaped, by a template that no longer contains MJML. So what
people typed never meets the MJML parser, and a mail costs one Jinja rendering.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import quote
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from mjml import mjml2html
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from services.notifier.errors import BadLetterParams, UnknownLetter
from services.notifier.models import Contact
from services.notifier.wording import Explanation, explain, money, one_line, paragraphs
from shared.errors import FieldError

TEMPLATES = Path(__file__).parent / "templates"
LISTED_PRODUCTS = 40
"""Lines of a digest; beyond that a mail grows past what mail programs show (about 100 kB)."""
SUBJECT_TITLE_CHARS = 80
GIST_PRODUCTS = 3
GIST_FIGURES = 3
"""What a line of an inbox or a push names of a list."""

Line = Annotated[str, Field(max_length=500), AfterValidator(one_line)]
Note = Annotated[str, Field(max_length=1000), AfterValidator(paragraphs)]
Id = Annotated[UUID, Field(strict=False)]
"""Travels as a string among the params."""


class _Params(BaseModel):
    """Strict as every contract; fields of a newer sender are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class LetterParams(_Params, ABC):
    """What one kind of letter needs. `path` is where its button leads.

    `gist`, `place` and `topic` are for the same message as a line of an inbox and as a push: what it says in a
    sentence or two, where it leads who is signed in, and what it is about, so that news replaces what is no longer so.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def subject(self) -> str: ...

    @property
    @abstractmethod
    def gist(self) -> str: ...

    @property
    @abstractmethod
    def path(self) -> str: ...

    @property
    def place(self) -> str:
        return self.path

    @property
    def topic(self) -> str:
        return self.place


class ProductLetter(LetterParams):
    """A letter to a vendor about one of its products."""

    product_id: Id
    title: Line

    @property
    def path(self) -> str:
        return f"/vendor/products/{self.product_id}"

    @property
    def topic(self) -> str:
        return f"product {self.product_id}"


class ProductSubmittedLetter(ProductLetter):
    """To the admins: a product waits for a decision, or (`is_change`) changes of one that is in the catalogue.

    `round` counts how often it was asked for.
    """

    kind = "product_submitted"
    sku: Line
    vendor_name: Line
    price_minor: NonNegativeInt
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    round: Annotated[int, Field(ge=1)] = 1
    is_change: bool = False

    @property
    def subject(self) -> str:
        return f"{self._occasion}: {_short(self.title)} by {_short(self.vendor_name)}"

    @property
    def _occasion(self) -> str:
        if self.is_change:
            return "Changes to review"
        return "Resubmitted" if self.round > 1 else "To review"

    @property
    def gist(self) -> str:
        return f"{self.sku} · {self.price}" + (f" · asked for the {self.round}. time" if self.round > 1 else "")

    @property
    def path(self) -> str:
        return f"/admin/products/{self.product_id}"

    @property
    def price(self) -> str:
        return money(self.price_minor, self.currency)


class ProductApprovedLetter(ProductLetter):
    """To the vendor: the product is in the catalogue, or (`is_change`) is there with its changes."""

    kind = "product_approved"
    slug: Line
    is_change: bool = False

    @property
    def subject(self) -> str:
        if self.is_change:
            return f"Changes approved: {_short(self.title)}"
        return f"Approved: {_short(self.title)} is now in the catalogue"

    @property
    def gist(self) -> str:
        return "The catalogue shows them now." if self.is_change else "It can be bought from now on."

    @property
    def path(self) -> str:
        return f"/products/{quote(self.slug, safe='')}"


class RejectionReason(_Params):
    """One thing to change: a code of the marketplace's list, and what the reviewer adds."""

    code: Annotated[str, Field(min_length=1, max_length=60)]
    note: Note = ""

    @property
    def explanation(self) -> Explanation:
        return explain(self.code)


class ProductRejectedLetter(ProductLetter):
    """To the vendor: what to change, and how to submit it again.

    `is_change`: it is about changes of a product that stays in the catalogue as it is.
    """

    kind = "product_rejected"
    reasons: list[RejectionReason] = []
    is_change: bool = False

    @property
    def subject(self) -> str:
        return f"{'Changes not approved' if self.is_change else 'Changes needed'}: {_short(self.title)}"

    @property
    def gist(self) -> str:
        return " · ".join(filter(None, map(_reason, self.reasons))) or "See what to change."


class ProductSuspendedLetter(ProductLetter):
    """To the vendor: an admin took the product out of sight, and why."""

    kind = "product_suspended"
    note: Note = ""

    @property
    def subject(self) -> str:
        return f"Suspended: {_short(self.title)}"

    @property
    def gist(self) -> str:
        return one_line(self.note) or "It cannot be bought for now."


class ProductReinstatedLetter(ProductLetter):
    """To the vendor: the product is on sale again."""

    kind = "product_reinstated"

    @property
    def subject(self) -> str:
        return f"Back on sale: {_short(self.title)}"

    @property
    def gist(self) -> str:
        return "It can be bought again."


class LowProduct(_Params):
    """One product at or below its threshold, in pieces."""

    product_id: Id
    sku: Line
    title: Line
    on_hand: NonNegativeInt
    threshold: NonNegativeInt


class StockLowLetter(LetterParams):
    """To the vendor: all its products that are running low, in one digest."""

    kind = "stock_low"
    products: Annotated[list[LowProduct], Field(min_length=1)]
    more: NonNegativeInt = 0

    @property
    def subject(self) -> str:
        if self.count == 1:
            return f"Low stock: {_short(self.products[0].title)}"
        return f"Low stock: {self.count} products"

    @property
    def count(self) -> int:
        """All products that are running low, those that the job does not name too."""
        return len(self.products) + self.more

    @property
    def gist(self) -> str:
        shown = ", ".join(f"{_short(low.title)} ({low.on_hand} left)" for low in self.listed[:GIST_PRODUCTS])
        return shown + (f", and {self.count - GIST_PRODUCTS} more" if self.count > GIST_PRODUCTS else "")

    @property
    def path(self) -> str:
        return "/vendor/inventory"

    @property
    def place(self) -> str:
        return f"/vendor/inventory/{self.products[0].product_id}" if self.count == 1 else "/vendor/inventory?low=yes"

    @property
    def topic(self) -> str:
        return self.kind

    @property
    def listed(self) -> list[LowProduct]:
        """The most urgent first: nothing left, then the smallest part of the threshold left."""
        urgent = sorted(self.products, key=lambda low: (low.on_hand / max(low.threshold, 1), low.title))
        return urgent[:LISTED_PRODUCTS]

    @property
    def unlisted(self) -> int:
        return self.count - len(self.listed)

    @property
    def sold_out(self) -> int:
        return sum(low.on_hand == 0 for low in self.products)


class SyncFailingLetter(LetterParams):
    """To the vendor: a stock source of theirs gives nothing that can be used."""

    kind = "sync_failing"
    source_id: Id
    name: Line
    failures: Annotated[int, Field(ge=1)]
    problem: Line

    @property
    def subject(self) -> str:
        return f"Stock sync is failing: {_short(self.name)}"

    @property
    def gist(self) -> str:
        return self.problem

    @property
    def path(self) -> str:
        return f"/vendor/sync-sources/{self.source_id}"


class ReportFigure(_Params):
    """One number of a report's summary, as it is read."""

    label: Line
    value: Line
    note: Line = ""


class ReportNote(_Params):
    """A sentence on what to look at."""

    text: Line


class ReportReadyLetter(LetterParams):
    """To a vendor or the admins: the report of a day that is over, its figures in words, and a link that opens it."""

    kind = "report_ready"
    report_id: Id | None = None
    report_type: Annotated[str, Field(min_length=1, max_length=60)]
    period_from: Line
    period_to: Line
    link: Annotated[str, Field(pattern=r"^/[\w/-]+$", max_length=500)]
    figures: list[ReportFigure]
    notes: list[ReportNote] = []
    charts: list[ReportFigure] = []
    is_revised: bool = False

    @property
    def subject(self) -> str:
        return f"{self.title}{' (revised)' if self.is_revised else ''}: {self.period}"

    @property
    def title(self) -> str:
        return self.report_type.replace("_", " ").capitalize()

    @property
    def period(self) -> str:
        return self.period_from if self.period_from == self.period_to else f"{self.period_from} to {self.period_to}"

    @property
    def gist(self) -> str:
        return " · ".join(f"{figure.label} {figure.value}" for figure in self.figures[:GIST_FIGURES])

    @property
    def path(self) -> str:
        return self.link

    @property
    def place(self) -> str:
        return self.link if self.report_id is None else f"/reports/{self.report_id}"

    @property
    def topic(self) -> str:
        return f"{self.report_type} {self.period}"


LETTERS: dict[str, type[LetterParams]] = {
    letter.kind: letter
    for letter in (
        ProductSubmittedLetter,
        ProductApprovedLetter,
        ProductRejectedLetter,
        ProductSuspendedLetter,
        ProductReinstatedLetter,
        StockLowLetter,
        SyncFailingLetter,
        ReportReadyLetter,
    )
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered letter; `subject` is one line, `text` says everything `html` does."""

    subject: str
    html: str
    text: str


def letter_for(kind: str, params: Mapping[str, object], *, recipient: Contact, public_url: str) -> Letter:
    """Write the letter `kind` to `recipient`; links lead to `public_url`.

    Raises UnknownLetter and BadLetterParams, each of which the same job would meet again.
    """
    letter = params_of(kind, params)
    base = public_url.rstrip("/")
    values = {
        "letter": letter,
        "name": one_line(recipient.name),
        "subject": letter.subject,
        "action_url": base + letter.path,
        "base_url": base,
    }
    templates = _templates(kind)
    return Letter(
        subject=letter.subject,
        html=templates.html.render(values),
        text=templates.text.render(values),
    )


def prepare_letters() -> None:
    """Compile every letter now, so that a process that cannot write one does not start."""
    for kind in LETTERS:
        _templates(kind)


def params_of(kind: str, params: Mapping[str, object]) -> LetterParams:
    """The params of a letter, checked. Raises UnknownLetter and BadLetterParams."""
    if kind not in LETTERS:
        raise UnknownLetter(f"There is no letter {one_line(kind)!r}.")
    try:
        return LETTERS[kind].model_validate(params)
    except ValidationError as exc:
        errors = [
            FieldError("".join(f"/{part}" for part in ("params", *error["loc"])), error["type"], error["msg"])
            for error in exc.errors(include_input=False, include_url=False)
        ]
        fields = ", ".join(error.pointer for error in errors)
        raise BadLetterParams(f"What letter {kind!r} is about does not fit at {fields}.", errors=errors) from exc


@dataclass(frozen=True, slots=True)
class _Templates:
    html: Template
    text: Template


@cache
def _templates(kind: str) -> _Templates:
    """The two templates of a letter, the HTML one compiled from MJML (about 15 ms, once per kind)."""
    loader = FileSystemLoader(TEMPLATES)
    layouts = Environment(  # fills the layout only, with our own files: nothing to escape yet
        loader=loader,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
    )
    mjml = layouts.get_template(f"{kind}.mjml.jinja").render()
    html = mjml2html(mjml, fonts={})  # MJML's own table would load Roboto from the web when a letter is read
    pages = Environment(autoescape=True, undefined=StrictUndefined)
    texts = Environment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - plain text has nothing to escape; `Line` and `Note` keep lines ours
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return _Templates(html=pages.from_string(html), text=texts.get_template(f"{kind}.txt.jinja"))


def _reason(reason: RejectionReason) -> str:
    """A reason in one line: what is wrong and, as the more telling half, what the reviewer says of it."""
    return f"{reason.explanation.what}: {one_line(reason.note)}" if reason.note else reason.explanation.what


def _short(text: str) -> str:
    """`text`, cut at a length a subject line can show."""
    return text if len(text) <= SUBJECT_TITLE_CHARS else text[: SUBJECT_TITLE_CHARS - 1].rstrip() + "…"
