"""The cache: what a page of the feed does to it, what is shown, and what survives."""

from __future__ import annotations

import sqlite3
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crmtray.alerts import decide
from crmtray.cache import Cache
from crmtray.cache_views import EVERYTHING, Narrowing
from tests.client.support import NOW, gone, item, page, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def cache(path: Path) -> Iterator[Cache]:
    cache = Cache.open(path)
    yield cache
    cache.close()


def ids(cache: Cache, narrowing: Narrowing = EVERYTHING) -> list[str]:
    return [found.id for found in cache.page(narrowing, now=NOW + timedelta(hours=1))]


def filled(cache: Cache, *seqs: int) -> None:
    cache.apply(page(*(put(item(f"n{seq}", seq)) for seq in seqs), reset=True), now=NOW)


def test_a_page_and_its_cursor_are_there_after_a_restart(path: Path) -> None:
    cache = Cache.open(path)
    filled(cache, 1, 2)
    cache.close()
    again = Cache.open(path)
    assert (again.cursor, ids(again), again.recovered) == (("e1", 2), ["n2", "n1"], False)
    again.close()


def test_applying_a_page_again_changes_nothing(cache: Cache) -> None:
    filled(cache, 1)
    changes = page(put(item("n2", 2)), gone("n1", 3))
    first = cache.apply(changes, now=NOW)
    again = cache.apply(changes, now=NOW)
    assert [found.id for found in first.arrived] == ["n2"] and first.removed == {"n1"}
    assert (again.arrived, again.changed, again.removed) == ([], set(), set())
    assert ids(cache) == ["n2"] and cache.cursor == ("e1", 3)


def test_a_page_of_another_feed_is_never_mixed_in(cache: Cache) -> None:
    filled(cache, 1)
    with pytest.raises(ValueError, match="e2"):
        cache.apply(page(put(item("n2", 2)), epoch="e2"), now=NOW)
    assert ids(cache) == ["n1"]


def test_a_reset_over_several_pages_keeps_the_screen_filled_and_ends_with_the_new_feed(cache: Cache) -> None:
    filled(cache, 1, 2)
    first = page(put(item("n2", 1)), epoch="e2", seq=1, reset=True, has_more=True)
    cache.apply(first, now=NOW)
    assert set(ids(cache)) == {"n1", "n2"}
    last = cache.apply(page(put(item("n9", 2)), epoch="e2", seq=2), now=NOW)
    assert set(ids(cache)) == {"n2", "n9"} and last.removed == {"n1"} and cache.cursor == ("e2", 2)
    assert cache.pending_toasts(now=NOW) == [], "a device that starts over must not toast what it finds"


def test_an_own_change_shows_at_once_and_stays_when_the_server_confirms(cache: Cache) -> None:
    filled(cache, 1)
    intent, changed = cache.queue("read", "n1", now=NOW)
    assert changed == {"n1"} and cache.unread_count() == 0
    assert [pending.op_id for pending in cache.pending_actions("n1")] == [intent.op_id]
    cache.sent(intent.op_id, 2, now=NOW)
    assert cache.unread_count() == 0 and cache.pending_actions("n1") == []
    cache.apply(page(put(item("n1", 2, read=True, read_at=NOW))), now=NOW)
    assert cache.unread_count() == 0 and cache.sent_ids() == []


def test_a_change_of_the_server_does_not_undo_a_queued_one(cache: Cache) -> None:
    filled(cache, 1)
    cache.queue("read", "n1", now=NOW)
    cache.apply(page(put(item("n1", 2, title="Otro título"))), now=NOW)
    shown = cache.get("n1")
    assert shown is not None and shown.read and shown.title == "Otro título"


def test_a_dropped_intent_shows_the_servers_truth_again(cache: Cache) -> None:
    filled(cache, 1)
    intent, _ = cache.queue("remove", "n1", now=NOW)
    assert cache.get("n1") is None and ids(cache) == []
    assert cache.drop(intent.op_id, now=NOW) == {"n1"} and ids(cache) == ["n1"]


def test_all_means_all_that_was_seen_here(cache: Cache) -> None:
    filled(cache, 1, 2)
    read_all, _ = cache.queue("read_all", now=NOW)
    cache.apply(page(put(item("n3", 3))), now=NOW)
    assert read_all.up_to_seq == 2
    assert ids(cache, Narrowing(unread=True)) == ["n3"]
    cleared, _ = cache.queue("clear_all", now=NOW)
    cache.apply(page(put(item("n4", 4))), now=NOW)
    assert cleared.up_to_seq == 3 and ids(cache) == ["n4"]


