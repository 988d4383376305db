"""Whatever happens, every device ends with what the server has: the server's real feed into the client's real cache.

One person with several devices, a colleague, and somebody with the same id in another company. Pushes get lost,
devices are away, the clock moves, old items are cleaned up, another process writes, the store goes back to a backup.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmtray.api import ApiError
from crmtray.cache import Applied, Cache
from crmtray.protocol import ChangesPage, Json, Notification
from crmtray.sync import ConnectionState, Cursor, Reports, Sync
from crmtray_server.auth import Claims
from crmtray_server.cleanup import Cleanup
from crmtray_server.hub import Connection, Hub
from crmtray_server.receipts import Device
from crmtray_server.store import backup, epoch, feed, migrate, snoozes, tables
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import Committed, Filter, NewItem, Scope

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FAR = START + timedelta(days=10_000)
KEEP = timedelta(days=7)
ANA, BRUNO, ANA_ELSEWHERE = Scope("1", "ana"), Scope("1", "bruno"), Scope("2", "ana")
SCOPES = (ANA, ANA, ANA, BRUNO, ANA_ELSEWHERE)
TOLD = 0.7
"""How often the server tells its sockets; else another process did it."""


class Watched(Cache):
    """The real cache; refuses what would break the promise of the cursor."""

    def apply(self, page: ChangesPage, *, now: datetime, live: bool = False) -> Applied:
        before = self.cursor
        applied = super().apply(page, now=now, live=live)
        after = self.cursor
        if not page.reset:
            assert before is not None and after is not None
            assert after[0] == before[0] and after[1] >= before[1], "a cursor goes back only with another feed"
            numbers = [change.seq for change in page.changes]
            first = numbers[0] if numbers else before[1] + 1
            assert first <= before[1] + 1 and numbers == list(range(first, first + len(numbers))), "a gap"
        return applied


class Desk:
    """A device: the client's real sync and cache, with a line to the server that can be cut and can lose pushes."""

    def __init__(self, scope: Scope, server: Server) -> None:
        self.scope, self._server = scope, server
        self.cache = Watched.open(None)
        self.online, self.losing, self.limit = True, False, 3
        self._connection: Connection | None = None
        reports = Reports(changed=_nobody, arrived=_nobody, connection=_nobody, online=_nobody)
        self.sync = Sync(self.cache, self._changes, _heard, reports, poll_seconds=1e6, clock=lambda: server.now)
        self._running = server.loop.create_task(self.sync.run())

    async def _changes(self, cursor: Cursor) -> ChangesPage:
        if not self.online:
            raise ApiError("unreachable", "", status=0, permanent=False, detail="on purpose")
        return ChangesPage.from_wire(_over_the_wire(self._server.page(self.scope, cursor, self.limit).to_wire()))

    def subscribe(self) -> None:
        """As the server's handler does it: the page is the answer, what came meanwhile follows."""
        self.cut()
        claims = Claims(self.scope, "seller", FAR)
        connection = Connection(claims, self._receive, _drained, self.cut, Device("desk", "test"), START)
        self._server.hub.add(connection)
        self._connection = connection
        asked = self.cache.cursor or ("", 0)
        page = self._server.page(self.scope, asked, self.limit)
        self._server.hub.start(connection, "cursor", page.seq)
        self.sync.subscribed(self.cache.cursor, _over_the_wire(page.to_wire()))
        self.sync.up()

    def cut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._server.hub.remove(connection)
            self.sync.down("cut")

    def _receive(self, frame: str, _since: float | None = None) -> None:
        if self.online and not self.losing:
            name, body = json.loads(frame[1:])
            self.sync.event(name, body)

    def go(self, *, online: bool) -> None:
        self.online = online
        if not online:
            self.cut()

    async def end(self) -> None:
        self.cut()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self.cache.close()


