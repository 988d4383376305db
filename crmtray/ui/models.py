"""The rows of the center: what the cache holds, a page at a time, newest first.

Owns which part of the cache is loaded and tells the view exactly which rows changed, so that the selection and the
scroll position survive a live feed. It only reads the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from ..cache import Cache
from ..protocol import Notification
from ..relative_time import relative
from .details import spoken

PAGE = 100
MOST_SINGLE = 200
"""More changed ids than this are taken in by comparing the loaded part as a whole."""
Index = QModelIndex | QPersistentModelIndex
NO_PARENT = QModelIndex()
ITEM = Qt.ItemDataRole.UserRole + 1
PENDING = Qt.ItemDataRole.UserRole + 2
AGE = Qt.ItemDataRole.UserRole + 3


@dataclass(frozen=True, slots=True)
class Row:
    """`pending`: something the person did with it has not reached the server yet."""

    item: Notification
    pending: bool

    @property
    def key(self) -> tuple[datetime, str]:
        return self.item.created_at, self.item.id


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the person wants to see."""

    unread: bool = False
    search: str = ""

    def __bool__(self) -> bool:
        return self.unread or bool(self.search)


class NotificationModel(QAbstractListModel):
    """`held` is the state between "Limpiar todas" and its execution: only what came after it is shown."""

    shown = Signal(int)
    """How many rows are loaded now, after every change of that number."""

    def __init__(
        self, cache: Cache, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._cache, self._clock = cache, clock
        self._rows: list[Row] = []
        self._more = False
        self._narrowing = Narrowing()
        self._late: set[str] | None = None
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
            return relative(row.item.created_at, self._clock())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(row.item, relative(row.item.created_at, self._clock()))
        return None

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
            self._compare()
        else:
            for id in ids:
                self._refresh_one(id)
        self._fill_up()

    def tick(self) -> None:
        """Ages moved on, and a snooze may have ended."""
        self._fill_up()
        if self._rows:
            roles = [AGE, Qt.ItemDataRole.AccessibleTextRole]
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1), roles)

    def reload(self) -> None:
        self.beginResetModel()
        first = self._page(None, PAGE)
        self._rows, self._more = list(first), len(first) == PAGE and not self.held
        self.endResetModel()
        self.shown.emit(len(self._rows))

    # --- clearing, with a way back ------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        return self._late is not None

    def hold(self) -> None:
        """Shows an empty list; what arrives from now on appears in it."""
        self._late = set()
        self.reload()

    def arrived(self, ids: Collection[str]) -> None:
        if self._late is not None:
            self._late.update(ids)
            self.refresh(ids)

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
        unread = True if self._narrowing.unread else None
        search = self._narrowing.search or None
        now = self._clock()
        return self._made(self._cache.page(before=before, limit=limit, unread=unread, search=search, now=now))

    def _made(self, items: Sequence[Notification]) -> list[Row]:
        return [Row(item, bool(self._cache.pending_actions(item.id))) for item in items]

    def _wanted(self, item: Notification) -> bool:
        if self._late is not None and item.id not in self._late:
            return False
        if self._narrowing.unread and item.read:
            return False
        return item.snoozed_until is None or item.snoozed_until <= self._clock()

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

    def _compare(self) -> None:
        """Turns the loaded rows into what the cache holds, with as few changes as the view needs to see."""
        limit = max(PAGE, len(self._rows))
        wanted = self._page(None, limit)
        self._more = len(wanted) == limit and not self.held
        ids = {row.item.id for row in wanted}
        if not self._rows or not wanted or len(ids.difference(row.item.id for row in self._rows)) > PAGE:
            self._reset_to(wanted)
            return
        for at in range(len(self._rows) - 1, -1, -1):
            if self._rows[at].item.id not in ids:
                self._remove(at, at)
        for at, row in enumerate(wanted):
            if at < len(self._rows) and self._rows[at].item.id == row.item.id:
                self._replace(at, row)
            else:
                self._insert(at, [row])

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
            self.shown.emit(len(self._rows))

    def _remove(self, first: int, last: int) -> None:
        self.beginRemoveRows(QModelIndex(), first, last)
        del self._rows[first : last + 1]
        self.endRemoveRows()
        self.shown.emit(len(self._rows))

    def _fill_up(self) -> None:
        """Rows that went away must not leave a short list while the cache has older ones."""
        while self._more and len(self._rows) < PAGE // 2:
            self.fetchMore()


def _key(item: Notification) -> tuple[datetime, str]:
    return item.created_at, item.id
