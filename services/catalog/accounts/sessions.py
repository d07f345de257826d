"""Sessions: how people are signed in, see where they are, and end it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.catalog import audit
from services.catalog.accounts import sessions_store, store
from services.catalog.accounts.attempts import Attempt
from services.catalog.accounts.errors import UnknownSession
from services.catalog.accounts.keys import hash_of, new_token
from services.catalog.accounts.models import Account, NewSession, Origin, Session
from services.catalog.accounts.passwords import Passwords
from services.catalog.errors import InvalidCredentials
from services.catalog.models import Actor
from shared.clock import Clock
from shared.db.pool import Pool, connection, transaction
from shared.ids import new_id

SESSION_HOURS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Sessions for people: rows, so that every gateway knows them and a revoked one ends everywhere at once."""

    pool: Pool
    passwords: Passwords
    clock: Clock

    async def sign_in(self, attempt: Attempt, password: str, *, origin: Origin) -> NewSession:
        """Begin a session.

        Raises `InvalidCredentials`, in the same words and after the same work whichever of the two is wrong, and
        `SignInSlowed`, without any work, after too many of them. A crash leaves the try counted as a wrong one.
        """
        async with transaction(self.pool) as conn:
            await attempt.count(conn)
            found = await store.find_sign_in(conn, attempt.account)
        account, password_hash = found or (None, None)
        # No connection is held while this waits its turn.
        if not await self.passwords.matches(password_hash, password) or account is None:
            raise InvalidCredentials("The address or the password is wrong.")
        session = self._new_session(account, origin)
        async with transaction(self.pool) as conn:
            await attempt.was_right(conn)
            await sessions_store.add(conn, session, token_hash=hash_of(session.token))
        return session

    async def sign_out(self, token: str) -> None:
        """End a session. Safe to repeat, and with a token nobody has."""
        async with connection(self.pool) as conn:
            await sessions_store.revoke_by_token(conn, hash_of(token))

    async def list(self, account_id: UUID, *, below: UUID, limit: int) -> Sequence[Session]:
        """Where the account is signed in, newest first."""
        async with connection(self.pool) as conn:
            return await sessions_store.newest(conn, account_id, below=below, limit=limit)

    async def revoke(self, actor: Actor, session_id: UUID) -> None:
        """End one of one's own sessions. Raises `UnknownSession`."""
        assert actor.account_id is not None
        async with transaction(self.pool) as conn:
            if not await sessions_store.revoke(conn, session_id, account_id=actor.account_id):
                raise UnknownSession("You have no such session.")
            await audit.record(conn, actor, "session.revoked", kind="session", object_id=session_id)

    async def revoke_others(self, actor: Actor, *, but: UUID | None) -> None:
        """End all of one's own sessions but the one this is asked with, if it is asked with one. Safe to repeat."""
        assert actor.account_id is not None
        async with transaction(self.pool) as conn:
            await sessions_store.revoke_all(conn, actor.account_id, but=but)
            await audit.record(conn, actor, "sessions.revoked", kind="account", object_id=actor.account_id)

    def _new_session(self, account: Account, origin: Origin) -> NewSession:
        return NewSession(
            id=new_id(),
            account=account,
            token=new_token(),
            csrf_token=new_token(),
            expires_at=self.clock() + timedelta(hours=SESSION_HOURS),
            origin=origin,
        )
