"""The story: a product from its submission to its sale. Each step checks what it sees; the first that fails ends it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from deploy.local.demo.people import DemoFailed, Person
from deploy.local.demo.timeline import Timeline
from deploy.local.pictures import photo
from deploy.local.run_file import RunFile

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
PICTURES = 2


class Story:
    """Everybody in it, and what they know so far."""

    def __init__(self, run: RunFile, http: aiohttp.ClientSession, timeline: Timeline) -> None:
        accounts = run.accounts
        self._run = run
        self._http = http
        self._show = timeline
        self._begun_at = datetime.now(UTC)
        self._vendor = Person("vendor", http, run.gateway, timeline, key=accounts.vendors[0].api_key)
        self._admin = Person("admin", http, run.gateway, timeline, key=accounts.admin.api_key)
        self._channel = Person("channel", http, run.gateway, timeline, key=accounts.channel.api_key)
        self._visitor = Person("visitor", http, run.gateway, timeline)
        self._product: dict[str, Any] = {}
        self._sku = f"BOWL-{self._begun_at:%y%m%d-%H%M%S}"

    async def tell(self) -> None:
        """All of it. Raises `DemoFailed` at the first step that does not hold."""
        self._show.chapter("A vendor submits a product with two pictures; the answer comes at once")
        await self._submit()
        self._show.chapter("Behind it: the admin's mail, the pictures")
        await self._mail_to(self._run.accounts.admin.email)
        await self._pictures()
        self._show.chapter("An admin approves; the vendor is told; everybody sees it")
        await self._approve()
        await self._mail_to(self._run.accounts.vendors[0].email)
        await self._see_it()
        self._show.chapter("A channel sells; the scheduler's tick finds the low stock; a report counts the order")
        await self._sell()
        await self._tick()
        await self._report()
        self._show.chapter("Every job behind it")
        await self._jobs()
        self._show.chapter("What each process did")
        await self._processes()

    async def _submit(self) -> None:
        offer = {
            "sku": self._sku,
            "title": "Hand-turned walnut bowl",
            "description": "Turned from one piece of walnut, oiled, 24 cm across.",
            "price": {"amount_minor": 4900, "currency": "EUR"},
            "category": await self._some_category(),
            "on_hand": 6,
        }
        self._product = await self._vendor.post("/api/vendor/products", offer, expect=201)
        for seed in range(1, PICTURES + 1):
            form = aiohttp.FormData()
            form.add_field("file", photo(seed), filename=f"bowl-{seed}.jpg", content_type="image/jpeg")
            form.add_field("alt", f"The bowl, picture {seed}")
            await self._vendor.post(f"/api/vendor/products/{self._id}/images", form=form, expect=201)

    async def _pictures(self) -> None:
        async def ready() -> list[dict[str, Any]] | None:
            product = await self._vendor.get(f"/api/vendor/products/{self._id}", quiet=True)
            images: list[dict[str, Any]] = product["images"]
            if any(image["status"] == "failed" for image in images):
                raise DemoFailed(f"a picture failed: {images}")
            return images if len(images) == PICTURES and all(i["status"] == "ready" for i in images) else None

        for image in await self._until("the pictures are ready", ready):
            for rendition in image["renditions"]:
                self._show.rendition(rendition)

    async def _approve(self) -> None:
        waiting = await self._admin.get("/api/admin/products?status=pending")
        if self._id not in {product["id"] for product in waiting["items"]}:
            raise DemoFailed("the product is not in the admin's list of pending ones")
        decision = {"product_id": self._id, "action": "approve", "reasons": []}
        await self._admin.post("/api/admin/approve-product", decision)

    async def _see_it(self) -> None:
        product = await self._visitor.get(f"/api/products/{self._id}")
        page = next(each for each in product["images"][0]["renditions"] if each["preset"] == "page")
        path = page["url"].removeprefix(self._run.gateway)
        content_type, size = await self._visitor.fetch(path)
        if size != page["bytes"]:
            raise DemoFailed(f"{path} has {size} bytes, the catalogue says {page['bytes']}")
        self._show.fact("visitor", f"sees “{product['title']}” with a picture of {size / 1000:.1f} kB ({content_type})")

    async def _sell(self) -> None:
        await self._vendor.put(f"/api/vendor/inventory/{self._id}/threshold", {"threshold": 5})
        order = {
            "external_id": f"shop-{self._sku}",
            "lines": [
                {
                    "product_id": self._id,
                    "quantity": 4,
                    "unit_price": {"amount_minor": 4900, "currency": "EUR"},
                }
            ],
        }
        await self._channel.post("/api/orders", order, expect=201)

    async def _tick(self) -> None:
        tick = await self._admin.post("/api/admin/schedules/check-low-stock/run", expect=202)

        async def job() -> dict[str, Any] | None:
            found = await self._admin.get(f"/api/admin/jobs/list?cause={tick['event']}", quiet=True)
            return next((each for each in found["items"] if each["state"] == "completed"), None)

        done = await self._until("the tick's job is done", job)
        self._show.fact("schedule", f"check-low-stock ticked; its job found {_words(done['result'])}")
        await self._mail_to(self._run.accounts.vendors[0].email, about="Low stock")

    async def _report(self) -> None:
        """Ask until the report counts the order: its event and the request travel apart, and either may be first."""
        today = datetime.now(UTC).date().isoformat()
        wanted = {"type": "daily_sales", "period": {"from": today, "to": today}}

        async def counted() -> dict[str, Any] | None:
            asked = await self._vendor.post("/api/vendor/reports", wanted, expect={200, 201})
            report = await self._until("the report is ready", lambda: self._ready_report(asked))
            sold = {product["product_id"] for product in report["figures"]["top_products"]}
            return report if self._id in sold else None

        report = await self._until("the report counts the order", counted)
        totals = report["figures"]["totals"]
        gross = ", ".join(f"{money['amount_minor'] / 100:.2f} {money['currency']}" for money in totals["gross"])
        self._show.fact(
            "report", f"daily_sales of {today}: {totals['orders']} orders, {totals['units']} units, {gross}"
        )

    async def _ready_report(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        report: dict[str, Any] = await self._vendor.get(f"/api/vendor/reports/{asked['id']}", quiet=True)
        return report if report["state"] == "ready" and report["round"] >= asked["round"] else None

    async def _jobs(self) -> None:
        async def settled() -> list[dict[str, Any]] | None:
            page = await self._admin.get("/api/admin/jobs/list?limit=100", quiet=True)
            ours = [job for job in page["items"] if datetime.fromisoformat(job["created_at"]) >= self._begun_at]
            return ours if ours and all(job["finished_at"] for job in ours) else None

        jobs = await self._until("every job is finished", settled)
        self._show.jobs(sorted(jobs, key=lambda job: job["created_at"]))
        unfinished = [job for job in jobs if job["state"] != "completed"]
        if unfinished:
            raise DemoFailed(f"{len(unfinished)} jobs did not complete, the first: {unfinished[0]}")
        stats = (await self._admin.get("/api/admin/jobs?action=stats"))["stats"]
        self._show.fact("ledger", _words(stats))

    async def _processes(self) -> None:
        rows = []
        for process in self._run.processes:
            did = await self._what_it_did(process.name, process.ops_url)
            rows.append((process.name, process.pid or 0, did))
        self._show.processes(rows)

    async def _what_it_did(self, name: str, ops_url: str) -> str:
        """A figure of the process's own, read from its metrics: nothing is said here that it did not count itself."""
        async with self._http.get(f"{ops_url}/metrics") as response:
            metrics = _parsed(await response.text())
        for metric, sentence in _DEEDS[name]:
            count = sum(value for key, value in metrics.items() if key.startswith(metric))
            if count:
                return sentence.format(round(count))
        raise DemoFailed(f"{name} has done nothing: none of {[metric for metric, _ in _DEEDS[name]]} is counted")

    # -- waiting ------------------------------------------------------------------------------------------

    async def _mail_to(self, address: str, *, about: str = "bowl") -> None:
        async def arrived() -> Mapping[str, Any] | None:
            async with self._http.get(f"{self._run.mailbox}/api/messages") as response:
                mails: Sequence[Mapping[str, Any]] = (await response.json())["items"]
            return next((mail for mail in mails if _is_to(mail, address, about, since=self._begun_at)), None)

        self._show.mail(await self._until(f"a mail about “{about}” reaches {address}", arrived))

    async def _until(self, what: str, probe: Callable[[], Awaitable[T | None]]) -> T:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if (answer := await probe()) is not None:
                return answer
            await asyncio.sleep(0.05)
        raise DemoFailed(f"waited {PATIENCE_SECONDS:g} s in vain until {what}")

    async def _some_category(self) -> str:
        categories = await self._visitor.get("/api/categories", quiet=True)
        return str(categories["items"][0]["slug"])

    @property
    def _id(self) -> str:
        return str(self._product["id"])


