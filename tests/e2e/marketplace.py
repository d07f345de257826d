"""A running stack as people and machines see it: HTTP with keys, the mailbox, the processes and their pids."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from deploy.local.home import Home
from deploy.local.pictures import photo
from deploy.local.run_file import RunFile, RunningProcess
from deploy.local.settings import CLONE
from tests import factories
from tests.eventually import eventually

JSON = dict[str, Any]

RETRY_TIERS = "1s,2s,4s"
PATIENCE_SECONDS = 45.0
STATES = ("scheduled", "pending", "processing", "retrying", "completed", "failed", "cancelled")
SMALL = (400, 300)
BUSY = {409, 502, 503, 504}
"""What a sender is to send again after: the first copy is still in hand, or something behind is away."""


class Stack:
    """One stack under a home of its own, started and stopped by the `souk` command."""

    def __init__(self, folder: Path, *, collector: str = "") -> None:
        self.home = Home(folder)
        self._collector = collector

    @property
    def run(self) -> RunFile:
        """What `run.json` says now."""
        run = RunFile.read(self.home.run_file)
        assert run is not None, "no run.json: the stack is down"
        return run

    def process(self, name: str) -> RunningProcess:
        """One of the nine as it is now."""
        return next(each for each in self.run.processes if each.name == name)

    def souk(self, *arguments: str, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the `souk` command for this stack."""
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env={"PATH": os.environ["PATH"], **self.environment},  # noqa: TID251 - passed on
            cwd=CLONE,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def lines(self) -> Iterator[tuple[str, str]]:
        """Every log line so far, with the name of the process that wrote it."""
        for file in sorted(self.home.logs.glob("*.log*")):
            yield from ((file.name.partition(".")[0], line) for line in file.read_text().splitlines())

    @property
    def environment(self) -> dict[str, str]:
        """What makes the command speak of this stack."""
        return {
            "SOUK_HOME": str(self.home.folder),
            "SOUK_RETRY_TIERS": RETRY_TIERS,
            "SOUK_OTLP_ENDPOINT": self._collector,
        }

    def server_pid(self, name: str) -> int:
        """The pid of a server that the stack keeps: `postgres` or `rabbitmq`."""
        file = {"postgres": "postgres/data/postmaster.pid", "rabbitmq": "rabbitmq/node.pid"}[name]
        return int((self.home.folder / file).read_text().split()[0])

    def kill(self, name: str) -> int:
        """SIGKILL one of the nine; the pid that it had."""
        pid = self.process(name).pid
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextmanager
    def held(self, pid: int | None) -> Iterator[None]:
        """Keep a process from running while the block does, so that work gathers before it."""
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def living(folder: Path) -> list[str]:
    """Every process that has to do with this folder: by command line, environment or working directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parts = [(entry / name).read_bytes().replace(b"\0", b" ").decode(errors="replace") for name in _TOLD_BY]
            said = f"{entry.name} {' '.join(parts)} {(entry / 'cwd').readlink()}"
        except OSError:  # it ended just now
            continue
        if str(folder) in said and int(entry.name) != os.getpid():
            found.append(said[:300])
    return found


_TOLD_BY = ("cmdline", "environ")


class Shop:
    """What a vendor, an admin and a look into the mailbox can do on the running stack."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        """Remember who is who: accounts and the gateway's address stay the same while a stack runs."""
        run = stack.run
        self.stack = stack
        self.http = http
        self.gateway = run.gateway
        self._keys: Mapping[str, str] = {
            "vendor": run.accounts.vendors[0].api_key,
            "other vendor": run.accounts.vendors[1].api_key,
            "admin": run.accounts.admin.api_key,
            "ops": run.accounts.ops.api_key,
            "channel": run.accounts.channel.api_key,
        }

    def as_(self, who: str) -> dict[str, str]:
        """The header that says who asks."""
        return {"Authorization": f"Bearer {self._keys[who]}"}

    async def get(self, who: str, path: str) -> JSON:
        """GET JSON. An answer other than 200 is an AssertionError: "not yet" for `eventually`."""
        try:
            async with self.http.get(f"{self.gateway}{path}", headers=self.as_(who)) as answer:
                body = await answer.json(content_type=None)
                assert answer.status == 200, f"GET {path}: {answer.status} {body}"
        except (aiohttp.ClientError, TimeoutError) as away:
            raise AssertionError(f"GET {path}: {away!r}") from away
        assert isinstance(body, dict)
        return body

    async def post_once(self, who: str, path: str, *, json: JSON | None = None, picture: bytes | None = None) -> JSON:
        """POST with an Idempotency-Key, again and again until it is taken, as a careful client does."""
        headers = {**self.as_(who), "Idempotency-Key": str(uuid.uuid4())}

        async def taken() -> JSON:
            try:
                form = None if picture is None else _form(picture)
                async with self.http.post(f"{self.gateway}{path}", headers=headers, json=json, data=form) as answer:
                    body = await answer.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError) as away:
                raise AssertionError(repr(away)) from away
            if answer.status in BUSY:
                assert answer.content_type == "application/problem+json", body
                raise AssertionError(f"{answer.status} {body}")
            # An error that is not one of those is no "not yet".
            if answer.status not in (200, 201, 202):
                raise RuntimeError(f"POST {path}: {answer.status} {body}")
            assert isinstance(body, dict)
            return body

        return await eventually(taken, PATIENCE_SECONDS, every=0.1)

    async def submit(self, *, pictures: Sequence[bytes] = ()) -> JSON:
        """Offer a product under a title of its own, then add its pictures; the product as first answered."""
        mark = uuid.uuid4().hex[:12]
        offer = factories.offer(sku=f"SKU-{mark}", title=f"Chair {mark}")
        product = await self.post_once("vendor", "/api/vendor/products", json=offer)
        for picture in pictures:
            await self.post_once("vendor", f"/api/vendor/products/{product['id']}/images", picture=picture)
        return product

    async def mails_about(self, text: str) -> list[JSON]:
        """What the mail sink holds with this in its subject."""
        params = {"q": text, "limit": "1000"}
        async with self.http.get(f"{self.stack.run.mailbox}/api/messages", params=params) as answer:
            mails: list[JSON] = (await answer.json())["items"]
        return mails

    async def jobs_of(self, product_id: str) -> list[JSON]:
        """Every job that speaks of a product, newest first."""
        found: list[JSON] = []
        path = "/api/admin/jobs/list?limit=100"
        page = await self.get("admin", path)
        while True:
            found += page["items"]
            if page["next"] is None:
                break
            page = await self.get("admin", f"{path}&cursor={page['next']}")
        return [job for job in found if product_id in (job["payload"].get("product_id"), _params(job))]

    async def settled(self, product: JSON, *, pictures: int = 1) -> list[JSON]:
        """Wait until everything behind a product is done; its jobs."""

        async def done() -> list[JSON]:
            shown = await self.get("vendor", f"/api/vendor/products/{product['id']}")
            assert [image["status"] for image in shown["images"]] == ["ready"] * pictures
            jobs = await self.jobs_of(product["id"])
            assert sorted(job["type"] for job in jobs) == [
                *["process-image"] * pictures,
                "send-email",
                "send-notification",
            ]
            assert {job["state"] for job in jobs} == {"completed"}, _brief(jobs)
            return jobs

        jobs = await eventually(done, PATIENCE_SECONDS, every=0.1)
        mails = await self.mails_about(product["title"])
        assert {mail["to"][0] for mail in mails} == {self.stack.run.accounts.admin.email}
        assert len(mails) == 1, f"{len(mails)} copies of {mails[0]['subject']}"
        return jobs

    async def stats(self) -> dict[str, int]:
        """The ledger's figures."""
        return dict((await self.get("admin", "/api/admin/jobs?action=stats"))["stats"])

    async def nothing_open(self) -> dict[str, int]:
        """Wait until every job is final, and see that the figures add up to what the list holds."""

        async def done() -> dict[str, int]:
            stats = await self.stats()
            assert stats["total"] == sum(stats[state] for state in STATES), stats
            assert stats["completed"] + stats["failed"] + stats["cancelled"] == stats["total"], stats
            return stats

        return await eventually(done, PATIENCE_SECONDS, every=0.1)


def small_photo(seed: int) -> bytes:
    """A picture that costs little to render."""
    return photo(seed, *SMALL)


def _form(picture: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", picture, filename="picture.jpg", content_type="image/jpeg")
    form.add_field("alt", "A picture")
    return form


def _params(job: JSON) -> str | None:
    params = job["payload"].get("params") or {}
    return params.get("product_id")


def _brief(jobs: Sequence[JSON]) -> list[tuple[str, str, object]]:
    return [(job["type"], job["state"], job["error"]) for job in jobs if job["state"] != "completed"]
