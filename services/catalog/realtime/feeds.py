"""All open feeds of one gateway: who gets what, from where a feed goes on, and which ones end.

Nothing here waits for a client. A frame is made once and handed to the transport of each feed that may hear it; a
feed whose client does not keep up is cut off, and comes back behind the last event it got. What it missed is told
from a bounded ring; what is older than the ring is told as `reset`: look at everything anew.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client import Counter, Gauge

from services.catalog.realtime.models import Key, Notice, frame_of, notices_of
from shared.errors import Unavailable
from shared.log import get_logger
from shared.messaging.reader import Received
from shared.messaging.stream import Position

log = get_logger(__name__)

BEAT_SECONDS: Final = 15.0
"""Shorter than the silence after which proxies give a connection up."""
RING_NOTICES: Final = 4000
MAX_FEEDS: Final = 12_000
RETRY_MS: Final = (1500, 6000)
"""Between these a client waits before it comes back, so that not all come at once."""

OPEN: Final = Gauge("souk_live_feeds", "Server-sent event feeds open on this gateway.")
CUT_OFF: Final = Counter("souk_live_feeds_cut_off_total", "Feeds ended because their client did not keep up.")


class TooManyFeeds(Unavailable):
    """This gateway follows as many clients as it may; another one, or a little later, will do."""

    code = "too_many_feeds"


class Stream(Protocol):
    """Where the events come from."""

    @property
    def is_live(self) -> bool: ...
    @property
    def position(self) -> Position | None: ...


class Sink(Protocol):
    """A client's connection."""

    def send(self, frame: bytes) -> bool:
        """Hand over without waiting; False: the client is gone, or too far behind and cut off."""


class Feed:
    """One client's feed. `credential` is what it signed in with, checked again now and then; None for the public."""

    __slots__ = ("after", "beat_at", "credential", "ended", "keys", "sink")

    def __init__(self, keys: Sequence[Key], sink: Sink, *, credential: str | None = None) -> None:
        self.keys = keys
        self.sink = sink
        self.credential = credential
        self.after = -1
        self.beat_at = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class _Kept:
    offset: int
    to: tuple[Key, ...]
    frame: bytes


