"""The rows of the center: what the cache holds, a page at a time, newest first.

Owns which part of the cache is loaded and tells the view exactly which rows changed, so that the selection and the
scroll position survive a live feed. It only reads the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from ..cache import Cache
from ..cache_views import EVERYTHING, Counts, Narrowing
from ..protocol import Notification
from ..region import hour
from ..relative_time import clock_time, day_heading, relative
from ..words import say
from .details import spoken

PAGE = 60
DAY = timedelta(days=1)
MOST_SINGLE = 20
"""More changed ids than this are taken in by comparing the loaded part as a whole."""
MOST_LOADED = 4 * PAGE
"""While one looks at the top, a live feed does not make the loaded part longer than this."""
Index = QModelIndex | QPersistentModelIndex
NO_PARENT = QModelIndex()
ITEM = Qt.ItemDataRole.UserRole + 1
PENDING = Qt.ItemDataRole.UserRole + 2
AGE = Qt.ItemDataRole.UserRole + 3
HEADING = Qt.ItemDataRole.UserRole + 4
"""The day, over the first row of each."""
SOUGHT = Qt.ItemDataRole.UserRole + 5
"""The words that are searched for."""


@dataclass(frozen=True, slots=True)
class Row:
    """`pending`: something the person did with it has not reached the server yet."""

    item: Notification
    pending: bool
    day: date

    @property
    def key(self) -> tuple[datetime, str]:
        return self.item.created_at, self.item.id


@dataclass(frozen=True, slots=True)
class Clearing:
    """`up_to`: the feed's cursor when the person cleared. `late`: the ids that came after, and stay; `mixed`: some
    of them had been made before that cursor (a snooze ended), so "all up to there" would take them too."""

    up_to: tuple[str, int] | None
    late: frozenset[str] = frozenset()
    mixed: bool = False


class NotificationModel(QAbstractListModel):
    """`held` is the state between "Limpiar todas" and its execution: only what came after it is shown."""

    shown = Signal(int)
    """How many rows are loaded now, after every change of that number."""
    touched = Signal()
    """What the cache holds may be another: of the rows, of their numbers, of an item that is looked at."""

    def __init__(
        self, cache: Cache, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._cache, self._clock = cache, clock
        self._rows: list[Row] = []
        self._more = False
        self._narrowing = EVERYTHING
        self.at_top = True
        """Told by the view: nobody looks at rows further down, so they need not stay."""
        self._late: set[str] | None = None
        self._held_at: tuple[str, int] | None = None
        self._today = self._clock().astimezone().date()
        self.reload()

    # --- Qt's questions -----------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == ITEM:
            return row.item
        if role == PENDING:
            return row.pending
        if role == Qt.ItemDataRole.DisplayRole:
            return row.item.title
        if role == AGE:
            return self._age(row.item)
        if role == HEADING:
            return self._heading(index.row())
        if role == SOUGHT:
            return self._narrowing.search
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(row.item)
        return None

    def _age(self, item: Notification) -> str:
        now = self._clock()
        if item.snoozed_until is not None and item.snoozed_until > now:
            return say("Vuelve {}").format(clock_time(item.snoozed_until, now))
        if now - item.created_at < DAY:
            return relative(item.created_at, now)
        return hour(item.created_at.astimezone())  # the heading over it says the day

    def _spoken(self, item: Notification) -> str:
        now = self._clock()
        old = item.snoozed_until is None and now - item.created_at >= DAY
        return spoken(item, clock_time(item.created_at, now) if old else self._age(item))

    def _heading(self, at: int) -> str:
        if at > 0 and self._rows[at - 1].day == self._rows[at].day:
            return ""
        return day_heading(self._rows[at].item.created_at, self._clock())

    def canFetchMore(self, parent: Index = NO_PARENT) -> bool:
        return not parent.isValid() and self._more

    def fetchMore(self, parent: Index = NO_PARENT) -> None:
        if not self.canFetchMore(parent):
            return
        older = self._page(self._rows[-1].key if self._rows else None, PAGE)
        self._more = len(older) == PAGE
        self._insert(len(self._rows), older)

    # --- what is looked at --------------------------------------------------------------------------------------

    @property
    def narrowing(self) -> Narrowing:
        return self._narrowing

    def narrow(self, narrowing: Narrowing) -> None:
        if narrowing != self._narrowing:
            self._narrowing = narrowing
            self.reload()

    def item(self, index: Index) -> Notification | None:
        found: Notification | None = self.data(index, ITEM)
        return found

    def get(self, id: str) -> Notification | None:
        """Whether shown or not."""
        return self._cache.get(id)

    def pending(self, id: str) -> bool:
        return bool(self._cache.pending_actions(id))

    def counts(self) -> Counts:
        return Counts() if self.held else self._cache.counts(self._narrowing, now=self._clock())

    def now(self) -> datetime:
        return self._clock()

    def find(self, id: str) -> QModelIndex:
        """The row of this item, older pages included; invalid when it is not (or no longer) shown."""
        item = self._cache.get(id)
        if item is None or not self._wanted(item):
            return QModelIndex()
        while self._more and (not self._rows or self._rows[-1].key > (item.created_at, item.id)):
            self.fetchMore()
        place = self._place((item.created_at, item.id))
        known = place < len(self._rows) and self._rows[place].item.id == id
        return self.index(place) if known else QModelIndex()

    # --- the feed -----------------------------------------------------------------------------------------------

    def refresh(self, ids: Collection[str]) -> None:
        """Takes in what the cache says now of these ids; of everything when there are none."""
        if not ids or len(ids) > MOST_SINGLE or self._narrowing.search:
            self._compare(len(ids))
        else:
            for id in ids:
                self._refresh_one(id)
        self._trim()
        self._fill_up()
        self.touched.emit()

    def tick(self) -> None:
        """Ages moved on, a snooze may have ended, and today may be another day."""
        self._fill_up()
        roles = [int(AGE), int(Qt.ItemDataRole.AccessibleTextRole)]
        if (today := self._clock().astimezone().date()) != self._today:
            self._today = today
            roles.append(int(HEADING))
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1), roles)

    def reload(self) -> None:
        self.beginResetModel()
        first = self._page(None, PAGE)
        self._rows, self._more = list(first), len(first) == PAGE and not self.held
        self.endResetModel()
        self.shown.emit(len(self._rows))
        self.touched.emit()

    # --- clearing, with a way back ------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        return self._late is not None

    def hold(self) -> None:
        """Shows an empty list; what arrives from now on appears in it."""
        self._late, self._held_at = set(), self._cache.cursor
        self.reload()

    def arrived(self, ids: Collection[str]) -> None:
        if self._late is not None:
            self._late.update(ids)
            self.refresh(ids)

    def clearing(self) -> Clearing:
        """What is to go: all there was when it was held, but for what has come, or come back, since."""
        late = frozenset(self._late or ())
        woken = self._cache.covered(late, self._held_at[1]) if self._held_at is not None else late
        return Clearing(self._held_at, late, bool(woken))

    @property
    def late(self) -> frozenset[str]:
        """What arrived while held."""
        return frozenset(self._late or ())

    def release(self) -> None:
        """Shows what the cache holds again."""
        self._late = None
        self.reload()

    def unread_late(self) -> int:
        """Unread ones among what arrived while held."""
        return sum(1 for row in self._rows if not row.item.read)

    # --- rows ---------------------------------------------------------------------------------------------------

    def _page(self, before: tuple[datetime, str] | None, limit: int) -> list[Row]:
        if self._late is not None:
            late = (self._cache.get(id) for id in self._late)
            found = sorted((item for item in late if item is not None and self._wanted(item)), key=_key, reverse=True)
            return self._made(found) if before is None else []
        return self._made(self._cache.page(self._narrowing, before=before, limit=limit, now=self._clock()))

    def _made(self, items: Sequence[Notification]) -> list[Row]:
        pending = self._cache.pending_ids()
        return [Row(item, item.id in pending, item.created_at.astimezone().date()) for item in items]

    def _wanted(self, item: Notification) -> bool:
        if self._late is not None and item.id not in self._late:
            return False
        wanted = self._narrowing
        if wanted.unread is not None and wanted.unread == item.read:
            return False
        if wanted.kinds and item.type not in wanted.kinds:
            return False
        if wanted.priorities and item.priority not in wanted.priorities:
            return False
        snoozed = item.snoozed_until is not None and item.snoozed_until > self._clock()
        return snoozed == wanted.snoozed

    def _refresh_one(self, id: str) -> None:
        item = self._cache.get(id)
        at = self._row_of(id, item)
        if item is None or not self._wanted(item):
            if at is not None:
                self._remove(at, at)
            return
        row = self._made([item])[0]
        if at is not None:
            self._replace(at, row)
            return
        place = self._place(row.key)
        if place < len(self._rows) or not self._more:
            self._insert(place, [row])

    def _row_of(self, id: str, item: Notification | None) -> int | None:
        if item is not None:
            place = self._place((item.created_at, item.id))
            return place if place < len(self._rows) and self._rows[place].item.id == id else None
        return next((at for at, row in enumerate(self._rows) if row.item.id == id), None)

    def _place(self, key: tuple[datetime, str]) -> int:
        """Where a row with this key is or belongs; the rows go from newest to oldest."""
        low, high = 0, len(self._rows)
        while low < high:
            middle = (low + high) // 2
            if self._rows[middle].key > key:
                low = middle + 1
            else:
                high = middle
        return low

    def _compare(self, news: int) -> None:
        """Turns the loaded rows into what the cache holds, with as few changes as the view needs to see."""
        limit = PAGE if self.at_top else max(PAGE, len(self._rows) + news)
        wanted = self._page(None, limit)
        self._more = len(wanted) == limit and not self.held
        ids = {row.item.id for row in wanted}
        kept = sum(1 for row in self._rows if row.item.id in ids)
        if not self._rows and not wanted:
            return
        if not kept or (self.at_top and len(wanted) - kept > PAGE // 2):
            self._reset_to(wanted)
            return
        for first, last in _runs([at for at, row in enumerate(self._rows) if row.item.id not in ids]):
            self._remove(first, last)
        have = {row.item.id for row in self._rows}
        for first, last in reversed(_runs([at for at, row in enumerate(wanted) if row.item.id not in have])):
            self._insert(first, wanted[first : last + 1])
        for at, row in enumerate(wanted):
            self._replace(at, row)

    def _trim(self) -> None:
        if self.at_top and len(self._rows) > MOST_LOADED:
            self._more = True
            self._remove(PAGE, len(self._rows) - 1)

    def _reset_to(self, rows: Sequence[Row]) -> None:
        self.beginResetModel()
        self._rows = list(rows)
        self.endResetModel()
        self.shown.emit(len(self._rows))

    def _replace(self, at: int, row: Row) -> None:
        old = self._rows[at]
        if replace(old.item, seq=0) != replace(row.item, seq=0) or old.pending != row.pending:
            self._rows[at] = row
            self.dataChanged.emit(self.index(at), self.index(at))

    def _insert(self, at: int, rows: Sequence[Row]) -> None:
        if rows:
            self.beginInsertRows(QModelIndex(), at, at + len(rows) - 1)
            self._rows[at:at] = rows
            self.endInsertRows()
            self._tell_heading(at + len(rows))
            self.shown.emit(len(self._rows))

    def _remove(self, first: int, last: int) -> None:
        self.beginRemoveRows(QModelIndex(), first, last)
        del self._rows[first : last + 1]
        self.endRemoveRows()
        self._tell_heading(first)
        self.shown.emit(len(self._rows))

    def _tell_heading(self, at: int) -> None:
        """The row after a change may begin its day now, or not any more."""
        if at < len(self._rows):
            self.dataChanged.emit(self.index(at), self.index(at), [int(HEADING)])

    def _fill_up(self) -> None:
        """Rows that went away must not leave a short list while the cache has older ones."""
        while self._more and len(self._rows) < PAGE // 2:
            self.fetchMore()


def _runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each unbroken run, the last run first: what is done to it does not move the others."""
    runs: list[tuple[int, int]] = []
    for at in places:
        if runs and runs[-1][1] == at - 1:
            runs[-1] = runs[-1][0], at
        else:
            runs.append((at, at))
    return runs[::-1]


def _key(item: Notification) -> tuple[datetime, str]:
    return item.created_at, item.id
