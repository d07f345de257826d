"""The mails whose every byte is kept under `tests/golden/mails`, and the command that writes them anew.

`python -m tests.golden.kept_mails` after a letter was changed on purpose; read the difference before it is committed.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

from services.notifier.letters import Letter, letter_for
from services.notifier.mime import message_for
from services.notifier.models import Contact

FOLDER = Path(__file__).parent / "mails"
JOB = UUID("0193b3c0-5a00-7000-8000-000000000001")
PRODUCT = "0193b3c0-5a00-7000-8000-0000000000a1"
ADMIN = Contact(UUID("0193b3c0-5a00-7000-8000-0000000000b1"), "admin@example.com", "Admin")
VENDOR = Contact(UUID("0193b3c0-5a00-7000-8000-0000000000b2"), "vendor@example.com", "Łucja Nowak")
SENDER = Address("Souk marketplace", "souk", "example.com")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PUBLIC_URL = "https://souk.example.com/"

SUBMITTED: dict[str, object] = {
    "product_id": PRODUCT,
    "title": "Hand-thrown stoneware bowl, 24 cm",
    "sku": "BOWL-24-BLUE",
    "vendor_name": "Atelier Nord",
    "price_minor": 4900,
    "currency": "EUR",
}
CASES: dict[str, tuple[str, dict[str, object], Contact]] = {
    "product_submitted": ("product_submitted", SUBMITTED, ADMIN),
    "product_resubmitted": ("product_submitted", {**SUBMITTED, "round": 2}, ADMIN),
    "change_submitted": ("product_submitted", {**SUBMITTED, "round": 2, "is_change": True}, ADMIN),
    "change_approved": (
        "product_approved",
        {"product_id": PRODUCT, "title": SUBMITTED["title"], "slug": "hand-thrown-stoneware-bowl", "is_change": True},
        VENDOR,
    ),
    "change_rejected": (
        "product_rejected",
        {
            "product_id": PRODUCT,
            "title": SUBMITTED["title"],
            "reasons": [{"code": "title", "note": "Please name the maker."}],
            "is_change": True,
        },
        VENDOR,
    ),
    "product_approved": (
        "product_approved",
        {"product_id": PRODUCT, "title": SUBMITTED["title"], "slug": "hand-thrown-stoneware-bowl"},
        VENDOR,
    ),
    "product_rejected": (
        "product_rejected",
        {
            "product_id": PRODUCT,
            "title": SUBMITTED["title"],
            "reasons": [
                {"code": "images", "note": "The second picture is blurred.\nPlease show the foot of the bowl, too."},
                {"code": "incomplete", "note": ""},
                {"code": "food_safety", "note": "Is the glaze free of lead?"},
            ],
        },
        VENDOR,
    ),
    "product_suspended": (
        "product_suspended",
        {"product_id": PRODUCT, "title": SUBMITTED["title"], "note": "Two buyers report cracks. Please check the lot."},
        VENDOR,
    ),
    "product_reinstated": ("product_reinstated", {"product_id": PRODUCT, "title": SUBMITTED["title"]}, VENDOR),
    "stock_low": (
        "stock_low",
        {
            "products": [
                {
                    "product_id": PRODUCT,
                    "sku": "BOWL-24-BLUE",
                    "title": SUBMITTED["title"],
                    "on_hand": 3,
                    "threshold": 5,
                },
                {
                    "product_id": "0193b3c0-5a00-7000-8000-0000000000a2",
                    "sku": "MUG-03",
                    "title": "Mug with a handle for left-handed people",
                    "on_hand": 0,
                    "threshold": 10,
                },
                {
                    "product_id": "0193b3c0-5a00-7000-8000-0000000000a3",
                    "sku": "PLATE-28-SAND",
                    "title": "Dinner plate, sand",
                    "on_hand": 12,
                    "threshold": 12,
                },
            ]
        },
        VENDOR,
    ),
    "sync_failing": (
        "sync_failing",
        {
            "source_id": "0193b3c0-5a00-7000-8000-0000000000c1",
            "name": "Warehouse in Gdańsk",
            "failures": 3,
            "problem": "The other side answered 503.",
        },
        VENDOR,
    ),
    "report_ready": (
        "report_ready",
        {
            "report_id": "0193b3c0-5a00-7000-8000-0000000000d1",
            "report_type": "daily_sales",
            "period_from": "2026-01-01",
            "period_to": "2026-01-01",
            "link": "/r/0193b3c0-5a00-7000-8000-0000000000d1/77d1e-0123456789abcdef0123456789abcdef",
            "figures": [
                {"label": "Net sales", "value": "1,224.56 EUR, 900 JPY", "note": "gross 1,234.56 EUR, 900 JPY"},
                {"label": "Orders", "value": "31", "note": "2 cancelled"},
                {"label": "Units", "value": "58"},
            ],
            "notes": [{"text": "Most orders came between 20:00 and 21:00: 9 of 31."}],
            "charts": [{"label": "Top products", "value": "Stoneware mug, oat glaze 12, Bud vase 7"}],
        },
        VENDOR,
    ),
    "hostile": (
        "product_rejected",
        {
            "product_id": PRODUCT,
            "title": '<script>alert(1)</script>\r\nBcc: victim@example.com\u2028{{ 7*7 }} "Käse" & \u202egnp.exe',
            "reasons": [
                {"code": "<b>rude</b>", "note": "</div><img src=x onerror=alert(1)>\r\n-- \r\n\u2029Subject: x"}
            ],
        },
        Contact(VENDOR.account_id, VENDOR.email, "Eve\r\nBcc: victim@example.com\x00 <eve@example.com>"),
    ),
}


def letter_of(case: str) -> Letter:
    """The letter of one case."""
    kind, params, recipient = CASES[case]
    return letter_for(kind, params, recipient=recipient, public_url=PUBLIC_URL)


def message_of(case: str) -> EmailMessage:
    """The message of one case, with a fixed time and a fixed boundary between its parts."""
    message = message_for(letter_of(case), CASES[case][2], sender=SENDER, job_id=JOB, at=AT)
    message.set_boundary("=-souk-golden")
    return message


def files() -> Iterator[tuple[Path, bytes]]:
    """Every golden file with what it should hold."""
    for case in CASES:
        letter = letter_of(case)
        yield FOLDER / f"{case}.html", letter.html.encode()
        yield FOLDER / f"{case}.txt", letter.text.encode()
        yield FOLDER / f"{case}.eml", message_of(case).as_bytes()


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for path, content in files():
        path.write_bytes(content)


if __name__ == "__main__":
    main()
