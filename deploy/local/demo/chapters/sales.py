"""An order, the low stock that it leaves, and the report that counts it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deploy.local.demo.stage import Stage, check, words


async def sell(stage: Stage) -> None:
    """The level falls below the vendor's threshold."""
    await stage.vendor.put(f"/api/vendor/inventory/{stage.product_id}/threshold", {"threshold": 5})
    order = {
        "external_id": f"shop-{stage.product['sku']}",
        "lines": [
            {
                "product_id": stage.product_id,
                "quantity": 4,
                "unit_price": {"amount_minor": 4900, "currency": "EUR"},
            }
        ],
    }
    await stage.channel.post("/api/orders", order, expect=201)


async def hear_of_it(stage: Stage) -> None:
    """The sale opened an alert and told the vendor; the scheduled job, run now, tells what is left. One mail in all.

    A vendor that was told in the last ten minutes, as by the demo before, hears of it with the job.
    """
    event = (await stage.admin.post("/api/admin/schedules/check-low-stock/run", expect=202))["event"]

    async def job() -> dict[str, Any] | None:
        found = await stage.admin.get(f"/api/admin/jobs/list?cause={event}", quiet=True)
        return next((each for each in found["items"] if each["state"] == "completed"), None)

    done = await stage.until("the tick's job is done", job)
    stage.show.fact("schedule", f"check-low-stock ticked; its job found {words(done['result'])}")
    mail = await stage.mail_to(stage.vendor, about="Low stock")
    lines = [line.strip() for line in str(mail["text"]).splitlines()]
    stage.show.quote([line for line in lines if line.startswith("* ") or ", alert at " in line])
    mails = await stage.count_mails(stage.vendor, about="Low stock")
    check(mails == 1, f"the vendor has {mails} mails of low stock instead of one")


async def report(stage: Stage) -> None:
    """Ask until the report counts the order: its event and the request travel apart, and either may be first."""
    today = datetime.now(UTC).date().isoformat()
    wanted = {"type": "daily_sales", "period": {"from": today, "to": today}}

    async def counted() -> dict[str, Any] | None:
        asked = await stage.vendor.post("/api/vendor/reports", wanted, expect={200, 201})
        made = await stage.until("the report is made", lambda: _made(stage, asked))
        if made["state"] == "failed":  # so far the day has no sales
            return None
        sold = {product["product_id"] for product in made["figures"]["top_products"]}
        return made if stage.product_id in sold else None

    counts = await stage.until("the report counts the order", counted)
    totals = counts["figures"]["totals"]
    gross = ", ".join(f"{money['amount_minor'] / 100:.2f} {money['currency']}" for money in totals["gross"])
    stage.show.fact("report", f"daily_sales of {today}: {totals['orders']} orders, {totals['units']} units, {gross}")


async def _made(stage: Stage, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = await stage.vendor.get(f"/api/vendor/reports/{asked['id']}", quiet=True)
    return found if found["state"] != "pending" and found["round"] >= asked["round"] else None
