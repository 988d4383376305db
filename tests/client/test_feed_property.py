"""State and changes end where a fresh fetch ends, however the changes come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from crmtray.cache import Cache
from crmtray.protocol import Change, ChangesPage, Notification
from tests.client.support import NOW, gone, item, put

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "read", "unread", "remove", "snooze", "restore", "sync", "sync", "repeat"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


class Model:
    """What a server keeps of one feed."""

    def __init__(self) -> None:
        self.epoch, self.head = 1, 0
        self.entries: list[tuple[int, str]] = []
        self.items: dict[str, Notification] = {}

    def step(self, what: str, number: int) -> None:
        id = f"n{number}"
        if what == "restore":
            self._restore()
        elif what == "remove" and id in self.items:
            del self.items[id]
            self._enter(id)
        elif what == "add" and id not in self.items:
            self.items[id] = item(id, 0, title=f"título {self.head}", created_at=NOW + timedelta(seconds=number))
            self._enter(id)
        elif what in ("read", "unread", "snooze") and id in self.items:
            until = NOW + timedelta(days=1) if what == "snooze" else None
            self.items[id] = replace(self.items[id], read=what == "read", snoozed_until=until)
            self._enter(id)

    def _enter(self, id: str) -> None:
        self.head += 1
        self.entries.append((self.head, id))
        if id in self.items:
            self.items[id] = replace(self.items[id], seq=self.head)

    def _restore(self) -> None:
        self.epoch += 1
        self.head, self.entries = 0, []
        for id in self.items:
            self._enter(id)

    def page(self, cursor: tuple[str, int] | None, limit: int) -> ChangesPage:
        epoch = f"e{self.epoch}"
        reset = cursor is None or cursor[0] != epoch
        since = 0 if cursor is None or reset else cursor[1]
        entries = sorted((kept.seq, id) for id, kept in self.items.items()) if reset else self.entries
        left = [entry for entry in entries if entry[0] > since]
        shown, more = left[:limit], len(left) > limit
        changes = tuple(self._change(seq, id) for seq, id in shown)
        return ChangesPage(epoch, shown[-1][0] if more else self.head, changes, more, reset, 0)

    def _change(self, seq: int, id: str) -> Change:
        kept = self.items.get(id)
        return gone(id, seq) if kept is None else Change(seq, id, kept)


def pull(cache: Cache, model: Model, limit: int) -> list[ChangesPage]:
    pages: list[ChangesPage] = []
    more = True
    while more:
        page = model.page(cache.cursor, limit)
        cache.apply(page, now=NOW)
        pages.append(page)
        more = page.has_more
    return pages


def contents(cache: Cache) -> set[Notification | str]:
    return {str(found.to_wire()) for found in cache.page(limit=1000, now=NOW + timedelta(days=2))}


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, limit=st.integers(1, 4))
def test_state_and_changes_are_a_fresh_fetch(steps: list[tuple[str, int]], limit: int) -> None:
    model, cache, fresh = Model(), Cache.open(None), Cache.open(None)
    last: list[ChangesPage] = []
    for what, number in steps:
        if what == "sync":
            last = pull(cache, model, limit)
        elif what == "repeat" and last and not last[-1].reset and cache.cursor == (last[-1].epoch, last[-1].seq):
            cache.apply(last[-1], now=NOW)
        else:
            model.step(what, number)
    pull(cache, model, limit)
    pull(fresh, model, 1000)
    try:
        assert contents(cache) == contents(fresh)
        assert cache.unread_count(now=NOW) == fresh.unread_count(now=NOW)
        assert cache.cursor == fresh.cursor == (f"e{model.epoch}", model.head)
    finally:
        cache.close()
        fresh.close()


def test_the_property_bites() -> None:
    """A cache that misses one change is told from a fresh one."""
    model, cache, fresh = Model(), Cache.open(None), Cache.open(None)
    model.step("add", 1)
    pull(fresh, model, 10)
    cache.apply(replace(model.page(None, 10), changes=()), now=NOW)
    assert contents(cache) != contents(fresh)
    assert put(model.items["n1"]).seq == 1
    cache.close()
    fresh.close()
