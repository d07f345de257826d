"""A product is turned down with reasons, mended, submitted again and approved."""

from deploy.local.demo.people import DemoFailed
from deploy.local.demo.stage import Stage, check

NOTES = {
    "title": "Say which wood it is: buyers search for it.",
    "description": "How large is it, and is it oiled or lacquered?",
}
"""The reasons by code, each with the admin's note."""


async def reject(stage: Stage) -> None:
    """The vendor's mail explains each reason in the marketplace's words, with the admin's note."""
    waiting = await stage.admin.get("/api/admin/products?status=pending")
    check(
        stage.product_id in {product["id"] for product in waiting["items"]},
        "the product is not in the admin's list of pending ones",
    )
    decision = {
        "product_id": stage.product_id,
        "action": "reject",
        "reasons": [{"code": code, "note": note} for code, note in NOTES.items()],
    }
    await stage.admin.post("/api/admin/approve-product", decision)
    mail = await stage.mail_to(stage.vendor, about="Changes needed: Hand-turned bowl")
    texts = await stage.admin.get("/api/admin/rejection-reasons", quiet=True)
    meanings = {reason["code"]: reason["text"] for reason in texts["items"]}
    for expected in (*NOTES.values(), *(meanings[code] for code in NOTES), "How to resubmit"):
        check(expected in mail["text"], f"the mail about the rejection does not say “{expected}”")
    stage.show.quote(_between(mail["text"], "This is what to change:", "How to resubmit:"))
    await stage.visitor.get(f"/api/products/{stage.product_id}", expect=404)


async def resubmit(stage: Stage) -> None:
    """The vendor changes what was named, at the version it read, and the admin hears of it."""
    own = f"/api/vendor/products/{stage.product_id}"
    read = await stage.vendor.get(own)
    check(
        [reason["code"] for reason in read["reasons"]] == list(NOTES),
        f"the vendor reads the reasons {read['reasons']} instead of {list(NOTES)}",
    )
    mended = {
        "title": "Hand-turned walnut bowl",
        "description": "Turned from one piece of walnut and oiled. 24 cm across.",
    }
    await stage.vendor.patch(own, mended, version=read["version"])
    await stage.vendor.post(f"{own}/submit")
    await stage.mail_to(stage.admin, about="Resubmitted: Hand-turned walnut bowl")


async def approve(stage: Stage) -> None:
    """The vendor is told; everybody sees it, with a picture; the audit log has all of it."""
    await stage.admin.post("/api/admin/approve-product", {"product_id": stage.product_id, "action": "approve"})
    await stage.mail_to(stage.vendor, about="Approved: Hand-turned walnut bowl")
    product = await stage.visitor.get(f"/api/products/{stage.product_id}")
    page = next(each for each in product["images"][0]["renditions"] if each["preset"] == "page")
    path = page["url"].removeprefix(stage.run.gateway)
    content_type, size = await stage.visitor.fetch(path)
    check(size == page["bytes"], f"{path} has {size} bytes, the catalogue says {page['bytes']}")
    stage.show.fact("visitor", f"sees “{product['title']}” with a picture of {size / 1000:.1f} kB ({content_type})")
    await _audited(stage)


async def _audited(stage: Stage) -> None:
    log = await stage.admin.get(f"/api/admin/audit?kind=product&id={stage.product_id}&limit=100", quiet=True)
    actions = [entry["action"].removeprefix("product.") for entry in reversed(log["items"])]
    decided = [action for action in actions if action in {"submitted", "rejected", "changed", "approved"}]
    wanted = ["submitted", "rejected", "changed", "submitted", "approved"]
    check(decided == wanted, f"the audit log says {decided} instead of {wanted}")
    stage.show.fact("audit", " → ".join(decided))


def _between(text: str, begin: str, end: str) -> list[str]:
    """The lines of a mail from one sentence to another."""
    _, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise DemoFailed(f"the mail has no part from “{begin}” to “{end}”: {text}")
    return [line for line in rest.partition(end)[0].splitlines() if line.strip()]
