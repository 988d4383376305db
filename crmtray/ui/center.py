"""The notification center: the window that opens from the tray.

Owns the window, its footer and bars, and the few seconds in which clearing can be undone. What is pressed is
told by signals or goes to the outbox through the callables it was given; rows come from the model.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QCursor, QGuiApplication, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from .bars import NOTICE_SECONDS, UNDO_SECONDS, Bar, Line
from .center_header import Header
from .empty_state import EmptyState, Reason
from .models import NotificationModel
from .notification_list import NotificationList
from .theme import WIDTH, Theme
from .toast_card import ToastButton

SHARE_OF_SCREEN = 0.8
MARGIN = 8
TICK_SECONDS = 20


class Center(QWidget):
    read_all = Signal()
    cleared = Signal(object)
    """The time to undo is over: the ids that came after the person had cleared, and stay."""
    held_changed = Signal()
    """Rows were set aside to be cleared, or came back: the number of unread ones is another."""
    closed_for_good = Signal()
    """Closed as a normal window, on a desktop without a tray."""

    def __init__(self, model: NotificationModel, theme: Theme, *, menu: QMenu | None = None) -> None:
        super().__init__()
        self.setObjectName("center")
        self.setWindowTitle(self.tr("Notificaciones — crmtray"))
        self._model, self._theme = model, theme
        self._popup, self._loaded = True, False
        self._noticed: Callable[[], None] | None = None
        self.list = NotificationList(model, theme)
        self.empty = EmptyState(theme)
        self.undo_bar, self.notice_bar = Bar(), Bar()
        self.offline_line, self.tray_line = Line(), Line()
        self.header = Header(theme, menu)
        self._build()
        self._connect()
        self._as_popup()
        self._show_rows()

    # --- building -----------------------------------------------------------------------------------------------

    def _build(self) -> None:
        frame = QFrame()
        frame.setObjectName("frame")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        for line in (self.tray_line, self.offline_line):
            layout.addWidget(line)
        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self.empty)
        layout.addWidget(body, 1)
        for bar in (self.notice_bar, self.undo_bar):
            layout.addWidget(bar)
        layout.addWidget(self._footer())
        self.setFixedWidth(WIDTH)

    def _footer(self) -> QWidget:
        footer = QFrame()
        footer.setObjectName("footer")
        layout = QHBoxLayout(footer)
        layout.setContentsMargins(8, 6, 8, 6)
        self.read_all_button = self._flat(self.tr("Marcar todas como leídas"))
        self.clear_button = self._flat(self.tr("Limpiar todas"))
        layout.addWidget(self.read_all_button)
        layout.addStretch(1)
        layout.addWidget(self.clear_button)
        return footer

    def _flat(self, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("look", "flat")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        return button

    def _connect(self) -> None:
        self.header.close_button.clicked.connect(self.close)
        self.header.narrowed.connect(self._model.narrow)
        self.header.left.connect(self._focus_rows)
        self._model.shown.connect(self._show_rows)
        self.read_all_button.clicked.connect(self.read_all)
        self.clear_button.clicked.connect(self._clear)
        self.notice_bar.pressed.connect(self._notice_pressed)
        self.undo_bar.pressed.connect(self._undo_clear)
        self.undo_bar.expired.connect(self._clear_now)
        self._tick = QTimer(self, interval=TICK_SECONDS * 1000)
        self._tick.timeout.connect(self._model.tick)

    # --- what it shows ------------------------------------------------------------------------------------------

    def set_unread(self, unread: int) -> None:
        self.header.set_unread(unread)
        self.read_all_button.setEnabled(unread > 0)

    def set_connection(self, state: str, detail: str) -> None:
        self.header.set_connection(state, detail)
        known = self.tr("Sin conexión. Se muestra lo guardado; lo que se haga se enviará al volver la conexión.")
        self.offline_line.say(known if state == "offline" and self._loaded else "")

    def set_loaded(self, loaded: bool) -> None:
        """Whether the feed has been read at least once."""
        if loaded != self._loaded:
            self._loaded = loaded
            self._show_rows()

    def notice(self, text: str, button: ToastButton | None = None) -> None:
        self._noticed = button.pressed if button is not None else None
        self.notice_bar.say(text, button.label if button is not None else self.tr("Entendido"), NOTICE_SECONDS)

    def _notice_pressed(self) -> None:
        if self._noticed is not None:
            self._noticed()

    def show_item(self, id: str | None) -> None:
        """Opens, at this item when it is still there."""
        self.open()
        if id is None:
            return
        index = self._model.find(id)
        if not index.isValid():
            self.header.show_everything()
            index = self._model.find(id)
        if index.isValid():
            self._select(index)
        else:
            self.notice(self.tr("Esa notificación ya no existe."))

    def _select(self, index: QModelIndex) -> None:
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index, NotificationList.ScrollHint.PositionAtTop)
        self.list.setFocus()

    def _show_rows(self) -> None:
        rows = self._model.rowCount()
        self._stack.setCurrentIndex(0 if rows else 1)
        if not rows:
            self.empty.show_reason(self._why_empty())
        elif self.focusWidget() in (None, self.empty):
            self._focus_rows()
        self.clear_button.setEnabled(rows > 0 and not self._model.narrowing)

    def _focus_rows(self) -> None:
        (self.list if self._model.rowCount() else self.empty).setFocus()

    def _why_empty(self) -> Reason:
        if self._model.narrowing.search:
            return "nothing_found"
        if not self._loaded:
            return "loading"
        return "nothing_unread" if self._model.narrowing.unread else "done"

    # --- clearing -----------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self.undo_bar.end_now()
        self._model.hold()
        self.undo_bar.say(self.tr("Notificaciones borradas"), self.tr("Deshacer"), UNDO_SECONDS)
        self.held_changed.emit()
        self.undo_bar.button.setFocus()

    def _undo_clear(self) -> None:
        self._model.release()
        self.held_changed.emit()
        self.list.setFocus()

    def _clear_now(self) -> None:
        # First the intents, then the rows: the other way round the cleared ones would flash up.
        self.cleared.emit(self._model.late)
        self._model.release()

    def finish_clearing(self) -> None:
        """The program ends: what was cleared stays cleared."""
        self.undo_bar.end_now()

    def forget_clearing(self) -> None:
        """The person signed out: there is nothing left to clear."""
        if self.undo_bar.waiting:
            self.undo_bar.dismiss()
            self._model.release()

    # --- the window ---------------------------------------------------------------------------------------------

    def set_hosted(self, hosted: bool) -> None:
        """With a tray it is a popup beside it; without one a normal window that says why."""
        self.tray_line.say(
            "" if hosted else self.tr("Este escritorio no tiene bandeja del sistema; crmtray queda en esta ventana.")
        )
        if hosted == self._popup:
            return
        visible = self.isVisible()
        if hosted:
            self._as_popup()
        else:
            self._as_window()
        if visible:
            self.open()

    def _as_popup(self) -> None:
        self._popup = True
        self.setWindowFlags(Qt.WindowType.Tool | Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint)
        self.header.close_button.show()

    def _as_window(self) -> None:
        self._popup = False
        self.setWindowFlags(Qt.WindowType.Window)
        self.header.close_button.hide()

    def toggle(self) -> None:
        if self.isVisible() and not self.isMinimized() and (self.isActiveWindow() or self._popup):
            self.close()
        else:
            self.open()

    def open(self) -> None:
        self._model.tick()
        if not self.isVisible():
            self._place()
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()
        if not self.header.searching:
            self._focus_rows()
        if not self.list.currentIndex().isValid() and self._model.rowCount():
            self.list.setCurrentIndex(self._model.index(0))
        self._tick.start()

    def _place(self) -> None:
        screen = QGuiApplication.screenAt(QCursor.pos()) or QGuiApplication.primaryScreen()
        available = screen.availableGeometry()
        height = round(screen.geometry().height() * SHARE_OF_SCREEN)
        self.resize(WIDTH, min(height, available.height() - 2 * MARGIN))
        if self._popup:  # a window with a frame is the window manager's to place
            self.move(beside(QCursor.pos(), self.size(), available))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.header.searching:
            self.header.stop_search()
        elif self._popup:
            self.close()
        else:
            self.showMinimized()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._tick.stop()
        event.accept()
        if not self._popup and event.spontaneous():
            self.closed_for_good.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A popup without a frame is moved by its header."""
        handle = self.windowHandle()
        if self._popup and handle is not None and event.button() == Qt.MouseButton.LeftButton:
            handle.startSystemMove()
        super().mousePressEvent(event)


def beside(cursor: QPoint, size: QSize, available: QRect) -> QPoint:
    """Near the pointer, which is on the tray when it was clicked, and inside the part of the screen that is free.

    Trays of today do not say where their icon is. Without a click (the pointer is somewhere in the middle) the lower
    right corner is as good a guess as any.
    """
    inner = available.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    edge = inner.adjusted(48, 48, -48, -48)
    if edge.contains(cursor):
        return QPoint(inner.right() - size.width() + 1, inner.bottom() - size.height() + 1)
    left = min(max(cursor.x() - size.width() // 2, inner.left()), inner.right() - size.width() + 1)
    low = cursor.y() > available.center().y()
    top = inner.bottom() - size.height() + 1 if low else inner.top()
    return QPoint(left, top)
