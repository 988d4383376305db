"""Who is connected, and the short way from a commit to their sockets.

Owns the list of live connections and what each has been sent of its owner's feed. A push is a hint: nothing is kept
for those who are away, nothing is sent again; the feed is where a client gets what it missed. Knows nothing of
Socket.IO beyond the frames it builds: a connection is anything that takes text and can be cut. What it counts goes to
the monitor, and who got what to the receipts; neither may delay a push.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from crmtray.protocol import (
    NEW_NOTIFICATION,
    NOTIFICATION_COUNT_UPDATE,
    NOTIFICATION_REMOVED,
    NOTIFICATION_UPDATED,
    Change,
)

from .auth import Claims
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
BURST = 100
"""More changes than this at once are not pushed one by one: a queue is bounded, and the feed gives them in pages."""
MAX_HELD = 1000
"""Changes held for a connection while it subscribes; one that is so far behind starts over."""

MOST_UNACKNOWLEDGED = 500
"""Items kept for a device that does not acknowledge; older ones stay noted as sent."""

Mode = Literal["none", "subscribing", "cursor", "simple"]


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
        self._heads: dict[Scope, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

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
                self._heads.pop(connection.scope, None)

    def cut_session(self, session: str) -> None:
        for connection in self.connections():
            if connection.claims.session == session:
                connection.cut()

    def start_over(self) -> None:
        """The store is another one: what was sent means nothing any more, everybody comes again."""
        self._heads.clear()
        for connection in self.connections():
            connection.cut()

    def publish(self, committed: Iterable[Committed]) -> None:
        """Sends what was just committed to whoever of its owners is connected. Call it in the order of the commits."""
        since = committed_at()
        for entry in committed:
            self._count_new(entry)
            self._pass_on(entry, since)

    def _pass_on(self, entry: Committed, since: float | None = None) -> None:
        if entry.changes and entry.scope in self._connections:
            self._heads[entry.scope] = max(self._heads.get(entry.scope, 0), entry.changes[-1].seq)
            self._send_all(entry, since)

    def _count_new(self, entry: Committed) -> None:
        for change in entry.changes:
            if change.new and change.notification is not None:
                item = change.notification
                self._monitor.stored(item.type, item.silent, item.reason)

    def start(self, connection: Connection, mode: Literal["cursor", "simple"], sent: int) -> None:
        """The connection has everything up to `sent`: what came meanwhile goes out now, the rest as it is committed."""
        connection.mode, connection.sent = mode, sent
        self._heads[connection.scope] = max(self._heads.get(connection.scope, 0), sent)
        held, connection.held = connection.held, []
        for entry in held:
            self._deliver(connection, entry, _frames(entry))

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

    def _send_all(self, entry: Committed, since: float | None) -> None:
        frames = _frames(entry)
        for connection in tuple(self._connections[entry.scope]):
            if connection.mode == "subscribing":
                connection.held.append(entry)
                if len(connection.held) > MAX_HELD:
                    connection.cut()
            elif connection.mode != "none":
                self._deliver(connection, entry, frames, since)

    def _deliver(
        self, connection: Connection, entry: Committed, frames: list[tuple[int, str]], since: float | None = None
    ) -> None:
        fresh = [frame for seq, frame in frames if seq > connection.sent]
        if not fresh:
            return
        if connection.mode == "simple":
            if entry.changes[0].seq > connection.sent + 1:  # another process stored what lies between
                self._spawn(self._fill(connection), "fill")
                return
            if len(fresh) > BURST:
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

    def _note_pushed(self, connection: Connection, entry: Committed, before: int) -> None:
        now = self._monitor.clock()
        new = [change for change in entry.changes if change.new and change.seq > before]
        self._note_given(connection, [Given(change.seq, change.id, "socket", now) for change in new])

    def _remember_soon(self, entry: Committed) -> None:
        """Notes that a client without a cursor was sent these. After sending: rather twice than never."""
        ids = [change.id for change in entry.changes if change.new]
        if ids:
            self._spawn(self._remember(entry.scope, ids), "remember-sent")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
            self._deliver(connection, entry, _frames(entry))

    async def _remember(self, scope: Scope, ids: list[str]) -> None:
        try:
            await self._store.write(simple_clients.mark_sent, scope, ids)
        except StoreUnavailable as error:
            log.warning("could not note what was sent: %s", error)

    async def sweep_forever(self) -> None:
        """Finds what this process was not told: changes of other processes."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        scopes = list(self._connections)
        if not scopes:
            return
        for scope, head in (await self._store.read(feed.heads, scopes)).items():
            known = self._heads.get(scope)
            if known is None:
                self._heads.setdefault(scope, head)
            elif head > known:
                await self._catch_up(scope, known)

    async def _catch_up(self, scope: Scope, since: int) -> None:
        epoch = self._store.epoch
        page = await self._store.read(feed.changes_since, scope, epoch, since, SWEEP_LIMIT)
        # A push that came in between is looked at again by the next sweep; a restored store by whoever watches for one.
        if self._heads.get(scope) == since and not page.reset:
            self._pass_on(Committed(scope, page.changes, page.unread_count))

    async def close(self) -> None:
        """Cuts everyone and finishes the notes under way."""
        for connection in self.connections():
            connection.cut()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._receipts is not None:
            await self._receipts.finish()


def _unread(change: Change) -> bool:
    return change.notification is not None and not change.notification.read


def event_frame(name: str, body: Any) -> str:
    """A Socket.IO EVENT packet of the default namespace, without Engine.IO's type in front."""
    return f"2{orjson.dumps([name, body]).decode()}"


def count_frame(count: int, epoch: str, seq: int) -> str:
    return event_frame(NOTIFICATION_COUNT_UPDATE, {"count": count, "epoch": epoch, "seq": seq})


def _frames(entry: Committed) -> list[tuple[int, str]]:
    """One frame a change, built once for all of the owner's connections."""
    return [(change.seq, _frame(change)) for change in entry.changes]


def _frame(change: Change) -> str:
    if change.notification is None:
        return event_frame(NOTIFICATION_REMOVED, {"id": change.id, "seq": change.seq})
    name = NEW_NOTIFICATION if change.new else NOTIFICATION_UPDATED
    return event_frame(name, change.notification.to_wire())
