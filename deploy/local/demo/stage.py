"""What the chapters share: the people, the running stack, and waiting for what comes by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from deploy.local.demo.people import DemoFailed, Person
from deploy.local.demo.timeline import Timeline
from deploy.local.run_file import RunFile

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
SKU_PREFIX = "BOWL-"
"""Of the product that the story is about: a new one each time, and the last one is put away first."""


class Stage:
    """Everybody in the story, and what they know so far."""

    def __init__(
        self, run: RunFile, http: aiohttp.ClientSession, show: Timeline, paintings: Path, *, depot_port: int
    ) -> None:
        """`depot_port` is where a shop's own system answers: the one on this machine that the worker may ask."""
        accounts = run.accounts
        self.run = run
        self.http = http
        self.show = show
        self.paintings = paintings
        self.depot_port = depot_port
        self.vendors = tuple(
            self._person(f"vendor {number}", vendor.api_key, vendor.email)
            for number, vendor in enumerate(accounts.vendors, 1)
        )
        self.vendor = self.vendors[0]
        self.admin = self._person("admin", accounts.admin.api_key, accounts.admin.email)
        self.ops = self._person("operator", accounts.ops.api_key, accounts.ops.email)
        self.channel = self._person("channel", accounts.channel.api_key)
        self.visitor = self._person("visitor")
        self.begun_at = datetime.now(UTC)
        """Set again once the catalogue is there: what is older belongs to no chapter."""
        self.seeded: Mapping[str, Mapping[str, Any]] = {}
        """The catalogue's products by sku."""
        self.product: dict[str, Any] = {}
        """The one that the story is about."""

    def _person(self, who: str, key: str = "", email: str = "") -> Person:
        return Person(who, self.http, self.run.gateway, self.show, key=key, email=email)

    @property
    def product_id(self) -> str:
        """The id of the product that the story is about."""
        return str(self.product["id"])

    async def until(
        self, what: str, probe: Callable[[], Awaitable[T | None]], *, seconds: float = PATIENCE_SECONDS
    ) -> T:
        """Ask `probe` until it has an answer. Raises DemoFailed, naming `what` was waited for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (answer := await probe()) is not None:
                return answer
            await asyncio.sleep(0.05)
        raise DemoFailed(f"waited {seconds:g} s in vain until {what}")

    async def mail_to(self, person: Person, *, about: str) -> Mapping[str, Any]:
        """The mail of this story to a person with `about` in its subject, once it is there; it is shown."""

        async def arrived() -> Mapping[str, Any] | None:
            return await self.find_mail(person, about=about)

        mail = await self.until(f"a mail about “{about}” reaches {person.email}", arrived)
        self.show.mail(mail)
        return mail

    async def find_mail(self, person: Person, *, about: str) -> Mapping[str, Any] | None:
        """The same if it is there already; nothing is shown."""
        return next(iter(await self._mails(person, about)), None)

    async def count_mails(self, person: Person, *, about: str) -> int:
        """How many of those there are."""
        return len(await self._mails(person, about))

    async def _mails(self, person: Person, about: str) -> Sequence[Mapping[str, Any]]:
        query = {"q": about, "limit": "20"}
        async with self.http.get(f"{self.run.mailbox}/api/messages", params=query) as response:
            mails: Sequence[Mapping[str, Any]] = (await response.json())["items"]
        return [mail for mail in mails if self._is_to(mail, person.email, about)]

    def _is_to(self, mail: Mapping[str, Any], address: str, about: str) -> bool:
        return (
            address in mail["to"]
            and about in str(mail["subject"])
            and datetime.fromisoformat(mail["received_at"]) >= self.begun_at
        )


def check(holds: bool, otherwise: str) -> None:
    """Raises DemoFailed with the sentence `otherwise`."""
    if not holds:
        raise DemoFailed(otherwise)


def words(figures: Mapping[str, Any]) -> str:
    """Figures as a list for people, zeros left out."""
    shown = (
        (name, value)
        for name, value in figures.items()
        if isinstance(value, int | float | str) and value not in ("", 0)
    )
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in shown) or "nothing"
