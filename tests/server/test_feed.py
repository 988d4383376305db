"""The feed's promises, on both databases: numbers 1..head, one item per key, and a cursor that misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from crmtray.protocol import ChangesPage, Notification
from crmtray_server.store import epoch, feed, migrate, simple_clients, snoozes
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import Filter, NewItem, Scope

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANA, BRUNO = Scope("1", "ana"), Scope("1", "bruno")
ANA_ELSEWHERE = Scope("2", "ana")


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    engine = make_engine(store_url)
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    yield store
    await asyncio.to_thread(store.close)


def item(key: str, scope: Scope = ANA, priority: str = "high", title: str = "Lead Caliente") -> NewItem:
    return NewItem(scope, key, "hot_lead", title, f"mensaje {key}", {"n": 1}, priority)  # type: ignore[arg-type]


async def since(store: Store, seq: int | None, scope: Scope = ANA, limit: int = 500) -> ChangesPage:
    return await store.read(feed.changes_since, scope, store.epoch, seq, limit)


async def test_the_same_key_makes_one_item_for_each_person(store: Store) -> None:
    first = await store.write(feed.add, [item("a"), item("a"), item("a", BRUNO), item("a", ANA_ELSEWHERE)], NOW)
    again = await store.write(feed.add, [item("a"), item("a", BRUNO)], NOW)
    assert [(entry.scope, len(entry.changes)) for entry in first] == [(ANA, 1), (BRUNO, 1), (ANA_ELSEWHERE, 1)]
    assert again == []


async def test_concurrent_writers_leave_no_gap(store: Store) -> None:
    await asyncio.gather(*[store.write(feed.add, [item(f"k{n}"), item(f"k{n}", BRUNO)], NOW) for n in range(120)])
    page = await since(store, 0)
    assert [change.seq for change in page.changes] == list(range(1, 121))
    assert page.seq == 120 and page.unread_count == 120 and not page.has_more


async def test_a_failed_write_undoes_itself_and_nothing_else(store: Store) -> None:
    def add_and_fail(connection: object) -> None:
        feed.add(connection, [item("lost")], NOW)  # type: ignore[arg-type]
        raise RuntimeError("on purpose")

    good = [store.write(feed.add, [item(f"k{n}")], NOW) for n in range(3)]
    outcomes = await asyncio.gather(good[0], store.write(add_and_fail), good[1], good[2], return_exceptions=True)
    assert isinstance(outcomes[1], RuntimeError)
    page = await since(store, 0)
    assert [change.seq for change in page.changes] == [1, 2, 3]
    assert "mensaje lost" not in [change.notification.message for change in page.changes if change.notification]


async def test_a_page_shows_items_as_they_are_now(store: Store) -> None:
    [made] = await store.write(feed.add, [item("a"), item("b")], NOW)
    a, b = (change.id for change in made.changes)
    await store.write(feed.mark_read, ANA, [a], NOW)
    await store.write(feed.remove, ANA, [b], NOW)
    page = await since(store, 0)
    assert [(change.seq, change.id, change.notification is None) for change in page.changes] == [
        (1, a, False),
        (2, b, True),
        (3, a, False),
        (4, b, True),
    ]
    assert page.changes[0].notification is not None and page.changes[0].notification.read
    assert page.unread_count == 0


async def test_pages_follow_each_other(store: Store) -> None:
    await store.write(feed.add, [item(f"k{n}") for n in range(7)], NOW)
    seen, cursor = [], 0
    while True:
        page = await since(store, cursor, limit=3)
        seen += [change.seq for change in page.changes]
        cursor = page.seq
        if not page.has_more:
            break
    assert seen == [1, 2, 3, 4, 5, 6, 7] and cursor == 7


@pytest.mark.parametrize("cursor", [None, 9, 10**12])
async def test_a_cursor_outside_the_feed_starts_anew(store: Store, cursor: int | None) -> None:
    [made] = await store.write(feed.add, [item(f"k{n}") for n in range(7)], NOW)
    await store.write(feed.remove, ANA, [made.changes[0].id], NOW)
    page = await store.read(feed.changes_since, ANA, store.epoch, cursor, 500)
    assert page.reset and page.seq == 8
    assert [change.id for change in page.changes] == [change.id for change in made.changes[1:]]


async def test_another_epoch_starts_anew_and_pages_on(store: Store) -> None:
    await store.write(feed.add, [item(f"k{n}") for n in range(5)], NOW)
    page = await store.read(feed.changes_since, ANA, "an older store", 2, 3)
    assert page.reset and page.has_more and page.epoch == store.epoch
    rest = await since(store, page.seq)
    assert not rest.reset and [change.seq for change in (*page.changes, *rest.changes)] == [1, 2, 3, 4, 5]


async def test_nobody_reaches_anothers_items(store: Store) -> None:
    [made] = await store.write(feed.add, [item("a")], NOW)
    id = made.changes[0].id
    for other in (BRUNO, ANA_ELSEWHERE):
        assert await store.read(feed.get, other, id) is None
        assert (await store.write(feed.mark_read, other, [id], NOW)).changes == ()
        assert (await store.write(feed.remove, other, [id], NOW)).changes == ()
        assert (await store.write(feed.clear, other, NOW)).changes == ()
        assert (await since(store, 0, other)).changes == ()
    assert (await store.read(feed.unread_count, ANA)) == 1


async def test_mark_all_spares_what_came_later(store: Store) -> None:
    await store.write(feed.add, [item("a"), item("b")], NOW)
    await store.write(feed.add, [item("later")], NOW)
    committed = await store.write(feed.mark_all_read, ANA, NOW, 2)
    assert len(committed.changes) == 2 and committed.unread_count == 1
    cleared = await store.write(feed.clear, ANA, NOW, 2)
    assert len(cleared.changes) == 2 and all(change.notification is None for change in cleared.changes)
    assert [n.message for n in (await store.read(feed.search, ANA, Filter(), 10, 0))[0]] == ["mensaje later"]


async def test_a_removed_item_does_not_come_back_by_its_key(store: Store) -> None:
    await store.write(feed.add, [item("a")], NOW)
    await store.write(feed.clear, ANA, NOW)
    assert await store.write(feed.add, [item("a")], NOW) == []


async def test_snooze_hides_from_the_count_and_comes_back_unread(store: Store) -> None:
    [made] = await store.write(feed.add, [item("a")], NOW)
    id, later = made.changes[0].id, NOW + timedelta(hours=1)
    await store.write(feed.mark_read, ANA, [id], NOW)
    assert (await store.write(snoozes.snooze, ANA, [id], later)).unread_count == 0
    assert await store.read(snoozes.next_wake) == later
    assert await store.write(snoozes.wake, later - timedelta(seconds=1)) == []
    [woken] = await store.write(snoozes.wake, later)
    back: Notification | None = woken.changes[0].notification
    assert back is not None and not back.read and back.snoozed_until is None and woken.unread_count == 1
    assert await store.read(snoozes.next_wake) is None


async def test_search_filters_and_counts(store: Store) -> None:
    await store.write(feed.add, [item("a", title="Demo 100%"), item("b", priority="urgent")], NOW)
    await store.write(feed.add, [item("c")], NOW + timedelta(minutes=1))
    found, total = await store.read(feed.search, ANA, Filter(), 2, 0)
    assert total == 3 and [n.message for n in found] == ["mensaje c", "mensaje b"]
    assert (await store.read(feed.search, ANA, Filter(priority="urgent"), 10, 0))[1] == 1
    assert (await store.read(feed.search, ANA, Filter(text="100%"), 10, 0))[1] == 1
    assert (await store.read(feed.search, ANA, Filter(text="MENSAJE"), 10, 0))[1] == 3
    assert (await store.read(feed.search, ANA, Filter(unread=False), 10, 0))[1] == 0


async def test_what_a_simple_client_was_sent_is_remembered(store: Store) -> None:
    [made] = await store.write(feed.add, [item(f"k{n}") for n in range(3)], NOW)
    unsent = await store.read(simple_clients.never_sent, ANA, 0, 2)
    assert [n.message for n in unsent.notifications] == ["mensaje k0", "mensaje k1"] and unsent.head == 3
    await store.write(simple_clients.mark_sent, ANA, [made.changes[1].id])
    rest = await store.read(simple_clients.never_sent, ANA, 0, 10)
    assert [n.message for n in rest.notifications] == ["mensaje k2"]


async def test_a_page_names_the_epoch_of_its_rows(store: Store) -> None:
    """Another process restored the store, and this one has not noticed yet."""
    await store.write(feed.add, [item("a")], NOW)
    renewed = await store.write(epoch.renew)
    assert renewed != store.epoch
    page = await since(store, 1)
    assert page.reset and page.epoch == renewed and len(page.changes) == 1
    assert (await store.read(simple_clients.never_sent, ANA, 0, 10)).epoch == renewed


async def test_a_reader_sees_one_moment(store: Store) -> None:
    def look_while_another_writes(connection: sa.Connection) -> tuple[int, int]:
        before = feed.cursor(connection, ANA)
        with store.engine.connect().execution_options(writing=True) as other, other.begin():
            feed.add(other, [item("a")], NOW)
        return before, feed.cursor(connection, ANA)

    assert await store.read(look_while_another_writes) == (0, 0)
    assert await store.read(feed.cursor, ANA) == 1


async def test_the_epoch_stays_over_restarts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    epochs = []
    for _ in range(2):
        engine = make_engine(url)
        migrate.upgrade(engine)
        store = Store(engine)
        store.open()
        epochs.append(store.epoch)
        await asyncio.to_thread(store.close)
    assert epochs[0] and epochs[0] == epochs[1]