_DEEDS: Mapping[str, Sequence[tuple[str, str]]] = {
    "gateway": [("souk_http_request_seconds_count", "answered {} requests")],
    "relay": [("souk_outbox_relayed_total", "published {} of the catalog's events")],
    "catalog-worker": [("souk_job_attempts_total", "ran {} jobs, and put the renditions into the catalogue")],
    "jobs-api": [("souk_http_request_seconds_count", "answered {} questions about jobs")],
    "ledger": [("souk_jobs_dispatched_total", "made {} jobs of events, and recorded how they went")],
    "notifier": [("souk_job_attempts_total", "sent mails and notifications for {} jobs")],
    "imaging": [("souk_job_attempts_total", "rendered {} pictures")],
    "reporting": [("souk_job_attempts_total", "built {} reports")],
    "scheduler": [("souk_outbox_relayed_total", "emitted {} ticks")],
}


def _parsed(metrics: str) -> dict[str, float]:
    lines = (line for line in metrics.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _is_to(mail: Mapping[str, Any], address: str, about: str, *, since: datetime) -> bool:
    return (
        address in str(mail["to"])
        and about in str(mail["subject"])
        and datetime.fromisoformat(mail["received_at"]) >= since
    )


def _words(figures: Mapping[str, Any]) -> str:
    shown = (
        (name, value)
        for name, value in figures.items()
        if isinstance(value, int | float | str) and value not in ("", 0)
    )
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in shown) or "nothing"
