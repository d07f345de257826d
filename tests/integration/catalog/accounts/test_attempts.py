"""Guessing passwords is slow, and the owner still gets in."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.catalog.accounts.attempts import WITH_A_NETWORK, WITH_AN_ACCOUNT, Attempt, Browsers, SignInSlowed
from services.catalog.accounts.models import Origin
from services.catalog.accounts.passwords import NOBODYS_HASH, Passwords, open_passwords
from services.catalog.accounts.sessions import Sessions
from services.catalog.errors import InvalidCredentials
from shared.clock import utc_now
from shared.db.pool import Pool
from tests.integration.catalog.accounts.browser import browser, sign_in
from tests.integration.catalog.conftest import QUICK_HASHER, Client, Gateway

HERE = Origin("here", "tests")
OWNER = "vendor1@example.com"
WAIT_IS_OVER = "UPDATE catalog.sign_in_failures SET waits_until = last_at"
WAIT_IS_LONG = "UPDATE catalog.sign_in_failures SET waits_until = now() + interval '15 minutes'"
SET_FAILURES = "UPDATE catalog.sign_in_failures SET failures = $1, waits_until = last_at"
LONGEST_WAIT = "SELECT round(max(extract(epoch FROM waits_until - last_at)))::int FROM catalog.sign_in_failures"


class CountedPasswords(Passwords):
    """Says how many were checked, and whether each was looked at as hard as any other."""

    checked: int = 0

    async def matches(self, stored: str | None, password: str) -> bool:
        self.checked += 1
        return await super().matches(stored, password)


@pytest.fixture
async def passwords() -> AsyncIterator[CountedPasswords]:
    async with open_passwords(QUICK_HASHER) as opened:
        yield CountedPasswords(opened._executor, QUICK_HASHER)


@pytest.fixture
def sessions(gateway: Gateway, passwords: CountedPasswords) -> Sessions:
    """The sign-in of another gateway on the same database."""
    return Sessions(pool=gateway.pool, passwords=passwords, clock=utc_now)


async def tried(sessions: Sessions, attempt: Attempt, password: str = "wrong") -> float:
    """Sign in; how long to wait, 0 for a wrong password, -1 for the right one."""
    try:
        await sessions.sign_in(attempt, password, origin=HERE)
    except InvalidCredentials:
        return 0
    except SignInSlowed as exc:
        return exc.retry_after_seconds
    return -1


@pytest.mark.parametrize("account", [OWNER, "nobody@example.com"])
async def test_after_some_free_tries_each_one_doubles_the_wait(sessions: Sessions, pool: Pool, account: str) -> None:
    waits = []
    for _ in range(WITH_AN_ACCOUNT.free + 12):
        assert await tried(sessions, Attempt(account, "192.0.2.1")) == 0
        waits.append(await pool.fetchval(LONGEST_WAIT))
        await pool.execute(WAIT_IS_OVER)
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


async def test_of_tries_at_once_no_two_use_the_end_of_one_wait(
    sessions: Sessions, passwords: CountedPasswords, pool: Pool
) -> None:
    attempt = Attempt(OWNER, "192.0.2.1")
    assert await tried(sessions, attempt) == 0
    await pool.execute(SET_FAILURES, 15)
    outcomes = await asyncio.gather(*(tried(sessions, attempt) for _ in range(8)))
    assert sorted(outcomes)[0] == 0
    assert min(sorted(outcomes)[1:]) > 800
    assert passwords.checked == 2, "no password is looked at while one has to wait"


async def test_the_owner_gets_in_from_elsewhere_and_from_a_known_browser(
    gateway: Gateway, sessions: Sessions, pool: Pool
) -> None:
    owner = gateway.accounts.vendors[0]
    login = {"email": owner.email, "password": owner.password}
    async with browser(gateway.url) as desk, browser(gateway.url) as stranger:
        await sign_in(desk, owner.email, owner.password)
        assert await tried(sessions, Attempt(owner.email, "127.0.0.1")) == 0
        await pool.execute(WAIT_IS_LONG)
        async with stranger.post("/api/auth/login", json=login) as response:
            assert response.status == 429
            assert 800 < int(response.headers["Retry-After"]) <= 900
            assert (await response.json())["type"] == "urn:souk:problem:sign_in_slowed"
        await sign_in(desk, owner.email, owner.password)
        assert await tried(sessions, Attempt(owner.email, "192.0.2.7"), owner.password) == -1
        async with desk.post("/api/auth/login", json=login | {"email": "vendor2@example.com"}) as response:
            assert response.status == 429, "to other accounts it is a stranger"


async def test_one_network_that_tries_many_accounts_is_slowed_and_others_are_not(
    sessions: Sessions, pool: Pool
) -> None:
    network, others = "2001:db8::/64", "192.0.2.9"
    for failures, expected in ((0, 0), (WITH_A_NETWORK.free - 1, 0), (WITH_A_NETWORK.free + 10, 60)):
        assert await tried(sessions, Attempt(f"{failures}@example.com", network)) == 0
        await pool.execute(SET_FAILURES, failures)
        assert await tried(sessions, Attempt(f"b{failures}@example.com", network)) == 0
        assert await pool.fetchval(LONGEST_WAIT) == expected
    assert await tried(sessions, Attempt("c@example.com", network)) > 0
    assert await tried(sessions, Attempt("c@example.com", others)) == 0


async def test_who_gets_in_is_not_counted(gateway: Gateway, sessions: Sessions, pool: Pool) -> None:
    owner = gateway.accounts.vendors[0]
    for _ in range(2):
        assert await tried(sessions, Attempt(owner.email, "192.0.2.1")) == 0
        assert await tried(sessions, Attempt(owner.email.upper(), "192.0.2.1"), owner.password) == -1
    assert await pool.fetchval("SELECT array_agg(failures) FROM catalog.sign_in_failures") == [2]


async def test_what_is_long_ago_is_forgotten(sessions: Sessions, pool: Pool) -> None:
    attempt = Attempt(OWNER, "192.0.2.1")
    assert await tried(sessions, attempt) == 0
    await pool.execute(SET_FAILURES, 15)
    await pool.execute("UPDATE catalog.sign_in_failures SET last_at = now() - interval '61 minutes'")
    assert await tried(sessions, attempt) == 0
    assert await pool.fetchval(LONGEST_WAIT) == 0


async def test_the_current_password_is_not_guessed_with_a_stolen_key_either(vendor: Client, pool: Pool) -> None:
    guess = {"email": "thief@example.com", "current_password": "guess"}
    async with vendor.patch("/api/me", json=guess, headers={"If-Match": '"1"'}) as response:
        assert response.status == 422
    await pool.execute(WAIT_IS_LONG)
    async with vendor.patch("/api/me", json=guess, headers={"If-Match": '"1"'}) as response:
        assert response.status == 429


async def test_an_unknown_account_costs_the_same_check_of_a_password(
    sessions: Sessions, passwords: CountedPasswords
) -> None:
    for account in (OWNER, "nobody@example.com", ""):
        before = passwords.checked
        assert await tried(sessions, Attempt(account, "192.0.2.1")) == 0
        assert passwords.checked == before + 1


async def test_nobodys_hash_has_the_parameters_of_all_others() -> None:
    async with open_passwords() as passwords:
        assert not passwords._hasher.check_needs_rehash(NOBODYS_HASH)


@pytest.mark.parametrize("mark", ["", ".", "abc", "0011223344556677.", "a.b.c", "\udcff.\udcff"])
def test_a_mark_that_is_not_ours_names_no_browser(mark: str) -> None:
    browsers = Browsers(b"k" * 40)
    assert browsers.known(mark, OWNER) == ""
    ours = browsers.mark(OWNER)
    assert browsers.known(ours, OWNER.upper()) == ours.partition(".")[0]
    assert Browsers(b"o" * 40).known(ours, OWNER) == ""
