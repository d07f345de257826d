"""Guessing passwords is slow, and the owner still gets in.

Failures are counted in rows that every gateway shares, under two names: the account and the place it was tried from,
and the place alone. After some that are free each one doubles the wait. A place is the network of an address, or a
browser that signed in to this account before: so strangers slow down nobody but those who come from where they do, and
a browser that is known is not slowed even then. An address nobody has is counted like any other.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from shared.db.pool import Connection
from shared.errors import TooMany


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures are free, and the longest wait between those behind them, in seconds."""

    free: int
    longest_seconds: int


WITH_AN_ACCOUNT: Final = Patience(free=5, longest_seconds=900)
WITH_A_NETWORK: Final = Patience(free=50, longest_seconds=60)
"""Many people sit behind one address, and those who get in are not counted."""

COUNT: Final = """
    -- Count a try as failed until it proves right; no row back while it has to wait. An hour later all is forgotten.
    INSERT INTO catalog.sign_in_failures AS known (what, failures, waits_until) VALUES ($1, 1, now())
    ON CONFLICT (what) DO UPDATE
    SET failures = CASE WHEN known.last_at < now() - interval '1 hour' THEN 1 ELSE known.failures + 1 END,
        waits_until = clock_timestamp() + CASE
            WHEN known.last_at < now() - interval '1 hour' OR known.failures < $2 THEN interval '0'
            ELSE least($3::int, 2 ^ least(known.failures - $2, 20)) * interval '1 second'
        END,
        last_at = clock_timestamp()
    WHERE known.waits_until <= clock_timestamp()
    RETURNING failures
"""
WAIT: Final = """
    -- How many seconds there are to wait.
    SELECT ceil(extract(epoch FROM waits_until - clock_timestamp()))::int FROM catalog.sign_in_failures WHERE what = $1
"""
UNCOUNT: Final = """
    -- One try was right after all: it counts as if it had not been.
    UPDATE catalog.sign_in_failures SET failures = greatest(failures - 1, 0), waits_until = now() WHERE what = $1
"""
FORGET: Final = """
    -- The account was signed in to from there.
    DELETE FROM catalog.sign_in_failures WHERE what = $1
"""
PRUNE: Final = """
    -- Forget what no longer counts.
    DELETE FROM catalog.sign_in_failures WHERE last_at < now() - interval '1 hour'
"""


class SignInSlowed(TooMany):
    """Too many wrong tries at this account from here, or from here at all. Waiting helps, more tries do not."""

    code = "sign_in_slowed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A password tried at an account, by the address typed, or asked for again by the id.

    `browser` names one that is known to the account, else it is empty.
    """

    account: str
    network: str
    browser: str = ""

    @property
    def _account_from_here(self) -> bytes:
        return _hash("account", self.account.lower(), self.browser or self.network)

    @property
    def _network(self) -> bytes:
        return _hash("network", self.network)

    async def count(self, conn: Connection) -> None:
        """Count it as failed, in the caller's transaction. Raises `SignInSlowed`; then nothing may be committed."""
        if not self.browser:
            await _count(conn, self._network, WITH_A_NETWORK)
        await _count(conn, self._account_from_here, WITH_AN_ACCOUNT)

    async def was_right(self, conn: Connection) -> None:
        """Forgive what was tried at this account from here, but not what was tried at others."""
        await conn.execute(FORGET, self._account_from_here)
        if not self.browser:
            await conn.execute(UNCOUNT, self._network)


@dataclass(frozen=True, slots=True)
class Browsers:
    """Marks that a browser keeps once somebody signed in with it: good for that account's address alone.

    Every gateway replica needs the same `secret`. A mark opens nothing: it only says that this is no stranger.
    """

    secret: bytes

    def mark(self, email: str) -> str:
        """A new mark for a browser."""
        name = secrets.token_hex(8)
        return f"{name}.{self._proof(name, email)}"

    def known(self, mark: str, email: str) -> str:
        """The browser's name if its mark is for this address, else nothing."""
        name, _, proof = mark.partition(".")
        is_ours = hmac.compare_digest(_bytes(proof), self._proof(name, email).encode())
        return name if is_ours else ""

    def _proof(self, name: str, email: str) -> str:
        text = f"souk known browser\x00{name}\x00{email.lower()}"
        return hmac.digest(self.secret, _bytes(text), hashlib.sha256).hex()


async def prune(conn: Connection) -> None:
    """Forget what no longer counts."""
    await conn.execute(PRUNE)


async def _count(conn: Connection, what: bytes, patience: Patience) -> None:
    if await conn.fetchval(COUNT, what, patience.free, patience.longest_seconds) is None:
        seconds = await conn.fetchval(WAIT, what)
        raise SignInSlowed("Too many wrong tries; wait before the next one.", retry_after_seconds=max(1, seconds))


def _hash(*parts: str) -> bytes:
    return hashlib.sha256(_bytes("\x00".join(parts))).digest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
