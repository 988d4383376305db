"""Which part of the cache is looked at, and how that is asked of SQLite. Pure: builds conditions, runs none.

Owns the words for narrowing a list, the search's bound, and how the counts of filters are made from one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .cache_rows import fts_query

MOST_HITS = 2000
"""A search shows its newest hits, at most so many: sorting all hits of a common word would make typing stutter."""
VISIBLE = "hidden = 0 AND (snoozed_until IS NULL OR snoozed_until <= :now)"
SNOOZED = "hidden = 0 AND snoozed_until > :now"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the person wants to see. No kinds or priorities: all of them."""

    unread: bool | None = None
    search: str = ""
    kinds: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    snoozed: bool = False

    @property
    def filtered(self) -> bool:
        """By kind or by priority."""
        return bool(self.kinds or self.priorities)

    def __bool__(self) -> bool:
        return bool(self.unread is not None or self.search or self.filtered or self.snoozed)


EVERYTHING = Narrowing()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many each filter would show with the others as they are. What is missing is not there at all; zero is there,
    and another filter hides it."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    priorities: Mapping[str, int] = field(default_factory=dict)
    unread: int = 0
    snoozed: int = 0


def page_query(
    narrowing: Narrowing, before: tuple[int, str] | None, limit: int, now: int
) -> tuple[str, dict[str, Any]]:
    """What follows `FROM items`: the next rows, newest first, and the arguments."""
    where, args = condition(narrowing, now)
    if before is not None:
        where += " AND (created_at, id) < (:before_at, :before_id)"
        args |= {"before_at": before[0], "before_id": before[1]}
    # Left alone, SQLite would take any index that fits a filter, and then sort all it finds.
    index = "" if "search" in args else "INDEXED BY items_newest"
    return f"{index} WHERE {where} ORDER BY created_at DESC, id DESC LIMIT :limit", args | {"limit": limit}


def condition(narrowing: Narrowing, now: int) -> tuple[str, dict[str, Any]]:
    """The WHERE of the rows it lets through, and its arguments."""
    where, args = _filters(narrowing, now)
    if narrowing.search.split():
        where = f"key IN ({_hits(where if replace(narrowing, search='') else '')}) AND {where}"
        args["search"] = fts_query(narrowing.search)
    return where, args


def _filters(narrowing: Narrowing, now: int) -> tuple[str, dict[str, Any]]:
    parts, args = [SNOOZED if narrowing.snoozed else VISIBLE], dict[str, Any](now=now)
    if narrowing.unread is not None:
        parts.append("read = 0" if narrowing.unread else "read = 1")
    for column, wanted in (("type", narrowing.kinds), ("priority", narrowing.priorities)):
        if wanted:
            names = {f"{column}{number}": value for number, value in enumerate(sorted(wanted))}
            parts.append(f"{column} IN ({', '.join(f':{name}' for name in names)})")
            args |= names
    return " AND ".join(parts), args


def _hits(where: str) -> str:
    # The plus keeps SQLite from asking the index once for each row that the filters let through: that is far slower
    # than going through the hits, newest first, until there are enough.
    inside = f"AND +rowid IN (SELECT key FROM items WHERE {where})" if where else ""
    return f"SELECT rowid FROM items_fts WHERE items_fts MATCH :search {inside} ORDER BY rowid DESC LIMIT {MOST_HITS}"


def count_query(narrowing: Narrowing, now: int) -> tuple[str, dict[str, Any]]:
    """One row for each kind and priority there is, whatever of these is chosen: (kind, priority, number)."""
    rest = Narrowing(unread=narrowing.unread, search=narrowing.search, snoozed=narrowing.snoozed)
    where, args = condition(rest, now)
    return f"SELECT type, priority, count(*) FROM items WHERE {where} GROUP BY type, priority", args


def counted(narrowing: Narrowing, table: Iterable[tuple[str, str, int]], *, unread: int, snoozed: int) -> Counts:
    kinds: dict[str, int] = {}
    priorities: dict[str, int] = {}
    for kind, priority, number in table:
        through = not narrowing.priorities or priority in narrowing.priorities
        kinds[kind] = kinds.get(kind, 0) + (number if through else 0)
        through = not narrowing.kinds or kind in narrowing.kinds
        priorities[priority] = priorities.get(priority, 0) + (number if through else 0)
    return Counts(kinds, priorities, unread, snoozed)
