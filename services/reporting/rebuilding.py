"""Makes reporting's figures anew from the events it has kept."""

from collections.abc import Callable
from dataclasses import dataclass

from services.reporting import store
from services.reporting.counting import Counting, read_kept
from services.reporting.errors import EventsMissing
from shared.db.pool import Pool, transaction

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilding:
    """One transaction: until it commits, reports are made of the old figures and what comes in waits; killed, nothing
    has changed. Finished reports stay as they are."""

    pool: Pool
    counting: Counting

    async def run_once(self, *, tell: Callable[[int], None] = lambda _: None) -> int:
        """Returns of how many events. `tell` hears how many are done.

        Raises `EventsMissing`, and changes nothing, where something is known that no kept event tells.
        """
        async with transaction(self.pool) as conn:
            await store.await_recorders(conn)
            known = await store.sizes(conn)
            await store.forget_figures(conn)
            done, after = 0, 0
            while kept := await store.kept_events(conn, after=after, limit=BATCH):
                for event in kept:
                    await self.counting.keep(conn, read_kept(event))
                done, after = done + len(kept), kept[-1].seq
                tell(done)
            made = await store.sizes(conn)
            missing = {name: count - made[name] for name, count in known.items() if made[name] < count}
            if missing:
                told = ", ".join(f"{count} of {name}" for name, count in missing.items())
                raise EventsMissing(
                    f"No kept event tells of {told}: they are older than what is kept. Nothing changed."
                )
        return done
