"""Who is behind an audience: accounts are the catalog's, so they are asked for when a letter is sent."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import aiohttp
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from yarl import URL

from services.notifier.errors import CatalogDown, ContactsUnavailable
from services.notifier.models import Contact
from shared import tracing
from shared.ids import new_id
from shared.web.identity import HEADER, NOBODY, Identity, Role, sign
from shared.web.requests import REQUEST_ID_HEADER

CALL_SECONDS: Final = 5.0
MAX_AUDIENCES: Final = 1000


class Contacts(Protocol):
    """People to write to. Raises Unavailable when they cannot be looked up now."""

    async def admins(self) -> Sequence[Contact]: ...

    async def vendor(self, vendor_id: UUID) -> Sequence[Contact]: ...


class CatalogContacts:
    """The catalog's people, kept for `keep_seconds` and forgotten when one of them changes.

    `account.changed` reaches one of several notifiers; in the others an old address lives for `keep_seconds`.
    An audience without people is never kept: somebody adds a person and retries the job.
    `clock` is in seconds and only rises.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        catalog_url: str,
        key: str,
        keep_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._url = URL(catalog_url) / "internal" / "contacts"
        self._key = key
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._kept: OrderedDict[UUID | None, _Kept] = OrderedDict()
        self._changes = 0

    async def admins(self) -> Sequence[Contact]:
        """The marketplace's admins. Raises ContactsUnavailable."""
        return await self._people(None)

    async def vendor(self, vendor_id: UUID) -> Sequence[Contact]:
        """The people of a vendor. Raises ContactsUnavailable."""
        return await self._people(vendor_id)

    def forget(self, account_id: UUID, version: int) -> None:
        """An account is now at `version`: drop every audience that does not hold it at that version or a later one.

        An audience without the account is dropped, too: it may have just joined. Safe to call twice and late.
        """
        self._changes += 1
        for audience, kept in list(self._kept.items()):
            if not any(person.account_id == account_id and person.version >= version for person in kept.people):
                del self._kept[audience]

    async def _people(self, vendor_id: UUID | None) -> Sequence[Contact]:
        kept = self._kept.get(vendor_id)
        if kept is not None and self._clock() < kept.until:
            self._kept.move_to_end(vendor_id)
            return kept.people
        changes = self._changes
        people = await self._ask(vendor_id)
        # What was asked before a change may be of before it: good for this letter, not for the next.
        if people and changes == self._changes:
            self._kept[vendor_id] = _Kept(people, self._clock() + self._keep_seconds)
            self._kept.move_to_end(vendor_id)
            while len(self._kept) > MAX_AUDIENCES:
                self._kept.popitem(last=False)
        return people

    async def _ask(self, vendor_id: UUID | None) -> tuple[Contact, ...]:
        """One call of the catalog. Every failure is temporary: an outage ends, a wrong key is put right."""
        url = self._url.with_query({"audience": "admins"} if vendor_id is None else {"vendor_id": str(vendor_id)})
        request_id = str(new_id())
        identity = sign(
            Identity(NOBODY, Role.SERVICE),
            service="catalog",
            key=self._key,
            method="GET",
            path=url.path,
            request_id=request_id,
        )
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                self._session.get(
                    url,
                    headers={HEADER: identity, REQUEST_ID_HEADER: request_id, **tracing.request_headers()},
                    allow_redirects=False,
                ) as answer,
            ):
                if answer.status != 200:
                    raise ContactsUnavailable(f"The catalog answered {answer.status} (request {request_id}).")
                found = _Answer.model_validate_json(await answer.read())
        except TimeoutError as exc:
            raise ContactsUnavailable(f"The catalog did not answer within {CALL_SECONDS:g} s.") from exc
        except aiohttp.ClientConnectorError as exc:
            raise CatalogDown(f"The catalog cannot be reached ({type(exc).__name__}).") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise ContactsUnavailable(f"The catalog cannot be reached ({type(exc).__name__}).") from exc
        except ValidationError as exc:
            raise ContactsUnavailable(f"The catalog answered something else (request {request_id}).") from exc
        return tuple(Contact(item.account_id, item.email, item.name, item.version) for item in found.items)


@dataclass(frozen=True, slots=True)
class _Kept:
    people: tuple[Contact, ...]
    until: float


class _Person(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    account_id: UUID
    email: str
    name: str
    version: PositiveInt


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    items: tuple[_Person, ...]
