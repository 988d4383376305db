"""Who is connected, and the short way from a commit to their sockets.

Owns the list of live connections and what each has been sent of its owner's feed. A push is a hint: nothing is kept
for those who are away, nothing is sent again; the feed is where a client gets what it missed. Knows nothing of
Socket.IO beyond the frames it builds: a connection is anything that takes text and can be cut.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from crmtray.protocol import (
    NEW_NOTIFICATION,
    NOTIFICATION_COUNT_UPDATE,
    NOTIFICATION_REMOVED,
    NOTIFICATION_UPDATED,
    Change,
)

from .auth import Claims
from .store import feed, sessions, simple_clients
from .store.database import Store, StoreUnavailable
from .store.feed import Committed, Scope

log = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
"""Bounds what a missed push costs: another process wrote, or revoked a login."""
SWEEP_LIMIT = 500
BURST = 100
"""More changes than this at once are not pushed one by one: a queue is bounded, and the feed gives them in pages."""
MAX_HELD = 1000
"""Changes held for a connection while it subscribes; one that is so far behind starts over."""

Mode = Literal["none", "subscribing", "cursor", "simple"]


@dataclass(eq=False, slots=True)
class Connection:
    """One authenticated socket. `send` queues a frame, `drained` waits until all are sent, `cut` ends it."""

    claims: Claims
    send: Callable[[str], None]
    drained: Callable[[], Awaitable[bool]]
    cut: Callable[[], None]
    mode: Mode = "none"
    sent: int = 0
    acknowledged: int = 0
    held: list[Committed] = field(default_factory=list)

    @property
    def scope(self) -> Scope:
        return self.claims.scope


class Hub:
    """Connections by owner. All methods run on the loop's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connections: dict[Scope, set[Connection]] = {}
        self._heads: dict[Scope, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return sum(len(group) for group in self._connections.values())

    def of(self, scope: Scope) -> int:
        return len(self._connections.get(scope, ()))

    def add(self, connection: Connection) -> None:
        self._connections.setdefault(connection.scope, set()).add(connection)

    def remove(self, connection: Connection) -> None:
        group = self._connections.get(connection.scope)
        if group is not None:
            group.discard(connection)
            if not group:
                del self._connections[connection.scope]
                self._heads.pop(connection.scope, None)

    def cut_session(self, session: str) -> None:
        for connection in [c for group in self._connections.values() for c in group if c.claims.session == session]:
            connection.cut()

    def publish(self, committed: Iterable[Committed]) -> None:
        """Sends what was just committed to whoever of its owners is connected. Call it in the order of the commits."""
        for entry in committed:
            if entry.changes and entry.scope in self._connections:
                self._heads[entry.scope] = max(self._heads.get(entry.scope, 0), entry.changes[-1].seq)
                self._send_all(entry)

    def start(self, connection: Connection, mode: Literal["cursor", "simple"], sent: int) -> None:
        """The connection has everything up to `sent`: what came meanwhile goes out now, the rest as it is committed."""
        connection.mode, connection.sent = mode, sent
        self._heads[connection.scope] = max(self._heads.get(connection.scope, 0), sent)
        held, connection.held = connection.held, []
        for entry in held:
            self._deliver(connection, entry, _frames(entry))

    def _send_all(self, entry: Committed) -> None:
        frames = _frames(entry)
        for connection in tuple(self._connections[entry.scope]):
            if connection.mode == "subscribing":
                connection.held.append(entry)
                if len(connection.held) > MAX_HELD:
                    connection.cut()
            elif connection.mode != "none":
                self._deliver(connection, entry, frames)

    def _deliver(self, connection: Connection, entry: Committed, frames: list[tuple[int, str]]) -> None:
        fresh = [frame for seq, frame in frames if seq > connection.sent]
        if not fresh:
            return
        if len(fresh) > BURST and connection.mode == "simple":
            connection.cut()  # it comes back, and gets what it was never sent in pages
            return
        connection.sent = entry.changes[-1].seq
        if len(fresh) <= BURST:
            for frame in fresh:
                connection.send(frame)
        # Ahead of what was sent, the count tells a client with a cursor to ask the feed.
        connection.send(count_frame(entry.unread_count, self._store.epoch, connection.sent))
        if connection.mode == "simple":
            self._remember_soon(entry)

    def _remember_soon(self, entry: Committed) -> None:
        """Notes that a client without a cursor was sent these. After sending: rather twice than never."""
        ids = [change.id for change in entry.changes if change.new]
        if ids:
            task = asyncio.get_running_loop().create_task(self._remember(entry.scope, ids), name="remember-sent")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _remember(self, scope: Scope, ids: list[str]) -> None:
        try:
            await self._store.write(simple_clients.mark_sent, scope, ids)
        except StoreUnavailable as error:
            log.warning("could not note what was sent: %s", error)

    async def sweep_forever(self) -> None:
        """Finds what this process was not told: changes of other processes, logins that ended elsewhere."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        await self._cut_revoked()
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
        page = await self._store.read(feed.changes_since, scope, epoch, epoch, since, SWEEP_LIMIT)
        if self._heads.get(scope) == since:  # else a push has come in between and the next sweep looks again
            self.publish([Committed(scope, page.changes, page.unread_count)])

    async def _cut_revoked(self) -> None:
        ids = {c.claims.session for group in self._connections.values() for c in group if c.claims.session}
        if ids:
            for session in await self._store.read(sessions.revoked, list(ids)):
                self.cut_session(session)

    async def close(self) -> None:
        """Cuts everyone and finishes the notes under way."""
        for connection in [c for group in self._connections.values() for c in group]:
            connection.cut()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


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
