"""Feed to cache: live events, catching up, and polling while there is no socket.

The only one who puts the server's truth into the cache, in one task, one thing after the other. A live event that
continues the cursor is applied; anything else makes it ask the feed. It tells what changed and must not know who
listens or what a screen is.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

from .api import ApiError
from .cache import Applied, Cache
from .cancelling import being_cancelled
from .protocol import (
    NEW_NOTIFICATION,
    NOTIFICATION_COUNT_UPDATE,
    NOTIFICATION_REMOVED,
    NOTIFICATION_UPDATED,
    NOTIFICATIONS_BATCH,
    Change,
    ChangesPage,
    Notification,
    WireError,
)
from .words import say

log = logging.getLogger(__name__)

PART = 50
"""Changes taken in at once: many more of them would be felt as a window that stands still."""
SAFETY_SECONDS = 300.0
"""A push can get lost on a healthy connection; this bounds what that costs."""
MOST_WAITING = 2000
"""Events that wait to be taken in. More are let go: the feed has them."""
Cursor = tuple[str, int] | None


class ConnectionState(enum.Enum):
    """How news gets here: at once, by asking every so often, or not at all."""

    REAL_TIME = "real_time"
    POLLING = "polling"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Reports:
    """Whom sync tells. All are called on the loop and must return at once."""

    changed: Callable[[Collection[str]], None]
    arrived: Callable[[Sequence[Notification], bool], None]
    connection: Callable[[ConnectionState, str], None]
    online: Callable[[bool], None]


class Sync:
    """`run` does the work; the other methods only leave it something to do."""

    def __init__(
        self,
        cache: Cache,
        changes: Callable[[Cursor], Awaitable[ChangesPage]],
        acknowledge: Callable[[int], Awaitable[None]],
        reports: Reports,
        *,
        poll_seconds: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache, self._changes, self._acknowledge = cache, changes, acknowledge
        self._reports, self._poll_seconds, self._clock = reports, poll_seconds, clock
        self._inbox: deque[Callable[[], None]] = deque()
        self._wake = asyncio.Event()
        self._pull_wanted = True
        self._pulled = asyncio.Event()
        self._pulling: asyncio.Task[None] | None = None
        self._live = False
        self._reached = False
        self._away = True
        self._acknowledged: Cursor = None
        self._told: tuple[ConnectionState, str] | None = None

    # --- from the connection ------------------------------------------------------------------------------------

    def subscribed(self, asked: Cursor, answer: Any) -> None:
        """The answer to a subscription from the cursor `asked`: a page of changes."""
        if self._pulling is not None:
            self._pulling.cancel()  # it may hang on a connection that is dead; here is the same answer
        self._leave(lambda: self._subscription(asked, answer))

    def event(self, name: str, data: Any) -> None:
        if len(self._inbox) < MOST_WAITING:
            self._leave(lambda: self._event(name, data))
        else:
            self.request_pull()

    def up(self) -> None:
        self._live = True
        self._acknowledged = None
        self._tell_state()

    def down(self, reason: str) -> None:
        log.info("real time is off: %s", reason)
        self._live = False
        self._tell_state()
        self.request_pull()

    # --- from the session ---------------------------------------------------------------------------------------

    def request_pull(self) -> None:
        self._pull_wanted = True
        self._wake.set()

    def tell_again(self) -> None:
        """The state of the connection, in the words of another language."""
        self._told = None
        if self._live or self._reached:
            self._tell_state()
        else:
            self.request_pull()

    async def pull_now(self) -> None:
        """Asks the feed, and returns when that was tried."""
        self._pulled.clear()
        self.request_pull()
        await self._pulled.wait()

    async def run(self) -> None:
        self._tell(ConnectionState.OFFLINE, say("Conectando…"))
        while True:
            while self._inbox:
                self._inbox.popleft()()
                await asyncio.sleep(0)  # whoever paints has a turn
            if self._pull_wanted:
                self._pull_wanted = False
                await self._pull()
            await self._acknowledge_new()
            await self._until_next()

    async def _until_next(self) -> None:
        if self._inbox or self._pull_wanted:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(SAFETY_SECONDS if self._live and self._reached else self._poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            self._pull_wanted = True

    def _leave(self, work: Callable[[], None]) -> None:
        self._inbox.append(work)
        self._wake.set()

    # --- asking the feed ----------------------------------------------------------------------------------------

    async def _pull(self) -> None:
        # What the server had accepted before we asked is in the answer: its overlay can go.
        sent = self._cache.sent_ids()
        self._pulling = asyncio.get_running_loop().create_task(self._pull_pages(), name="pull")
        try:
            await self._pulling
        except ApiError as error:
            self._failed(error)
        except asyncio.CancelledError:
            if not self._pulling.cancelled() or being_cancelled():
                raise
            self._pull_wanted = True  # given up for a subscription: ask again after it
        else:
            self._changed(self._cache.drop_all(sent, now=self._clock()))
            self._caught_up()
        finally:
            self._pulling = None
            self._pulled.set()

    async def _pull_pages(self) -> None:
        more = True
        while more:
            asked = self._cache.cursor
            page = await self._changes(asked)
            for part in _parts(page):
                self._take(part)
                await asyncio.sleep(0)
            more = page.has_more

    def _failed(self, error: ApiError) -> None:
        log.info("could not ask for changes: %s", error)
        self._reached = False
        if not self._live:
            self._away = True
            self._reports.online(False)
            self._tell(ConnectionState.OFFLINE, say("Sin conexión") if error.code == "unreachable" else error.message)

    def _caught_up(self) -> None:
        self._away = False
        self._reached = True
        self._tell_state()
        self._reports.online(True)

    def _subscription(self, asked: Cursor, answer: Any) -> None:
        try:
            page = ChangesPage.from_wire(answer)
        except (WireError, AttributeError, TypeError) as error:
            log.warning("the answer to the subscription is not a page of changes: %s", error)
            self.request_pull()
            return
        moved = asked != self._cache.cursor
        if (page.reset and moved) or (not page.reset and (self._cache.cursor or ("", 0))[0] != page.epoch):
            # The feed was asked meanwhile, and has answered from elsewhere: this answer is about the past.
            self.request_pull()
            return
        self._take_next(page, then=self.request_pull if page.has_more else self._caught_up)

    # --- live events --------------------------------------------------------------------------------------------

    def _event(self, name: str, data: Any) -> None:
        try:
            if name == NOTIFICATION_COUNT_UPDATE:
                self._check_count(data)
            else:
                self._continue(_changes_of(name, data))
        except (WireError, AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("%s could not be read: %r", name, error)
            self.request_pull()

    def _continue(self, changes: Sequence[Change]) -> None:
        """Applies what continues the cursor without a gap; for the rest the feed is asked."""
        cursor = self._cache.cursor
        if cursor is None:
            self.request_pull()
            return
        epoch, seq = cursor
        following: list[Change] = []
        for change in changes:
            if change.seq == seq + 1:
                following.append(change)
                seq = change.seq
            elif change.seq > seq:
                self.request_pull()
                break
        if following:
            self._take_next(ChangesPage(epoch, seq, tuple(following), has_more=False, reset=False, unread_count=0))

    def _check_count(self, data: Any) -> None:
        cursor = self._cache.cursor
        if cursor is None or data["epoch"] != cursor[0] or int(data["seq"]) > cursor[1]:
            self.request_pull()

    # --- telling ------------------------------------------------------------------------------------------------

    def _take_next(self, page: ChangesPage, then: Callable[[], None] = lambda: None) -> None:
        """In parts, before whatever else waits."""
        parts = _parts(page)
        self._take(parts[0])
        rest = [partial(self._take_after, part, (page.epoch, before.seq)) for before, part in pairwise(parts)]
        self._inbox.extendleft(reversed([*rest, then]))

    def _take_after(self, part: ChangesPage, cursor: Cursor) -> None:
        if self._cache.cursor == cursor:
            self._take(part)
        else:
            self.request_pull()

    def _take(self, page: ChangesPage) -> None:
        applied = self._cache.apply(page, now=self._clock(), live=not self._away)
        self._report(applied)

    def _report(self, applied: Applied) -> None:
        if applied.reset:
            self._reports.changed(frozenset())
        else:
            self._changed(applied.changed | applied.removed)
        if applied.arrived:
            self._reports.arrived(applied.arrived, self._away)

    def _changed(self, ids: Collection[str]) -> None:
        if ids:
            self._reports.changed(ids)

    async def _acknowledge_new(self) -> None:
        """Once for all that was taken in: a client that sends too many frames is cut."""
        cursor = self._cache.cursor
        if self._live and cursor is not None and cursor != self._acknowledged:
            self._acknowledged = cursor
            await self._acknowledge(cursor[1])

    def _tell_state(self) -> None:
        if self._live:
            self._tell(ConnectionState.REAL_TIME, say("En tiempo real"))
        elif self._reached:
            self._tell(ConnectionState.POLLING, say("Actualizando cada {}s").format(f"{self._poll_seconds:g}"))

    def _tell(self, state: ConnectionState, detail: str) -> None:
        if self._told != (state, detail):
            self._told = (state, detail)
            self._reports.connection(state, detail)


def _parts(page: ChangesPage) -> list[ChangesPage]:
    """The same as if the server had sent shorter pages."""
    changes = page.changes
    if any(one.seq >= next.seq for one, next in pairwise(changes)):
        return [page]  # there is no cursor in the midst of it
    cuts = range(PART, len(changes), PART)
    parts = []
    for start, end in pairwise([0, *cuts, len(changes)]):
        last = end == len(changes)
        seq, more = (page.seq, page.has_more) if last else (changes[end - 1].seq, True)
        parts.append(replace(page, changes=changes[start:end], seq=seq, has_more=more, reset=page.reset and not start))
    return parts


def _changes_of(name: str, data: Any) -> list[Change]:
    """The numbered changes an event carries, in order."""
    if name == NOTIFICATION_REMOVED:
        return [Change.from_wire({**data, "op": "remove"})]
    if name in (NEW_NOTIFICATION, NOTIFICATION_UPDATED):
        return [_put(data)]
    if name == NOTIFICATIONS_BATCH:
        return sorted((_put(item) for item in data["notifications"]), key=lambda change: change.seq)
    raise WireError("not an event of the feed")


def _put(data: Any) -> Change:
    notification = Notification.from_wire(data)
    return Change(notification.seq, notification.id, notification)