def test_a_snoozed_item_hides_and_comes_back_as_an_alert(cache: Cache) -> None:
    filled(cache, 1)
    until = NOW + timedelta(minutes=30)
    cache.queue("snooze", "n1", {"until": until.isoformat()}, now=NOW)
    assert cache.page(now=NOW) == [] and cache.unread_count(now=NOW) == 0 and cache.next_wake() == until
    assert cache.wake(now=NOW) == [] and cache.pending_toasts(now=NOW) == []
    later = until + timedelta(seconds=1)
    assert [woken.id for woken in cache.wake(now=later)] == ["n1"]
    toast = cache.pending_toasts(now=later)
    assert [pending.id for pending in toast] == ["n1"] and cache.unread_count(now=later) == 1
    cache.mark_toasted(["n1"])
    assert cache.wake(now=later) == [] and cache.pending_toasts(now=later) == []


def test_the_servers_wake_up_call_is_one_alert_too(cache: Cache) -> None:
    filled(cache, 1)
    until = NOW + timedelta(minutes=30)
    cache.apply(page(put(item("n1", 2, snoozed_until=until))), now=NOW)
    later = until + timedelta(seconds=1)
    woken = cache.apply(page(put(item("n1", 3))), now=later)
    assert [found.id for found in woken.arrived] == ["n1"]
    assert [pending.id for pending in cache.pending_toasts(now=later)] == ["n1"]


def test_an_item_that_was_silent_and_wakes_loud_is_an_alert_whoever_wakes_it_first(cache: Cache) -> None:
    until = NOW + timedelta(minutes=5)
    for id, seq in (("server", 1), ("device", 2)):
        cache.apply(page(put(item(id, seq, silent=True, reason="quiet_hours")), reset=seq == 1), now=NOW)
        cache.queue("snooze", id, {"until": until.isoformat()}, now=NOW)
    snoozed = [item("server", 3, silent=True, snoozed_until=until), item("device", 4, silent=True, snoozed_until=until)]
    cache.apply(page(*map(put, snoozed)), now=NOW)
    assert cache.pending_toasts(now=NOW) == []
    cache.apply(page(put(item("server", 5))), now=until)
    assert [found.id for found in cache.pending_toasts(now=until)] == ["server"]
    cache.mark_toasted(["server"])
    cache.wake(now=until)  # this device's own clock, which still knows it as silent
    assert cache.pending_toasts(now=until) == []
    woken = page(put(item("device", 6)))
    assert [found.id for found in cache.apply(woken, now=until).arrived] == ["device"]
    assert [found.id for found in cache.pending_toasts(now=until)] == ["device"]
    cache.mark_toasted(["device"])
    assert cache.apply(page(put(item("device", 7))), now=until).arrived == []
    assert cache.pending_toasts(now=until) == []


def test_an_item_that_will_wake_silently_is_none_for_this_devices_clock_either(cache: Cache) -> None:
    until = NOW + timedelta(minutes=5)
    cache.apply(page(put(item("n1", 1)), reset=True), now=NOW)
    cache.apply(page(put(item("n1", 2, silent=True, reason="quiet_hours", snoozed_until=until))), now=NOW)
    assert [found.id for found in cache.wake(now=until)] == ["n1"]
    assert cache.pending_toasts(now=until) == []


def test_toasts_are_pending_once_and_only_while_young_unread_and_loud(cache: Cache) -> None:
    filled(cache)
    fresh = NOW - timedelta(minutes=1)
    cache.apply(
        page(
            put(item("old", 1, created_at=NOW - timedelta(minutes=11))),
            put(item("b", 2, created_at=fresh + timedelta(seconds=2))),
            put(item("a", 3, created_at=fresh)),
            put(item("silent", 4, created_at=fresh, silent=True)),
            put(item("read", 5, created_at=fresh, read=True)),
        ),
        now=NOW,
    )
    assert [pending.id for pending in cache.pending_toasts(now=NOW)] == ["a", "b"]
    cache.queue("read", "a", now=NOW)
    assert [pending.id for pending in cache.pending_toasts(now=NOW)] == ["b"]
    cache.mark_toasted(["b"])
    assert cache.pending_toasts(now=NOW - timedelta(minutes=5)) == [], "what was let go must not come back"


def test_a_clock_that_is_wrong_does_not_silence_live_alerts(cache: Cache) -> None:
    filled(cache)
    hour_ahead = NOW + timedelta(hours=1)
    cache.apply(page(put(item("n1", 1, created_at=NOW))), now=hour_ahead, live=True)
    pending = cache.pending_toasts(now=hour_ahead)
    assert [toast.kind for toast in decide(pending, now=hour_ahead, catching_up=False, recent=[]).toasts] == ["single"]


def test_pages_go_on_where_the_last_one_ended(cache: Cache) -> None:
    same_time = [put(item(f"n{seq}", seq, created_at=NOW)) for seq in range(1, 8)]
    cache.apply(page(*same_time, reset=True), now=NOW)
    seen: list[str] = []
    found = cache.page(limit=3)
    while found:
        seen += [entry.id for entry in found]
        found = cache.page(limit=3, before=(found[-1].created_at, found[-1].id))
    assert seen == [f"n{seq}" for seq in range(7, 0, -1)]


