"""Who is connected, and the short way from a commit to their sockets.

Owns the list of live connections and what each has been sent of its owner's feed. A push is a hint: nothing is kept
for those who are away, nothing is sent again; the feed is where a client gets what it missed. Knows nothing of
Socket.IO beyond the frames it builds: a connection is anything that takes text and can be cut. What it counts goes to
the monitor, and who got what to the receipts; neither may delay a push.

What other processes stored is read from the feed, when a doorbell tells of it (bus) and at every sweep. A doorbell is
believed only as far as to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from crmtray.protocol import Change, ChangesPage

from .auth import Claims
from .frames import count_frame, frames
from .monitor import Monitor
from .receipts import Device, Receipts
from .store import feed, simple_clients
from .store.database import Store, StoreUnavailable, committed_at
from .store.device_deliveries import Channel
from .store.feed import Committed, Scope

log = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
"""Bounds what a missed push costs: another process wrote."""
SWEEP_LIMIT = 500
LOOK_AT = 50
"""Feeds that are read in one go."""
FALSE_ALARM_SECONDS = 0.05
"""Whoever tells of changes that are not there, makes the store read no more often than this."""
BURST = 100
"""More changes than this at once are not pushed one by one: a queue is bounded, and the feed gives them in pages."""
MAX_HELD = 1000
"""Changes held for a connection while it subscribes; one that is so far behind starts over."""

MOST_UNACKNOWLEDGED = 500
"""Items kept for a device that does not acknowledge; older ones stay noted as sent."""

Mode = Literal["none", "subscribing", "cursor", "simple"]
By = Literal["doorbell", "sweep", "gap"]
"""How a change that another process stored was noticed; gap: one of our own came behind it."""


class Send(Protocol):
    def __call__(self, frame: str, since: float | None = None, /) -> None:
        """Queues a frame. `since`: when what it tells was committed, by the monitor's clock."""


class Given(NamedTuple):
    """An item that went to a device; `pushed_at` by the monitor's clock, None when the device had asked for it."""

    seq: int
    id: str
    channel: Channel
    pushed_at: float | None = None


@dataclass(eq=False, slots=True)
class Connection:
    """One authenticated socket. `send` queues a frame, `drained` waits until all are sent, `cut` ends it."""

    claims: Claims
    send: Send
    drained: Callable[[], Awaitable[bool]]
    cut: Callable[[], None]
    device: Device
    since: datetime
    address: str | None = None
    mode: Mode = "none"
    sent: int = 0
    told: int = 0
    """How far the feed is said to have come while it subscribes."""
    acknowledged: int = 0
    held: list[Committed] = field(default_factory=list)
    unacknowledged: deque[Given] = field(default_factory=lambda: deque(maxlen=MOST_UNACKNOWLEDGED))

    @property
    def scope(self) -> Scope:
        return self.claims.scope


