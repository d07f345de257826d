"""Accounts and keys made at the console work as any other, and are on record."""

from datetime import UTC, datetime

import pytest

from services.catalog import audit
from services.catalog.accounts.attempts import Attempt
from services.catalog.accounts.console import Console, NewAccount, NoSuchAccount, NoSuchVendor
from services.catalog.accounts.errors import EmailTaken
from services.catalog.accounts.models import Origin, Scope
from services.catalog.accounts.passwords import open_passwords
from services.catalog.accounts.sessions import Sessions
from services.catalog.accounts.usecases import Callers
from shared.clock import utc_now
from shared.db.pool import Pool, connection
from shared.web.identity import Role

PASSWORD = "correct horse battery"
ADA = NewAccount(role=Role.ADMIN, name="Ada", email="ada@example.com", password=PASSWORD)


async def test_the_first_administrator_signs_in_and_is_on_record(pool: Pool) -> None:
    async with open_passwords() as passwords:
        account = await Console(pool=pool, passwords=passwords).add_account(ADA)
        sessions = Sessions(pool=pool, passwords=passwords, clock=utc_now)
        session = await sessions.sign_in(Attempt("ada@example.com", "here"), PASSWORD, origin=Origin("here", "tests"))
    assert (session.account.id, session.account.role) == (account.id, Role.ADMIN)
    async with connection(pool) as conn:
        [line] = await audit.entries(conn, limit=10, about=("account", str(account.id)))
    assert (line.action, line.role, line.account_id) == ("account.created", "service", None)


async def test_a_key_works_by_address_and_by_id(pool: Pool) -> None:
    async with open_passwords() as passwords:
        console = Console(pool=pool, passwords=passwords)
        await console.add_account(ADA)
        channel = await console.add_account(NewAccount(role=Role.CHANNEL, name="Shop"))
        _, read = await console.add_key("ADA@example.com", name="monitoring", scope=Scope.READ)
        _, orders = await console.add_key(
            str(channel.id), name="orders", scope=Scope.FULL, expires_at=datetime(2999, 1, 1, tzinfo=UTC)
        )
    callers = Callers(pool=pool, clock=utc_now)
    assert (await callers.by_api_key(f"Bearer {read}")).is_read_only
    assert (await callers.by_api_key(f"Bearer {orders}")).identity.role is Role.CHANNEL


async def test_what_cannot_be_is_refused(pool: Pool) -> None:
    async with open_passwords() as passwords:
        console = Console(pool=pool, passwords=passwords)
        await console.add_account(ADA)
        with pytest.raises(EmailTaken):
            await console.add_account(ADA)
        with pytest.raises(NoSuchVendor):
            await console.add_account(
                NewAccount(role=Role.VENDOR, name="V", email="v@example.com", password=PASSWORD, vendor_slug="none")
            )
        with pytest.raises(NoSuchAccount):
            await console.add_key("nobody@example.com", name="x", scope=Scope.FULL)