def test_filters(cache: Cache) -> None:
    cache.apply(
        page(put(item("a", 1, type="follow_up_reminder")), put(item("b", 2, read=True)), reset=True),
        now=NOW,
    )
    assert ids(cache, Narrowing(unread=True)) == ["a"] and ids(cache, Narrowing(unread=False)) == ["b"]
    assert ids(cache, Narrowing(kinds=frozenset({"hot_lead"}))) == ["b"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("reunion", ["a"]),
        ("REUNIÓN", ["a"]),
        ("reu", ["a"]),
        ("mundo hola", ["b"]),
        ('hola "mundo', ["b"]),
        ("hola AND nadie", []),
        ("title:hola", []),
        ("NEAR(hola", []),
        ("hola*", ["b"]),
        ("-", []),
        ('"', []),
        ("   ", ["b", "a"]),
    ],
)
def test_search_takes_whatever_a_person_types(cache: Cache, text: str, found: list[str]) -> None:
    cache.apply(
        page(
            put(item("a", 1, title="Reunión", message="x")),
            put(item("b", 2, title="hola", message="mundo")),
            reset=True,
        ),
        now=NOW,
    )
    assert ids(cache, Narrowing(search=text)) == found


def test_search_follows_a_reworded_item(cache: Cache) -> None:
    filled(cache, 1)
    cache.apply(page(put(item("n1", 2, title="Presupuesto", message=""))), now=NOW)
    assert ids(cache, Narrowing(search="presupuesto")) == ["n1"] and ids(cache, Narrowing(search="pérez")) == []


@pytest.mark.expects_log("the cache was damaged", "could not be read from the damaged cache")
@pytest.mark.parametrize("damage", [b"this is no database, whatever its name says " * 40, None])
def test_a_damaged_file_is_set_aside_and_a_new_one_made(path: Path, damage: bytes | None) -> None:
    cache = Cache.open(path)
    filled(cache, *range(1, 200))
    cache.queue("read", "n1", now=NOW)
    cache.close()
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(damage or content[:half] + b"\xff" * 8192 + content[half + 8192 :])
    cache = Cache.open(path)
    assert cache.recovered and cache.cursor is None and cache.page() == []
    assert len(list(path.parent.glob("cache.db.corrupt-*Z"))) == 1
    filled(cache, 1)
    assert ids(cache) == ["n1"]
    cache.close()


@pytest.mark.expects_log("the cache was damaged")
def test_what_was_not_sent_yet_is_saved_from_a_damaged_file(path: Path) -> None:
    cache = Cache.open(path)
    filled(cache, *range(1, 400))
    intent, _ = cache.queue("read", "n1", now=NOW)
    cache.close()
    connection = sqlite3.connect(path)
    root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'items'").fetchone()[0]
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xff" * size
    path.write_bytes(content)
    again = Cache.open(path)
    assert again.recovered and [saved.op_id for saved in again.outbox_rows()] == [intent.op_id]
    again.close()


def test_after_a_logout_no_word_is_left_in_the_files(path: Path) -> None:
    cache = Cache.open(path)
    cache.apply(page(put(item("n1", 1, title="Presupuesto secreto")), reset=True), now=NOW)
    cache.queue("action", "n1", {"action": "notify_seller", "params": {"message": "Presupuesto"}}, now=NOW)
    cache.owner = ("https://crm.example.com", "t/7")
    cache.wipe()
    assert (cache.cursor, cache.owner, cache.page(), cache.outbox_rows()) == (None, None, [], [])
    cache.close()
    for file in path.parent.iterdir():
        assert b"resupuesto" not in file.read_bytes().lower(), file.name


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
def test_other_accounts_of_the_machine_cannot_read_the_files(cache: Cache, path: Path) -> None:
    filled(cache, 1)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_only_one_process_keeps_a_file_up_to_date(cache: Cache, path: Path) -> None:
    second = Cache.open(path)
    assert cache.owned and not second.owned
    second.close()


@pytest.mark.expects_log("the cache was damaged")
def test_a_cache_of_a_newer_version_is_set_aside(path: Path) -> None:
    cache = Cache.open(path)
    cache.close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('crmtray', 'from_the_future', '')"
    )
    connection.commit()
    connection.close()
    again = Cache.open(path)
    assert again.recovered
    again.close()


def test_the_newest_state_wins_when_an_item_comes_twice_in_a_page(cache: Cache) -> None:
    filled(cache)
    newest = item("n1", 2, read=True)
    applied = cache.apply(page(put(replace(newest, seq=1)), put(newest)), now=NOW)
    assert [(found.id, found.read) for found in applied.arrived] == [("n1", True)]
    assert cache.unread_count() == 0