class Server:
    """The server's real store, hub and clean-up over a SQLite file, with a clock of its own."""

    def __init__(self, empty_store: Path, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.now = loop, START
        self.url = f"sqlite:///{folder / 'store.db'}"
        shutil.copy(empty_store, folder / "store.db")
        engine = make_engine(self.url)
        # The tests survive no power cut.
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.store = Store(engine)
        self.store.open()
        self.hub = Hub(self.store)
        self.cleanup = Cleanup(self.store, self.hub, KEEP, lambda: self.now)

    def read(self, function: Callable[..., Any], *args: Any) -> Any:
        with self.store.engine.connect() as connection, connection.begin():
            return function(connection, *args)

    def write(self, function: Callable[..., Any], *args: Any, told: bool = True) -> None:
        with self.store.engine.connect().execution_options(writing=True) as connection, connection.begin():
            committed = function(connection, *args)
        if told:
            self.loop.run_until_complete(self._publish([committed] if isinstance(committed, Committed) else committed))

    async def _publish(self, committed: list[Committed]) -> None:
        self.hub.publish(committed)

    def page(self, scope: Scope, cursor: Cursor, limit: int) -> ChangesPage:
        known, since = cursor or (None, None)
        page: ChangesPage = self.read(feed.changes_since, scope, known, since, limit)
        assert page.epoch == self.read(epoch.current), "a page is of the store as it is, whatever this process knows"
        return page

    def kept(self, scope: Scope) -> list[Notification]:
        found: list[Notification] = self.read(feed.search, scope, Filter(), 10_000, 0)[0]
        return found

    def numbers(self, scope: Scope) -> list[int]:
        query = sa.select(tables.changes.c.seq).where(feed.owned_by(tables.changes, scope)).order_by("seq")
        return list(self.read(lambda connection: connection.execute(query).scalars().all()))

    def notice(self) -> None:
        """What the watch does, once it has looked."""
        current = self.read(epoch.current)
        if current != self.store.epoch:
            self.store.epoch = current
            self.hub.start_over()


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: the schema takes longer than most examples."""
    file = tmp_path_factory.mktemp("empty") / "store.db"
    engine = make_engine(f"sqlite:///{file}")
    migrate.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return file


def _nothing() -> None: ...


async def _settled() -> None:
    await _turns()
    while looking := [task for task in asyncio.all_tasks() if task.get_name() == "look"]:
        await asyncio.wait(looking)
        await _turns()


async def _turns() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


def _wire(items: Sequence[Notification]) -> list[str]:
    return sorted(json.dumps(item.to_wire(), sort_keys=True) for item in items)


def _over_the_wire(body: Json) -> Json:
    answer: Json = json.loads(json.dumps(body))
    return answer


def _nobody(*_told: Collection[str] | Sequence[Notification] | ConnectionState | str | bool) -> None:
    """Nobody looks at this device's screen."""


async def _heard(_seq: int) -> None:
    """Acknowledgements are not what this is about."""


async def _drained() -> bool:
    return True


class Office:
    """Everything that can happen, one step after the other; each takes what it needs from a number of its own."""

    def __init__(self, empty_store: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="crmtray-truth-")
        self._runner = asyncio.Runner()
        self.server = Server(empty_store, Path(self._folder.name), self._runner.get_loop())
        self.desks = [Desk(scope, self.server) for scope in (ANA, ANA, BRUNO, ANA_ELSEWHERE)]
        self._backup = Path(self._folder.name) / "copy"
        self.settle()

    def step(self, what: str, number: int) -> None:
        getattr(self, what)(Random(number))
        self.settle()

    # --- what happens to items -----------------------------------------------------------------------------------

    def create(self, any: Random) -> None:
        scope = any.choice(SCOPES)
        whose = f"{scope.tenant_id}/{scope.user_id}"
        keys = any.choices(range(30), k=any.randint(1, 6))
        items = [NewItem(scope, f"k{key}", "hot_lead", f"k{key}", whose, {"n": 0.1}, "high") for key in keys]
        self.server.write(feed.add, items, self.server.now, told=any.random() < TOLD)

    def change(self, any: Random) -> None:
        scope, now = any.choice(SCOPES), self.server.now
        ids = [item.id for item in self.server.kept(scope)]
        later = now + timedelta(hours=any.choice([3, 24 * 20, 24 * 20]))
        possible: list[tuple[Callable[..., Committed], tuple[datetime, ...]]] = [
            (feed.mark_read, (now,)),
            (feed.mark_unread, ()),
            (feed.remove, (now,)),
            (snoozes.snooze, (later,)),
        ]
        write, args = any.choice(possible)
        chosen = any.sample(ids, min(len(ids), any.randint(1, 3)))
        self.server.write(write, scope, chosen, *args, told=any.random() < TOLD)

    def change_all(self, any: Random) -> None:
        """All that one of the devices has: what it has not seen is spared."""
        desk = any.choice(self.desks)
        if desk.cache.cursor is not None:
            write = any.choice([feed.mark_all_read, feed.clear])
            self.server.write(write, desk.scope, self.server.now, desk.cache.cursor[1])

    def time_passes(self, any: Random) -> None:
        self._later(timedelta(hours=any.choice([1, 30])))

    def weeks_pass(self, any: Random) -> None:
        """What is old is removed in the first; in the second it is gone for good."""
        for _ in range(any.randint(1, 3)):
            self._later(KEEP + timedelta(hours=1))
            self._runner.run(self.server.cleanup.once())
            self.settle()
            self._check_feeds()

    def _later(self, by: timedelta) -> None:
        self.server.now += by
        self.server.write(snoozes.wake, self.server.now)

    def sweep(self, any: Random) -> None:
        self._runner.run(self.server.hub.sweep())

    # --- what happens to the store -------------------------------------------------------------------------------

    def back_up(self, any: Random) -> None:
        self._backup.unlink(missing_ok=True)
        backup.backup(self.server.url, self._backup)

    def restore(self, any: Random) -> None:
        if self._backup.exists():
            backup.restore(self._backup, self.server.url)
            # Before a device asks again, the numbers may have grown past the one it has.
            for _ in range(any.choice([0, 4, 8])):
                self.create(any)
            any.choice([_nothing, self.server.notice, self.everybody_catches_up])()

    # --- what happens to devices ---------------------------------------------------------------------------------

    def new_device(self, any: Random) -> None:
        if len(self.desks) < 7:
            self.desks.append(Desk(any.choice(SCOPES), self.server))

    def pull(self, any: Random) -> None:
        for desk in any.sample(self.desks, any.randint(1, len(self.desks))):
            desk.limit = any.randint(1, 5)
            desk.sync.request_pull()

    def connect(self, any: Random) -> None:
        desk = any.choice(self.desks)
        if desk.online:
            desk.subscribe()

    def lose_pushes(self, any: Random) -> None:
        any.choice(self.desks).losing = any.random() < 0.7

    def come_and_go(self, any: Random) -> None:
        any.choice(self.desks).go(online=any.random() < 0.5)

    # --- what must be true ---------------------------------------------------------------------------------------

    def everybody_catches_up(self, _any: Random | None = None) -> None:
        self.server.notice()
        self._later(timedelta())
        for desk in self.desks:
            desk.go(online=True)
            desk.sync.request_pull()
        self.settle()
        self._check_feeds()
        for desk in self.desks:
            self._check_desk(desk)

    def _check_desk(self, desk: Desk) -> None:
        kept = self.server.kept(desk.scope)
        shown = desk.cache.page(limit=10_000, now=FAR)
        assert _wire(shown) == _wire(kept)
        assert {item.message for item in shown} <= {f"{desk.scope.tenant_id}/{desk.scope.user_id}"}
        assert desk.cache.unread_count(now=self.server.now) == self.server.read(feed.unread_count, desk.scope)
        assert desk.cache.cursor == (self.server.read(epoch.current), self.server.read(feed.cursor, desk.scope))
        titles = [item.title for item in shown]
        assert len(titles) == len(set(titles)), "a key makes one item"

    def _check_feeds(self) -> None:
        for scope in set(SCOPES):
            now = self.server.read(feed.standing, scope)
            assert self.server.numbers(scope) == list(range(now.floor + 1, now.head + 1))
            assert all(now.floor < item.seq <= now.head for item in self.server.kept(scope))

    def settle(self) -> None:
        """Until every device has done what it can: it waits for the loop's next turn, and the hub for the store."""
        self._runner.run(_settled())

    def close(self) -> None:
        for desk in self.desks:
            self._runner.run(desk.end())
        self._runner.run(self.server.hub.close())
        self._runner.close()
        self.server.store.close()
        self._folder.cleanup()


OFTEN = {"create": 8, "change": 10, "pull": 8, "connect": 5, "weeks_pass": 4, "come_and_go": 4, "lose_pushes": 3}
SOMETIMES = {"restore": 3, "change_all": 2, "sweep": 2, "time_passes": 1, "back_up": 2, "new_device": 1}
STEPS = [step for step, times in (OFTEN | SOMETIMES).items() for _ in range(times)] + ["everybody_catches_up"]


@pytest.mark.timeout(600)  # long enough for a failure to be made small
@settings(
    max_examples=30,
    deadline=None,
    # The same runs every time where a failure must mean a change; new ones at the desk.
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9999)), min_size=30, max_size=50))
def test_every_device_ends_with_what_the_server_has(empty_store: Path, steps: list[tuple[str, int]]) -> None:
    office = Office(empty_store)
    try:
        for what, number in steps:
            office.step(what, number)
        office.everybody_catches_up()
    finally:
        office.close()
