"""How `catalog_quality` is shown."""

from decimal import Decimal

from services.reporting.document import Cell, Chart, KeyFigure, Series, Table, counted, share
from services.reporting.models import SHORT_CHARS, CatalogQuality


def quality_key_figures(figures: CatalogQuality) -> list[KeyFigure]:
    """How many products, and how many of them lack something."""
    return [
        KeyFigure("Products", f"{figures.products:,}", "pending, approved or rejected"),
        KeyFigure(
            "Without a picture", f"{figures.without_picture:,}", share(figures.without_picture, figures.products)
        ),
        KeyFigure(
            "Short description",
            f"{figures.short_description:,}",
            f"below {SHORT_CHARS} characters, {share(figures.short_description, figures.products)}",
        ),
    ]


def quality_charts(figures: CatalogQuality) -> list[Chart]:
    """Why products were rejected."""
    return [
        Chart(
            title="Reasons of rejections",
            description=", ".join(f"{_read(reason.code)} {reason.count:,}" for reason in figures.reasons) or "None.",
            kind="bars",
            labels=tuple(_read(reason.code) for reason in figures.reasons),
            series=(Series("Rejections", tuple(Decimal(reason.count) for reason in figures.reasons)),),
            axis="Reason",
        ),
        _lacks(figures),
    ]


def _lacks(figures: CatalogQuality) -> Chart:
    lacks = [
        ("No picture", figures.without_picture),
        (f"Description below {SHORT_CHARS} characters", figures.short_description),
    ]
    lacks.sort(key=lambda lack: -lack[1])
    return Chart(
        title="What products lack",
        description=f"{figures.without_picture:,} of {figures.products:,} products have no picture, "
        f"{figures.short_description:,} a short description.",
        kind="bars",
        labels=tuple(lack for lack, _ in lacks),
        series=(Series("Products", tuple(Decimal(count) for _, count in lacks)),),
        axis="Lack",
    )


def quality_notes(figures: CatalogQuality) -> list[str]:
    """What to do."""
    notes = []
    if figures.without_picture:
        notes.append(
            f"{counted(figures.without_picture, 'product')} without a picture: add one, it is looked at first."
        )
    if figures.short_description:
        notes.append(
            f"{counted(figures.short_description, 'description')} below {SHORT_CHARS} characters: say what it is made "
            "of, how large it is and what it is for."
        )
    if figures.reasons:
        first = figures.reasons[0]
        notes.append(f"Most rejections were for “{_read(first.code).lower()}” ({first.count:,}).")
    return notes


def quality_tables(figures: CatalogQuality) -> list[Table]:
    """The products to look at first, and the reasons."""
    poor = Table(
        "Products to look at first",
        ("Product", "Vendor", "Product id", "Pictures", "Characters of description"),
        tuple(
            (each.title, each.vendor_name, str(each.product_id), _known(each.pictures), _known(each.description_chars))
            for each in figures.poor
        ),
        unseen=frozenset({"Product id"}),
    )
    reasons = Table(
        "Reasons of rejections",
        ("Reason", "Rejections"),
        tuple((_read(reason.code), reason.count) for reason in figures.reasons),
        is_charted=True,
    )
    return [poor, reasons]


def _read(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _known(count: int | None) -> Cell:
    return "-" if count is None else count
