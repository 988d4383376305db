"""What can be looked for in the cache: filters and their counts, words, and a cache that an older version wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crmtray.cache import Cache
from crmtray.cache_file import SCHEMA
from crmtray.cache_rows import truth
from crmtray.cache_views import EVERYTHING, MOST_HITS, Narrowing
from tests.client.support import NOW, item, page, put


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


def test_filters_by_priority_and_for_what_is_snoozed_with_their_counts(cache: Cache) -> None:
    later = NOW + timedelta(hours=2)
    cache.apply(
        page(
            put(item("a", 1, priority="urgent")),
            put(item("b", 2, priority="low", type="team_message")),
            put(item("c", 3, priority="low", read=True)),
            put(item("d", 4, priority="low", snoozed_until=later)),
            reset=True,
        ),
        now=NOW,
    )
    low = Narrowing(priorities=frozenset({"low"}))
    assert ids(cache, low) == ["c", "b"] and ids(cache, Narrowing(snoozed=True)) == ["d"]
    counts = cache.counts(low, now=NOW)
    assert (counts.kinds, counts.priorities) == ({"team_message": 1, "hot_lead": 1}, {"urgent": 1, "low": 2})
    assert (counts.unread, counts.snoozed) == (2, 1)
    assert cache.counts(Narrowing(unread=True), now=NOW).priorities == {"urgent": 1, "low": 1}
    cache.queue("read", "a", now=NOW)
    assert cache.counts(Narrowing(unread=True), now=NOW).priorities == {"low": 1}
    assert ids(cache, Narrowing(snoozed=True, kinds=frozenset({"team_message"}))) == []


def test_search_finds_names_notes_and_the_end_of_a_telephone_number(cache: Cache) -> None:
    data = {"lead_name": "Micaela Núñez", "phone_number": "+54 911 0000-0121", "lead_id": "977", "notes": "Pide sedán"}
    cache.apply(page(put(replace(item("a", 1), data=data)), put(item("b", 2)), reset=True), now=NOW)
    for text in ("micaela", "nunez", "sedan", "00000121", "0121"):
        assert ids(cache, Narrowing(search=text)) == ["a"], text
    assert ids(cache, Narrowing(search="977")) == []
    cache.apply(page(put(replace(item("a", 3), data={"lead_name": "Otra"}))), now=NOW)
    assert ids(cache, Narrowing(search="micaela")) == [] and ids(cache, Narrowing(search="otra")) == ["a"]


def test_a_search_ends_after_its_newest_hits_and_a_filter_counts_before_that(cache: Cache) -> None:
    rare = put(item("rare", 1, message="palabra", type="team_message"))
    rest = (put(item(f"n{seq}", seq, message="palabra")) for seq in range(2, MOST_HITS + 3))
    cache.apply(page(rare, *rest, reset=True), now=NOW)
    found = cache.page(Narrowing(search="palabra"), limit=5000, now=NOW + timedelta(days=1))
    assert len(found) == MOST_HITS and found[0].id == f"n{MOST_HITS + 2}"
    assert ids(cache, Narrowing(search="palabra", kinds=frozenset({"team_message"}))) == ["rare"]


def test_a_cache_of_the_first_release_is_taken_over_with_all_that_is_in_it(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.executescript(
        "CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT,"
        " PRIMARY KEY (migration_set, name));"
        "INSERT INTO _sqlite_migrations VALUES ('crmtray', 'tables_of_the_first_release', '2026-01-01')"
    )
    old = replace(item("old", 1, priority="urgent"), data={"lead_name": "Micaela"})
    row = truth(old) | {"first_seq": 1, "toast": "shown", "alert_at": 0, "read": 1}
    del row["priority"], row["words"]
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO items ({names}) VALUES ({values})", row)
    connection.commit()
    connection.close()
    cache = Cache.open(path)
    try:
        assert ids(cache, Narrowing(search="micaela", priorities=frozenset({"urgent"}))) == ["old"]
        assert cache.unread_count() == 0 and not cache.recovered
        cache.apply(page(put(item("new", 2)), reset=True), now=NOW)
        assert ids(cache, Narrowing(search="micaela")) == [] and ids(cache) == ["new"]
    finally:
        cache.close()


def test_all_up_to_a_cursor_spares_what_came_after_it(cache: Cache) -> None:
    filled(cache, 1, 2)
    seen = cache.cursor
    assert seen is not None
    cache.apply(page(put(item("n3", 3))), now=NOW)
    assert cache.covered(["n1", "n3", "nobody"], seen[1]) == {"n1"}
    intent, changed = cache.queue("clear_all", None, {"epoch": seen[0], "up_to_seq": seen[1]}, now=NOW)
    assert changed == {"n1", "n2"} and ids(cache) == ["n3"] and intent.up_to_seq == 2
