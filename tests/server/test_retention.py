"""What is too old goes: first from every device, later from the disk. On both databases, by the test's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from crmtray.protocol import ChangesPage
from crmtray_server.cleanup import Cleanup
from crmtray_server.hub import Hub
from crmtray_server.store import feed, migrate, retention, sessions, snoozes, tables
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import Committed, Filter, NewItem, Scope
from tests.server.live import ALICE, BOB, live_server, sockets, until
from tests.server.reference_crm import HOUR, ReferenceCrm, Watch

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
ANA, BRUNO, ANA_ELSEWHERE = Scope("1", "ana"), Scope("1", "bruno"), Scope("2", "ana")


async def opened(url: str) -> Store:
    engine = make_engine(url)
    migrate.upgrade(engine)
    store = Store(engine)
    await asyncio.to_thread(store.open)
    return store


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    store = await opened(store_url)
    yield store
    await asyncio.to_thread(store.close)


async def clean(store: Store, now: datetime) -> dict[str, int]:
    return dict(await Cleanup(store, Hub(store), WEEK, lambda: now).once())


async def add(store: Store, *keys: str, scope: Scope = ANA, at: datetime = NOW) -> list[str]:
    items = [NewItem(scope, key, "hot_lead", f"título {key}", key, {}, "high") for key in keys]
    return [change.id for entry in await store.write(feed.add, items, at) for change in entry.changes]


async def since(store: Store, seq: int | None, scope: Scope = ANA, limit: int = 10_000) -> ChangesPage:
    return await store.read(feed.changes_since, scope, store.epoch, seq, limit)


async def kept(store: Store, scope: Scope = ANA) -> list[str]:
    found, _ = await store.read(feed.search, scope, Filter(), 1000, 0)
    return sorted(notification.message for notification in found)


async def count(store: Store, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await store.read(lambda connection: int(connection.execute(query).scalar_one()))


async def pages(store: Store, limit: int) -> list[ChangesPage]:
    """What a client that starts anew asks for, to its end."""
    found = [await since(store, None, limit=limit)]
    while found[-1].has_more:
        assert len(found) < 1000, "never ends"
        found.append(await since(store, found[-1].seq, limit=limit))
    return found


async def test_old_items_are_removed_through_the_feed(store: Store) -> None:
    await add(store, "old", "older")
    await add(store, "new", at=NOW + DAY)
    await add(store, "theirs", scope=ANA_ELSEWHERE)
    assert await clean(store, NOW + WEEK) == {}
    assert await clean(store, NOW + WEEK + HOUR) == {"notifications removed": 3}
    assert await kept(store) == ["new"] and await kept(store, ANA_ELSEWHERE) == []
    page = await since(store, 3)
    assert not page.reset and [(change.seq, change.notification) for change in page.changes] == [(4, None), (5, None)]
    assert page.unread_count == 1
    assert await add(store, "old") == [], "it still has its key"


async def test_what_is_put_off_stays_and_counts_anew_when_it_is_back(store: Store) -> None:
    [id] = await add(store, "put off")
    await store.write(snoozes.snooze, ANA, [id], NOW + 20 * DAY)
    assert await clean(store, NOW + 19 * DAY) == {}
    # Its moment has come, and nobody has woken it yet: it must still be seen.
    assert await clean(store, NOW + 21 * DAY) == {}
    await store.write(snoozes.wake, NOW + 21 * DAY)
    assert await clean(store, NOW + 27 * DAY) == {} and await kept(store) == ["put off"]
    assert await clean(store, NOW + 29 * DAY) == {"notifications removed": 1}


async def test_much_later_rows_and_entries_are_deleted_and_the_floor_rises(store: Store) -> None:
    ids = await add(store, *[f"k{n:03}" for n in range(250)])
    await store.write(feed.mark_read, ANA, ids[:50], NOW)
    await add(store, "untouched", scope=BRUNO, at=NOW + 10 * DAY)
    assert await clean(store, NOW + 8 * DAY) == {"notifications removed": 250}
    assert await count(store, tables.notifications) == 251 and await count(store, tables.changes) == 551
    assert await clean(store, NOW + 16 * DAY) == {"notifications deleted": 250}
    assert await count(store, tables.notifications) == 1 and await count(store, tables.changes) == 1
    behind, there = await since(store, 549), await since(store, 550)
    assert behind.reset and behind.changes == () and behind.seq == 550
    assert not there.reset and there.changes == ()
    assert not (await since(store, 0, BRUNO)).reset
    assert len(await add(store, "k000", at=NOW + 16 * DAY)) == 1, "its key is free again"
    page = await since(store, 550)
    assert not page.reset and [change.seq for change in page.changes] == [551]


async def test_what_a_feed_keeps_lies_above_its_floor(store: Store) -> None:
    """Else a client that starts anew in pages would be sent back to the start by the number it was given."""
    put_off = await add(store, *[f"put off {n}" for n in range(5)])
    await add(store, "old")
    await store.write(snoozes.snooze, ANA, put_off, NOW + 300 * DAY)
    await clean(store, NOW + 8 * DAY)
    await add(store, "new", at=NOW + 15 * DAY)
    assert await clean(store, NOW + 16 * DAY) == {"notifications deleted": 1}
    assert (await since(store, 11)).reset
    for limit in (1, 2, 100):
        found = await pages(store, limit)
        assert [page.reset for page in found] == [True] + [False] * (len(found) - 1)
        shown = {change.notification.message for page in found for change in page.changes if change.notification}
        assert shown == {"new", *(f"put off {n}" for n in range(5))}
        assert found[-1].seq == 18
    rest = await since(store, 12)
    assert not rest.reset and [change.seq for change in rest.changes] == list(range(13, 19))


async def test_two_processes_at_once_are_harmless(store: Store, store_url: str) -> None:
    other = await opened(store_url)
    try:
        for scope in (ANA, BRUNO, ANA_ELSEWHERE):
            await add(store, *[f"k{n}" for n in range(230)], scope=scope)
        for now, what in ((NOW + 8 * DAY, "notifications removed"), (NOW + 16 * DAY, "notifications deleted")):
            done = await asyncio.gather(clean(store, now), clean(other, now))
            assert sum(gone.get(what, 0) for gone in done) == 690
        for scope in (ANA, BRUNO, ANA_ELSEWHERE):
            page = await since(store, 460, scope)
            assert not page.reset and page.seq == 460 and (await since(store, 459, scope)).reset
    finally:
        await asyncio.to_thread(other.close)


def rows(now: datetime) -> dict[sa.Table, tuple[dict[str, Any], dict[str, Any]]]:
    """By table: what is too old at that moment, and what is just not."""
    ana = {"tenant_id": "1", "user_id": "ana"}
    almost, just = timedelta(hours=-1), timedelta(hours=1)

    def delivery(id: str, at: datetime) -> dict[str, Any]:
        named = {"notification_id": id, "channel": "socket", "device": "d", "state": "sent", "attempts": 1}
        return ana | named | {"created_at": at, "updated_at": at}

    def kept_out(key: str, at: datetime) -> dict[str, Any]:
        return ana | {
            "dedupe_key": key, "type": "t", "priority": "low", "data": {}, "reason": "r", "created_at": at
        }  # fmt: skip

    def operation(id: str, at: datetime) -> dict[str, Any]:
        return ana | {"operation_id": id, "request": "r", "result": {}, "created_at": at}

    month, week = now - 30 * DAY, now - WEEK
    return {
        tables.operations: (operation("old", month + almost), operation("new", month + just)),
        tables.deliveries: (delivery("old", week + almost), delivery("new", week + just)),
        tables.suppressed: (kept_out("old", week + almost), kept_out("new", week + just)),
    }


async def test_what_is_in_no_feed_goes_by_age(store: Store) -> None:
    now = NOW + 100 * DAY
    for table, found in rows(now).items():
        await store.write(lambda connection, table=table, found=found: connection.execute(table.insert(), found))
    assert await clean(store, now) == {"operations": 1, "deliveries": 1, "suppressed": 1}
    for table in rows(now):
        assert await count(store, table) == 1


async def test_operations_are_kept_as_long_as_the_items(store: Store) -> None:
    expiry = next(retention.expiries(NOW, timedelta(days=90)))
    [old, _] = rows(NOW)[tables.operations]
    await store.write(lambda connection: connection.execute(tables.operations.insert().values(old)))
    assert expiry.table is tables.operations and await store.write(retention.delete_some, expiry) == 0


async def test_logins_that_ended_a_month_ago_are_deleted(store: Store) -> None:
    living, _ = await store.write(sessions.start, ANA, NOW + 40 * DAY)
    ended, _ = await store.write(sessions.start, ANA, NOW + 40 * DAY)
    await store.write(sessions.start, ANA, NOW)  # good for thirty days, and then gone for thirty
    await store.write(sessions.revoke, ended, NOW + 40 * DAY)
    assert await clean(store, NOW + 59 * DAY) == {}
    assert await clean(store, NOW + 61 * DAY) == {"sessions": 1}
    assert await clean(store, NOW + 71 * DAY) == {"sessions": 1}
    assert await store.read(sessions.revoked, [living, ended]) == {ended}


def filled(table: sa.Table, **given: Any) -> dict[str, Any]:
    """A row with something in every column that must have something."""
    defaults = {sa.Boolean: False, tables.UtcTime: NOW, sa.JSON: {}, sa.Integer: 0}
    needed = (column for column in table.columns if not column.nullable)
    return {column.name: defaults.get(type(column.type), "x") for column in needed} | given


async def test_of_a_mirrored_crm_only_what_detection_no_longer_needs_goes(store: Store) -> None:
    def mirror(connection: Any) -> None:
        say, talk, lead = tables.mirror_messages, tables.mirror_conversations, tables.mirror_leads
        for id, age in (("old", 31), ("new", 29)):
            connection.execute(say.insert().values(filled(say, id=id, created_at=NOW - age * DAY)))
        for id, status, age in (
            ("old", "closed", 91),
            ("new", "closed", 89),
            ("open", "active", 500),
            ("?", None, 500),
        ):
            row = filled(talk, id=id, status=status, changed_at=NOW - age * DAY)
            connection.execute(talk.insert().values(row))
        connection.execute(lead.insert().values(filled(lead, id="old", changed_at=NOW - 500 * DAY)))

    await store.write(mirror)
    assert await clean(store, NOW) == {"mirror_messages": 1, "mirror_conversations": 1}
    assert await count(store, tables.mirror_leads) == 1 and await count(store, tables.mirror_conversations) == 3


class Interrupting(Hub):
    """Lets somebody write as soon as the first step is told, and notes how large the steps are."""

    def __init__(self, store: Store, write: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        super().__init__(store)
        self.steps: list[int] = []
        self._write = write
        self.writing: asyncio.Task[Any] | None = None

    def publish(self, committed: Iterable[Committed]) -> None:
        self.steps += [len(entry.changes) for entry in committed]
        if self.writing is None:
            self.writing = asyncio.create_task(self._write())


async def test_many_rows_go_in_steps_that_let_writers_through(store: Store) -> None:
    await add(store, *[f"k{n}" for n in range(950)])
    hub = Interrupting(store, lambda: add(store, "between", at=NOW + 8 * DAY))
    gone = await Cleanup(store, hub, WEEK, lambda: NOW + 8 * DAY).once()
    assert gone == {"notifications removed": 950} and max(hub.steps) <= retention.STEP
    assert hub.writing is not None
    await hub.writing
    [between] = (await store.read(feed.search, ANA, Filter(), 10, 0))[0]
    assert 950 < between.seq < await store.read(feed.cursor, ANA) - retention.STEP


def look(store: Store, at: Callable[[Any, Scope], int]) -> int:
    with store.engine.connect() as connection:
        return at(connection, ANA)


async def test_an_episode_outlives_its_item(crm: ReferenceCrm, watch: Watch, tmp_path: Path) -> None:
    crm.conversation(11, watch.now - 2 * HOUR)
    assert {told.user_id for told in await watch.read()} == {"7", "3"}
    assert {told.user_id for told in await watch.read(after=5 * HOUR)} == {"2"}
    store = await opened(f"sqlite:///{tmp_path / 'watch.db'}")
    try:
        for what in ("removed", "deleted"):
            assert await watch.read(after=8 * DAY) == []
            assert await clean(store, watch.now) == {f"notifications {what}": 3}
        watch.restart()
        assert await watch.read(after=HOUR) == []
    finally:
        await asyncio.to_thread(store.close)


async def test_sockets_are_told_and_one_that_was_away_starts_anew(tmp_path: Path) -> None:
    async with live_server(tmp_path) as live:
        store, hub = live.server.store, live.server.hub
        ids = await live.tell(ALICE, "a", "b")
        await live.tell(BOB, "c")
        async with sockets(live, live.token(ALICE), live.token(BOB)) as [alice, bob]:
            for socket in (alice, bob):
                await socket.call("subscribe_notifications", {"epoch": store.epoch, "since": 1})
            later = datetime.now(UTC) + 8 * DAY
            await Cleanup(store, hub, WEEK, lambda: later).once()
            assert await alice.wait("notification_removed", 2) == [
                {"id": ids[0], "seq": 3},
                {"id": ids[1], "seq": 4},
            ]
            assert (await alice.wait("notification_count_update"))[-1]["count"] == 0
            assert [body["seq"] for body in await bob.wait("notification_removed")] == [2]
            await Cleanup(store, hub, WEEK, lambda: later + 8 * DAY).once()
            away = await alice.call("subscribe_notifications", {"epoch": store.epoch, "since": 2})
            assert away["reset"] and away["changes"] == [] and away["seq"] == 4


async def test_it_runs_a_while_after_the_start_and_then_again(store: Store) -> None:
    now = NOW
    tick = timedelta(milliseconds=5)
    await add(store, "first")
    running = asyncio.create_task(Cleanup(store, Hub(store), WEEK, lambda: now, first=tick, every=tick).run())
    try:
        for key in ("first", "second"):
            now += 8 * DAY
            await until(lambda: look(store, feed.unread_count) == 0)
            if key == "first":
                await add(store, "second", at=now)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_server_runs_it_with_the_retention_of_its_settings(tmp_path: Path) -> None:
    async with live_server(tmp_path, notification_retention_days=0.000001) as live:
        assert "cleanup" in {name for name, _ in live.server.background()}
        await live.tell(ALICE, "a")
        await asyncio.sleep(0.1)  # the retention, 0.0864 s of real time
        assert await live.server.cleanup.once() == {"notifications removed": 1}