class LiveFeeds:
    """A listener of the event stream, and everybody who follows it here."""

    def __init__(
        self,
        stream: Stream,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_feeds: int = MAX_FEEDS,
        ring_notices: int = RING_NOTICES,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._max_feeds = max_feeds
        self._ring: deque[_Kept] = deque()
        self._ring_notices = ring_notices
        self._floor: Position | None = None
        """Everything behind it is in the ring. None: nothing is known yet."""
        self._members: dict[Key, set[Feed]] = {}
        self._feeds: set[Feed] = set()
        self._was_live = stream.is_live
        self._jitter = random.Random()  # noqa: S311 - spreads reconnects, guards nothing

    @property
    def feeds(self) -> Sequence[Feed]:
        """Those that are open."""
        return tuple(self._feeds)

    def has(self, key: Key) -> bool:
        """Whether anybody of a circle listens."""
        return key in self._members

    def greeting(self) -> bytes:
        """How every feed begins: when to come back after a loss. Raises `TooManyFeeds`."""
        if len(self._feeds) >= self._max_feeds:
            raise TooManyFeeds("This gateway has as many live feeds as it takes.", retry_after_seconds=5)
        return f"retry: {self._jitter.randint(*RETRY_MS)}\n\n".encode()

    def join(self, feed: Feed, *, last: Position | None) -> None:
        """Follow from now on, and first hear what came behind `last`, the last event the client got."""
        now = self._stream.position
        if self._floor is None:
            self._floor = now
        ready = {"live": self._told_live()}
        if last is None:
            opening = frame_of("ready", ready, None if now is None else str(now))
        elif self._is_covered(last):
            feed.after = last.offset
            opening = b"".join((*self._missed(feed), frame_of("ready", ready)))
        else:
            opening = frame_of("reset", ready, None if now is None else str(now))
        self._feeds.add(feed)
        for key in feed.keys:
            self._members.setdefault(key, set()).add(feed)
        OPEN.set(len(self._feeds))
        feed.beat_at = self._clock() + BEAT_SECONDS
        self._send(feed, opening)

    def leave(self, feed: Feed) -> None:
        """The client is gone, or its feed is over. Safe to repeat."""
        self._feeds.discard(feed)
        for key in feed.keys:
            members = self._members.get(key, set())
            members.discard(feed)
            if not members:
                self._members.pop(key, None)
        OPEN.set(len(self._feeds))
        if not feed.ended.done():
            feed.ended.set_result(None)

    def heard(self, received: Received, position: Position) -> None:
        """As `StreamListener`: pass on what an event is to live pages."""
        if self._floor is None or self._floor.epoch != position.epoch:
            self._ring.clear()
            self._floor = Position(position.epoch, position.offset - 1)
        for notice in notices_of(received.event):
            frame = notice.frame(str(position))
            self._ring.append(_Kept(position.offset, notice.to, frame))
            self._spread(notice.to, frame, position.offset)
        while len(self._ring) > self._ring_notices:
            self._floor = Position(position.epoch, self._ring.popleft().offset)

    def lost(self) -> None:
        """As `StreamListener`: events may be missing, so everybody looks anew."""
        self._ring.clear()
        self._floor = None
        reset = frame_of("reset", {"live": self._told_live()})
        for feed in self.feeds:
            feed.after = -1
            self._send(feed, reset)

    def tell(self, notice: Notice) -> None:
        """Tell what is no event of the stream; who was away does not hear of it later."""
        self._spread(notice.to, notice.frame())

    async def beat_once(self) -> None:
        """Say whether the feeds are live when that changes; keep quiet connections open. Call every second."""
        is_live, now = self._told_live(), self._clock()
        position = self._stream.position
        beat = b": beat\n\n" if position is None or not is_live else f": beat\nid: {position}\n\n".encode()
        due = [feed for feed in self.feeds if feed.beat_at <= now]
        for feed in due:
            feed.beat_at = now + BEAT_SECONDS
        self._send_all(due, beat)

    def end(self, feed: Feed, why: str) -> None:
        """End a feed for a reason that its client is told."""
        self._send(feed, frame_of("end", {"why": why}))
        self.leave(feed)

    def close(self) -> None:
        """End all: this gateway stops, and another one goes on from where each was."""
        for feed in self.feeds:
            self.leave(feed)

    def _told_live(self) -> bool:
        """Whether the stream is live, once everybody knows: what one feed is told now, the others have been told."""
        is_live = self._stream.is_live
        if is_live != self._was_live:
            self._was_live = is_live
            self._send_all(self.feeds, frame_of("live", {"live": is_live}))
        return is_live

    def _is_covered(self, last: Position) -> bool:
        floor = self._floor
        return floor is not None and last.epoch == floor.epoch and last.offset >= floor.offset

    def _missed(self, feed: Feed) -> Iterable[bytes]:
        keys = set(feed.keys)
        return [kept.frame for kept in self._ring if kept.offset > feed.after and not keys.isdisjoint(kept.to)]

    def _spread(self, to: tuple[Key, ...], frame: bytes, offset: int | None = None) -> None:
        for key in to:
            if (members := self._members.get(key)) is not None:
                self._send_all([feed for feed in members if offset is None or offset > feed.after], frame)

    def _send_all(self, feeds: Sequence[Feed], frame: bytes) -> None:
        for feed in feeds:
            self._send(feed, frame)

    def _send(self, feed: Feed, frame: bytes) -> None:
        if not feed.sink.send(frame):
            self.leave(feed)


class NoStream:
    """Where there is none: feeds are open, and say that they are not live."""

    is_live = False
    position = None
