"""The list view: rows whose painted buttons work with mouse and keyboard.

Owns how the pointer and the keys move among rows and buttons. What a press does is told by signals; it decides
nothing.
"""

from __future__ import annotations

import html
import sys

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QHelpEvent, QHideEvent, QKeyEvent, QMouseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QToolTip, QWidget

from ..protocol import Notification
from .delegate import NotificationDelegate
from .details import one_line
from .language import Retold
from .models import ITEM, NotificationModel
from .row_buttons import RowButtons, Spoken
from .row_layout import Spot
from .theme import Theme

KEY_IS_NOT_THE_MENUS = sys.platform != "win32"
"""Shift+F10: only on Windows Qt makes of it what the menu key is."""


class NotificationList(QListView):
    """Up and down go from row to row; Tab, left and right through a row's buttons; Enter or Space press a button.
    On the row itself Enter opens its details and Space marks it read or unread."""

    pressed_action = Signal(str, int)
    """The notification's id and the number of its action."""
    pressed_check = Signal(str)
    wants_menu = Signal(str, QPoint)
    wants_removed = Signal(str)
    wants_details = Signal(str)
    wants_read = Signal(str, bool)
    """Whether it is to be read."""
    typed = Signal(str)
    """Letters, which nothing here takes: the beginning of a search."""

    def __init__(self, model: NotificationModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("list")
        self.setModel(model)
        self._notifications = model
        self._delegate = NotificationDelegate(theme, lambda: self.viewport().width(), self)
        self.setItemDelegate(self._delegate)
        Retold(self, self._tell_words)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.verticalScrollBar().setSingleStep(24)
        self.verticalScrollBar().rangeChanged.connect(self._show_handle)
        self.verticalScrollBar().valueChanged.connect(self._tell_place)
        self.setMouseTracking(True)
        self._pressed_row: str | None = None
        theme.changed.connect(self.scheduleDelayedItemsLayout)
        model.dataChanged.connect(self._check_focus)
        # A button that appears or goes changes the height of its row.
        model.dataChanged.connect(self.scheduleDelayedItemsLayout)
        self.row_buttons = RowButtons(self, self._spoken_buttons, self._press_spoken)
        self.selectionModel().currentChanged.connect(self.row_buttons.touch)
        self.verticalScrollBar().valueChanged.connect(self.row_buttons.touch)
        model.dataChanged.connect(self.row_buttons.touch)
        model.shown.connect(self.row_buttons.touch)

    def _spoken_buttons(self) -> Spoken | None:
        index = self.currentIndex()
        if not index.isValid():
            return None
        spots = self.spots(index)
        places = [self.spot_rect(index, number) for number in range(len(spots))]
        labels = [spot.label for spot in spots]
        return Spoken(index.row(), one_line(index.data(ITEM).title), labels, places, self.focused_spot)

    def _press_spoken(self, number: int) -> None:
        index = self.currentIndex()
        if index.isValid() and number < len(self.spots(index)):
            self._press(index, number)

    def _tell_words(self) -> None:
        """The words of the rows are of another length too."""
        self.setAccessibleName(self.tr("Notificaciones"))
        self._delegate.forget()
        self.scheduleDelayedItemsLayout()

    def _tell_place(self, value: int) -> None:
        self._notifications.at_top = value < self.viewport().height()

    def _show_handle(self, _least: int, most: int) -> None:
        """The bar always has its room, so that rows keep their width; with nothing to scroll it shows nothing."""
        bar = self.verticalScrollBar()
        bar.setProperty("idle", "false" if most else "true")
        bar.style().polish(bar)

    def in_view(self, id: str) -> bool:
        """Whether one sees it now."""
        index = self._notifications.find(id)
        return self.isVisible() and index.isValid() and self.viewport().rect().intersects(self.visualRect(index))

    # --- where the buttons are ----------------------------------------------------------------------------------

    def spots(self, index: QModelIndex) -> tuple[Spot, ...]:
        return self._delegate.layout(index).spots

    def spot_rect(self, index: QModelIndex, number: int) -> QRect:
        """In the viewport's coordinates."""
        return self.spots(index)[number].rect.translated(self.visualRect(index).topLeft())

    def _spot_at(self, position: QPoint) -> tuple[QModelIndex, int] | None:
        index = self.indexAt(position)
        if not index.isValid():
            return None
        inside = position - self.visualRect(index).topLeft()
        for number, spot in enumerate(self.spots(index)):
            if spot.rect.contains(inside):
                return index, number
        return None

    def _press(self, index: QModelIndex, number: int) -> None:
        item: Notification = index.data(ITEM)
        spot = self.spots(index)[number]
        if spot.kind == "check":
            self.pressed_check.emit(item.id)
        else:
            self.pressed_action.emit(item.id, spot.index)

    # --- mouse --------------------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = self._spot_at(event.position().toPoint())
        self._hover(None if found is None else _name(*found))
        super().mouseMoveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        found = self._spot_at(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and found is not None:
            self._delegate.state.pressed = _name(*found)
            self.viewport().update()
        self._pressed_row = None if found is not None else self._card_at(event)

    def _card_at(self, event: QMouseEvent) -> str | None:
        """The item whose card is under the left button; the heading of a day is none."""
        place = event.position().toPoint()
        index = self.indexAt(place)
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            return None
        inside = place - self.visualRect(index).topLeft()
        return str(index.data(ITEM).id) if self._delegate.layout(index).card.contains(inside) else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        row, self._pressed_row = self._pressed_row, None
        if row is not None and row == self._card_at(event) and self._spot_at(event.position().toPoint()) is None:
            self.wants_details.emit(row)
        pressed, self._delegate.state.pressed = self._delegate.state.pressed, None
        self.viewport().update()
        found = self._spot_at(event.position().toPoint())
        if pressed is not None and found is not None and _name(*found) == pressed:
            self._press(*found)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if keyboard else self.indexAt(event.pos())
        if index.isValid():
            at = self.visualRect(index).center() if keyboard else event.pos()
            self.wants_menu.emit(index.data(ITEM).id, self.viewport().mapToGlobal(at))

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            found = self._spot_at(event.pos())
            index = self.indexAt(event.pos())
            if found is not None:
                text = self.spots(found[0])[found[1]].label
            else:
                text = index.data(ITEM).message if index.isValid() else ""
            # Qt would take a text with tags in it for markup.
            QToolTip.showText(event.globalPos(), f"<p>{html.escape(text)}</p>" if text else "", self)
            return True
        return super().viewportEvent(event)

    def _hover(self, name: tuple[str, int] | None) -> None:
        if name != self._delegate.state.hovered:
            self._delegate.state.hovered = name
            shape = Qt.CursorShape.ArrowCursor if name is None else Qt.CursorShape.PointingHandCursor
            self.viewport().setCursor(shape)
            self.viewport().update()

    # --- keyboard -----------------------------------------------------------------------------------------------

    @property
    def focused_spot(self) -> int | None:
        """The number of the button in the current row that Enter presses."""
        index, focused = self.currentIndex(), self._delegate.state.focused
        if focused is None or not index.isValid() or index.data(ITEM).id != focused[0]:
            return None
        return focused[1] if focused[1] < len(self.spots(index)) else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._press_focused(space=key == Qt.Key.Key_Space)
        elif key == Qt.Key.Key_Right:
            self._move_spot(1)
        elif key == Qt.Key.Key_Left:
            self._move_spot(-1)
        elif key == Qt.Key.Key_F10 and event.modifiers() == Qt.KeyboardModifier.ShiftModifier and KEY_IS_NOT_THE_MENUS:
            self._open_menu()
        elif key == Qt.Key.Key_Delete and self.currentIndex().isValid():
            self.wants_removed.emit(self.currentIndex().data(ITEM).id)
        elif event.text().isalnum() and not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier:
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab goes through the buttons of the current row, then on to the next widget."""
        if self._move_spot(1 if next else -1):
            return True
        self._focus(None)
        return super().focusNextPrevChild(next)

    def _open_menu(self) -> None:
        index = self.currentIndex()
        if index.isValid():
            at = self.visualRect(index).center()
            self.wants_menu.emit(index.data(ITEM).id, self.viewport().mapToGlobal(at))

    def _press_focused(self, *, space: bool) -> None:
        index, number = self.currentIndex(), self.focused_spot
        if not index.isValid():
            return
        if number is not None:
            self._press(index, number)
        elif space:
            item: Notification = index.data(ITEM)
            self.wants_read.emit(item.id, not item.read)
        else:
            self.wants_details.emit(index.data(ITEM).id)

    def _move_spot(self, step: int) -> bool:
        index, number = self.currentIndex(), self.focused_spot
        if not index.isValid():
            return False
        wanted = (0 if step > 0 else -1) if number is None else number + step
        if 0 <= wanted < len(self.spots(index)):
            self._focus((index.data(ITEM).id, wanted))
            self.scrollTo(index)
            return True
        if number is not None and wanted < 0:
            self._focus(None)
            return True
        return False

    def _focus(self, name: tuple[str, int] | None) -> None:
        self._delegate.state.focused = name
        self.row_buttons.touch()
        self.viewport().update()

    def _check_focus(self) -> None:
        """The focused button may have gone (an item that became read has no check mark)."""
        index, focused = self.currentIndex(), self._delegate.state.focused
        if focused is not None and index.isValid() and index.data(ITEM).id == focused[0] and self.focused_spot is None:
            count = len(self.spots(index))
            self._focus((focused[0], count - 1) if count else None)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.row_buttons.touch()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.row_buttons.touch()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.row_buttons.touch()
        self.scheduleDelayedItemsLayout()
        super().resizeEvent(event)


def _name(index: QModelIndex, number: int) -> tuple[str, int]:
    return index.data(ITEM).id, number
