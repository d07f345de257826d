"""A bounded memory of the answers used last, each with the rows it was made of. No I/O."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.catalog.cache.floors import Row, Rows

V = TypeVar("V")


@dataclass(slots=True)
class Entry(Generic[V]):
    """What is kept. `expires_at` is in monotonic seconds, `size_bytes` what the cache's bound counts of it."""

    value: V
    rows: Rows
    expires_at: float
    size_bytes: int = 0


@dataclass(slots=True)
class Counts:
    """What a cache did since the process began."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    """Entries that went because others needed the room."""
    invalidations: int = 0
    """Entries that went because a row of theirs changed."""
    expirations: int = 0


class Lru(Generic[V]):
    """At most `max_entries` of `max_bytes` together; the one unused longest goes first."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self.counts = Counts()
        self._entries: OrderedDict[str, Entry[V]] = OrderedDict()
        self._keys_of: dict[Row, set[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        """All keys, the one unused longest first."""
        return iter(self._entries)

    def find(self, key: str, now: float) -> Entry[V] | None:
        """The entry, now the one used last. Counts nothing: whether it is a hit the caller decides."""
        entry = self._entries.get(key)
        if entry is None or entry.expires_at <= now:
            return None
        self._entries.move_to_end(key)
        return entry

    def last(self, key: str) -> Entry[V] | None:
        """The entry even if it is past its time and only waits for the sweep."""
        return self._entries.get(key)

    def keep(self, key: str, entry: Entry[V]) -> None:
        """Store, in place of what was there, and make room."""
        self._remove(key)
        self._entries[key] = entry
        self.size_bytes += entry.size_bytes
        for row in entry.rows:
            self._keys_of.setdefault(row, set()).add(key)
        while self._entries and (len(self._entries) > self.max_entries or self.size_bytes > self.max_bytes):
            self.counts.evictions += 1
            self._remove(next(iter(self._entries)))

    def drop(self, key: str) -> bool:
        """Forget one entry; False if there is none."""
        return self._remove(key)

    def drop_row(self, row: Row, version: int | None) -> int:
        """Forget what was made of an older version of a row (of any version, for None); how many."""
        stale = [key for key in self._keys_of.get(row, ()) if self._is_older(key, row, version)]
        for key in stale:
            self._remove(key)
        self.counts.invalidations += len(stale)
        return len(stale)

    def clear(self) -> int:
        """Forget all; how many."""
        count = len(self._entries)
        self._entries.clear()
        self._keys_of.clear()
        self.size_bytes = 0
        return count

    def sweep(self, now: float) -> int:
        """Forget what is past its time; how many."""
        gone = [key for key, entry in self._entries.items() if entry.expires_at <= now]
        for key in gone:
            self._remove(key)
        self.counts.expirations += len(gone)
        return len(gone)

    def _is_older(self, key: str, row: Row, version: int | None) -> bool:
        shown = self._entries[key].rows[row]
        return shown is None or version is None or shown < version

    def _remove(self, key: str) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self.size_bytes -= entry.size_bytes
        for row in entry.rows:
            keys = self._keys_of[row]
            keys.discard(key)
            if not keys:
                del self._keys_of[row]
        return True