class Hub:
    """Connections by owner. All methods run on the loop's thread."""

    def __init__(self, store: Store, monitor: Monitor | None = None, receipts: Receipts | None = None) -> None:
        self._store, self._receipts = store, receipts
        self._monitor = monitor or Monitor()
        self._connections: dict[Scope, set[Connection]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._marked: dict[Scope, tuple[int, By]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._sweep_now = asyncio.Event()
        self.ring: Callable[[Scope, int], None] | None = None
        """Told how far a feed has come by what this process stored. It must not wait."""

    def __len__(self) -> int:
        return sum(len(group) for group in self._connections.values())

    def of(self, scope: Scope) -> int:
        return len(self._connections.get(scope, ()))

    def connections(self, tenant_id: str | None = None) -> list[Connection]:
        """Everyone, or everyone of one tenant; the newest first."""
        groups = [group for scope, group in self._connections.items() if tenant_id in (None, scope.tenant_id)]
        found = [connection for group in groups for connection in group]
        return sorted(found, key=lambda connection: connection.since, reverse=True)

    def add(self, connection: Connection) -> None:
        self._connections.setdefault(connection.scope, set()).add(connection)
        self._monitor.connected((connection.scope, connection.device.name))

    def remove(self, connection: Connection) -> None:
        group = self._connections.get(connection.scope, set())
        if connection in group:
            group.remove(connection)
            self._monitor.disconnected((connection.scope, connection.device.name))
            if not group:
                del self._connections[connection.scope]

    def cut_session(self, session: str) -> None:
        for connection in self.connections():
            if connection.claims.session == session:
                connection.cut()

    def start_over(self) -> None:
        """The store is another one: what was sent means nothing any more, everybody comes again."""
        self._marked.clear()
        for connection in self.connections():
            connection.cut()

    def publish(self, committed: Iterable[Committed]) -> None:
        """Sends what was just committed to whoever of its owners is connected. Call it in the order of the commits."""
        since = committed_at()
        for entry in committed:
            self._count_new(entry)
            if not entry.changes:
                continue
            if entry.scope in self._connections:
                self._send_all(entry, since)
            if self.ring is not None:
                self.ring(entry.scope, entry.changes[-1].seq)

    def _count_new(self, entry: Committed) -> None:
        for change in entry.changes:
            if change.new and change.notification is not None:
                item = change.notification
                self._monitor.stored(item.type, item.silent, item.reason)

    def start(self, connection: Connection, mode: Literal["cursor", "simple"], sent: int) -> None:
        """The connection has everything up to `sent`: what came meanwhile goes out now, the rest as it is committed."""
        connection.mode, connection.sent = mode, sent
        held, connection.held = connection.held, []
        for entry in held:
            self._deliver(connection, entry, frames(entry))
        told, connection.told = connection.told, 0
        self._mark(connection.scope, told, "doorbell")

    def gave(self, connection: Connection, items: Iterable[tuple[int, str]]) -> None:
        """The connection was sent these items (seq, id) because it had asked for them."""
        self._note_given(connection, [Given(seq, id, "socket") for seq, id in items])

    def pulled(self, scope: Scope, device: str, changes: Iterable[Change]) -> None:
        """A device has asked over HTTP and got these changes; what it acknowledges on its socket counts for them."""
        given = [Given(change.seq, change.id, "pull") for change in changes if _unread(change)]
        if self._receipts is not None:
            self._receipts.note(scope, device, "pull", "sent", [item.id for item in given])
        for connection in self._connections.get(scope, ()):
            if connection.device.name == device:
                connection.unacknowledged.extend(given)

    def acknowledge(self, connection: Connection, seq: int) -> None:
        """The device keeps everything up to `seq`."""
        connection.acknowledged = max(connection.acknowledged, seq)
        waiting, now = tuple(connection.unacknowledged), self._monitor.clock()
        connection.unacknowledged.clear()
        connection.unacknowledged.extend(item for item in waiting if item.seq > seq)
        for item in waiting:
            if item.seq <= seq:
                self._note_acknowledged(connection, item, now)

    def _note_acknowledged(self, connection: Connection, item: Given, now: float) -> None:
        if item.pushed_at is not None:
            self._monitor.acknowledged(now - item.pushed_at)
        if self._receipts is not None:
            self._receipts.note(connection.scope, connection.device.name, item.channel, "acknowledged", [item.id])

    def _note_given(self, connection: Connection, given: list[Given]) -> None:
        connection.unacknowledged.extend(given)
        if self._receipts is not None and given:
            ids = [item.id for item in given]
            self._receipts.note(connection.scope, connection.device.name, "socket", "sent", ids)

    def _send_all(self, entry: Committed, since: float | None = None, after: int | None = None) -> None:
        framed = frames(entry)
        for connection in tuple(self._connections[entry.scope]):
            if connection.mode == "subscribing":
                connection.held.append(entry)
                if len(connection.held) > MAX_HELD:
                    connection.cut()
            elif connection.mode != "none":
                self._deliver(connection, entry, framed, since, after)

    def _deliver(
        self,
        connection: Connection,
        entry: Committed,
        framed: list[tuple[int, str]],
        since: float | None = None,
        after: int | None = None,
    ) -> None:
        """`after`: the entry is all that came after that number. Without it, another process may have stored more."""
        fresh = [frame for seq, frame in framed if seq > connection.sent]
        if not fresh:
            return
        if connection.sent < (entry.changes[0].seq - 1 if after is None else after):
            self._close_gap(connection, entry.changes[-1].seq)
            return
        if connection.mode == "simple" and len(fresh) > BURST:
            connection.cut()  # it comes back, and gets what it was never sent in pages
            return
        before, connection.sent = connection.sent, entry.changes[-1].seq
        if len(fresh) <= BURST:
            for frame in fresh:
                connection.send(frame, since)
            self._note_pushed(connection, entry, before)
        # Ahead of what was sent, the count tells a client with a cursor to ask the feed.
        connection.send(count_frame(entry.unread_count, self._store.epoch, connection.sent))
        if connection.mode == "simple":
            self._remember_soon(entry)

    def _close_gap(self, connection: Connection, head: int) -> None:
        """What another process stored goes first, so that everything comes once and in its order."""
        if connection.mode == "simple":
            self._spawn(self._fill(connection), "fill")
        else:
            self._mark(connection.scope, head, "gap")

    def _note_pushed(self, connection: Connection, entry: Committed, before: int) -> None:
        now = self._monitor.clock()
        new = [change for change in entry.changes if change.new and change.seq > before]
        self._note_given(connection, [Given(change.seq, change.id, "socket", now) for change in new])

    def _remember_soon(self, entry: Committed) -> None:
        """Notes that a client without a cursor was sent these. After sending: rather twice than never."""
        ids = [change.id for change in entry.changes if change.new]
        if ids:
            self._spawn(self._remember(entry.scope, ids), "remember-sent")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _fill(self, connection: Connection) -> None:
        """Sends a client without a cursor, which cannot ask, everything after what it has, without a gap."""
        while connection.mode == "simple":
            since, epoch = connection.sent, self._store.epoch
            try:
                page = await self._store.read(feed.changes_since, connection.scope, epoch, since, BURST)
            except StoreUnavailable as error:
                log.warning("could not read what a client missed, it has to come back: %s", error)
                connection.cut()
                return
            if connection.sent != since:
                continue  # somebody else was faster
            if page.reset or not page.changes:
                return
            entry = Committed(connection.scope, page.changes, page.unread_count)
            self._monitor.found("gap", len(page.changes))
            self._deliver(connection, entry, frames(entry), after=since)

    async def _remember(self, scope: Scope, ids: list[str]) -> None:
        try:
            await self._store.write(simple_clients.mark_sent, scope, ids)
        except StoreUnavailable as error:
            log.warning("could not note what was sent: %s", error)

    # --- what other processes stored ---------------------------------------------------------------------------

    async def sweep_forever(self) -> None:
        """Finds what this process was not told: changes of other processes."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sweep_now.wait(), SWEEP_SECONDS)
            self._sweep_now.clear()
            await self.sweep()

    def sweep_soon(self) -> None:
        """Doorbells may have been missed."""
        self._sweep_now.set()

    async def sweep(self) -> None:
        scopes = list(self._connections)
        if not scopes:
            return
        for scope, head in (await self._store.read(feed.heads, scopes)).items():
            self._heard(scope, head, "sweep")
        if self._looking is not None:
            await asyncio.wait({self._looking})

    def doorbell(self, scope: Scope, head: int) -> None:
        """Somebody says that this feed has come so far; that may be late, repeated, or not true."""
        self._heard(scope, head, "doorbell")

    def _heard(self, scope: Scope, head: int, by: By) -> None:
        for connection in self._connections.get(scope, ()):
            if connection.mode == "subscribing":
                connection.told = max(connection.told, head)
        self._mark(scope, head, by)

    def _mark(self, scope: Scope, head: int, by: By) -> None:
        """Has the feed looked at when it is ahead of what somebody here was sent."""
        sent = self._least_sent(scope)
        if sent is None or head <= sent:
            return
        marked = self._marked.get(scope)
        self._marked[scope] = (head, by) if marked is None else (max(head, marked[0]), marked[1])
        if self._looking is None:
            self._looking = self._spawn(self._look_at_marked(), "look")

    def _least_sent(self, scope: Scope) -> int | None:
        group = self._connections.get(scope, ())
        return min((one.sent for one in group if one.mode in ("cursor", "simple")), default=None)

    async def _look_at_marked(self) -> None:
        """One reading at a time, so that a flood of doorbells makes larger readings and not more of them."""
        try:
            while self._marked:
                await self._look()
        except StoreUnavailable as error:
            self._marked.clear()  # the sweep finds it
            log.warning("could not read what another process stored, trying again: %s", error)
        finally:
            self._looking = None

    async def _look(self) -> None:
        since: dict[Scope, int] = {}
        by: dict[Scope, By] = {}
        for scope in list(self._marked)[:LOOK_AT]:
            head, by[scope] = self._marked.pop(scope)
            sent = self._least_sent(scope)
            if sent is not None and sent < head:
                since[scope] = sent
        if not since:
            return
        pages = await self._store.read(_pages, self._store.epoch, since)
        if not [scope for scope, page in pages.items() if self._pass_on(scope, since[scope], page, by[scope])]:
            await asyncio.sleep(FALSE_ALARM_SECONDS)

    def _pass_on(self, scope: Scope, since: int, page: ChangesPage, by: By) -> bool:
        if page.reset or not page.changes:
            return False  # a restored store is found by whoever watches for one
        self._monitor.found(by, len(page.changes))
        if scope in self._connections:
            self._send_all(Committed(scope, page.changes, page.unread_count), after=since)
            if page.has_more:
                self._mark(scope, page.seq + 1, by)
        return True

    async def close(self) -> None:
        """Cuts everyone and finishes the notes under way."""
        for connection in self.connections():
            connection.cut()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._receipts is not None:
            await self._receipts.finish()


def _pages(connection: Any, epoch: str, since: Mapping[Scope, int]) -> dict[Scope, ChangesPage]:
    return {scope: feed.changes_since(connection, scope, epoch, sent, SWEEP_LIMIT) for scope, sent in since.items()}


def _unread(change: Change) -> bool:
    return change.notification is not None and not change.notification.read
