"""The notification center: the window that opens from the tray.

Owns the window, its footer and bars, and the few seconds in which clearing can be undone. What is pressed is
told by signals or goes to the outbox through the callables it was given; rows come from the model.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QCursor, QKeyEvent, QMouseEvent
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
from .details_pane import DetailsPane
from .empty_state import EmptyState, Reason, why_empty
from .language import Retold
from .models import NotificationModel
from .notification_list import NotificationList
from .placement import placed, widen
from .sizes import spaced
from .tasks import Spawn
from .theme import Theme, center_width
from .toast_card import ToastButton
from .why import Explain, Why

TICK_SECONDS = 20
COUNT_MS = 120
"""How long the numbers of the filters may be behind: a burst of news is counted once."""


class Center(QWidget):
    read_all = Signal()
    cleared = Signal(object)
    """The time to undo is over: the Clearing to carry out."""
    marked = Signal(str, bool)
    """An item that is to be read, or unread again."""
    snoozed = Signal(str, object)
    """An item, and until when; None: the person is to be asked."""
    retry = Signal()
    """The person does not want to wait for the next attempt to connect."""
    held_changed = Signal()
    """Rows were set aside to be cleared, or came back: the number of unread ones is another."""
    closed_for_good = Signal()
    """Closed as a normal window, on a desktop without a tray."""

    def __init__(
        self, model: NotificationModel, theme: Theme, explain: Explain, spawn: Spawn, *, menu: QMenu | None = None
    ) -> None:
        super().__init__()
        self.setObjectName("center")
        self._model, self._theme = model, theme
        self._popup, self._loaded = True, False
        self._state, self._detail = "offline", ""
        self._unread = 0
        self._noticed: Callable[[], None] | None = None
        self.list = NotificationList(model, theme)
        self.empty = EmptyState(theme)
        self.details = DetailsPane(theme, Why(explain, spawn, model.now), model.now)
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
        self._stack.addWidget(self.details)
        layout.addWidget(body, 1)
        for bar in (self.notice_bar, self.undo_bar):
            layout.addWidget(bar)
        self._foot = self._footer()
        layout.addWidget(self._foot)
        self.setFixedWidth(center_width())

    def _footer(self) -> QWidget:
        footer = QFrame()
        footer.setObjectName("footer")
        layout = QHBoxLayout(footer)
        spaced(footer, layout, 8, 6, 8, 6, space=6)
        self.read_all_button, self.clear_button = self._flat(), self._flat()
        Retold(footer, self._name_buttons)
        layout.addWidget(self.read_all_button)
        layout.addStretch(1)
        layout.addWidget(self.clear_button)
        return footer

    def _name_buttons(self) -> None:
        self.read_all_button.setText(self.tr("Marcar todas como leídas"))
        self.clear_button.setText(self.tr("Limpiar todas"))

    def _flat(self) -> QPushButton:
        button = QPushButton(autoDefault=True)  # Enter presses it, too
        button.setProperty("look", "flat")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        return button

    def _connect(self) -> None:
        self.header.close_button.clicked.connect(self.close)
        self.header.narrowed.connect(self._model.narrow)
        self.header.left.connect(self._focus_rows)
        for looks_elsewhere in (self.header.narrowed, self.header.search_begins):
            looks_elsewhere.connect(self.leave_details)
        self._model.shown.connect(self._show_rows)
        self._model.touched.connect(self._touched)
        self._theme.changed.connect(lambda: widen(self, center_width()))
        self._connect_items()
        self.read_all_button.clicked.connect(self.read_all)
        self.clear_button.clicked.connect(self._clear)
        self.notice_bar.pressed.connect(self._notice_pressed)
        self.undo_bar.pressed.connect(self._undo_clear)
        self.undo_bar.expired.connect(self._clear_now)
        self._tick = QTimer(self, interval=TICK_SECONDS * 1000)
        self._tick.timeout.connect(self._model.tick)
        self._tick.timeout.connect(self.details.tick)
        self._count = QTimer(self, singleShot=True, interval=COUNT_MS)
        self._count.timeout.connect(self._show_counts)

    def _connect_items(self) -> None:
        rows, pane = self.list, self.details
        rows.wants_details.connect(self.show_details)
        rows.wants_read.connect(self.marked)
        rows.typed.connect(self.header.start_search)
        pane.left.connect(self.leave_details)
        pane.pressed_action.connect(rows.pressed_action)
        pane.removed.connect(rows.wants_removed)
        pane.marked.connect(self.marked)
        pane.snoozed.connect(self.snoozed)
        self.empty.helped.connect(self._help)

    # --- what it shows ------------------------------------------------------------------------------------------

    def set_unread(self, unread: int) -> None:
        self.header.set_unread(unread)
        self._unread = unread
        self._enable()

    def _enable(self) -> None:
        """ "All" is all there is: with only a part of it on the screen it would do more than one sees."""
        narrowing = self._model.narrowing
        part = bool(narrowing.search or narrowing.filtered or narrowing.snoozed)
        self.read_all_button.setEnabled(self._unread > 0 and not part)
        self.clear_button.setEnabled(self._model.rowCount() > 0 and not narrowing)

    def set_connection(self, state: str, detail: str) -> None:
        self.header.set_connection(state, detail)
        known = self.tr("Sin conexión. Se muestra lo guardado; lo que se haga se enviará al volver la conexión.")
        self.offline_line.say(known if state == "offline" and self._loaded else "")
        self._state, self._detail = state, detail
        if not self._loaded:
            self._show_rows()

    def _show_counts(self) -> None:
        if self.isVisible():
            self.header.set_counts(self._model.counts())

    def _touched(self) -> None:
        if self.isVisible() and not self._count.isActive():
            self._count.start()
        self._refresh_details()

    def _help(self, reason: Reason) -> None:
        if reason == "offline":
            self.retry.emit()
        elif reason == "nothing_found":
            self.header.stop_search()
        else:
            self.header.clear_filters()

    def set_quiet(self, words: str, short: str) -> None:
        self.header.set_quiet(words, short)

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
        self.leave_details()
        self.open()
        if id is None:
            return
        index = self._model.find(id)
        if not index.isValid():
            item = self._model.get(id)
            until = None if item is None else item.snoozed_until
            self.header.show_everything(snoozed=until is not None and until > self._model.now())
            index = self._model.find(id)
        if index.isValid():
            self._select(index)
        else:
            self.notice(self.tr("Esa notificación ya no existe."))

    # --- one item -----------------------------------------------------------------------------------------------

    def show_details(self, id: str) -> None:
        item = self._model.get(id)
        if item is None:
            return
        self.details.show_item(item, pending=self._model.pending(id))
        self._browse(False)
        self.details.focus_first()

    def leave_details(self) -> None:
        if self.details.id is not None:
            self.details.forget()
            self._browse(True)
            self._show_rows()
            self._focus_rows()

    def _browse(self, browsing: bool) -> None:
        self.header.set_browsing(browsing)
        self._foot.setVisible(browsing)
        if not browsing:
            self._stack.setCurrentWidget(self.details)

    def _refresh_details(self) -> None:
        id = self.details.id
        item = self._model.get(id) if id is not None else None
        if id is None:
            return
        if item is None or self._model.held:
            self.leave_details()
        else:
            self.details.show_item(item, pending=self._model.pending(id))

    # --- rows ---------------------------------------------------------------------------------------------------

    def _select(self, index: QModelIndex) -> None:
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index, NotificationList.ScrollHint.PositionAtTop)
        self.list.setFocus()

    def _show_rows(self) -> None:
        rows = self._model.rowCount()
        self._enable()
        if self.details.id is not None:
            return
        self._stack.setCurrentIndex(0 if rows else 1)
        if not rows:
            link = (self._state, self._detail)
            self.empty.show_reason(*why_empty(self._model.narrowing, None if self._loaded else link))
        elif self.focusWidget() in (None, self.empty):
            self._focus_rows()

    def _focus_rows(self) -> None:
        (self.list if self._model.rowCount() else self.empty).setFocus()

    # --- clearing -----------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self.undo_bar.end_now()
        self._model.hold()
        text, undo = self.tr("Notificaciones borradas"), self.tr("Deshacer")
        self.undo_bar.say(text, undo, UNDO_SECONDS)
        self.held_changed.emit()
        self.undo_bar.button.setFocus()

    def _undo_clear(self) -> None:
        self._model.release()
        self.held_changed.emit()
        self.list.setFocus()

    def _clear_now(self) -> None:
        # First the intents, then the rows: the other way round the cleared ones would flash up.
        self.cleared.emit(self._model.clearing())
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
        why = self.tr("Este escritorio no tiene bandeja del sistema; crmtray queda en esta ventana.")
        self.tray_line.say(why if not hosted else "")
        if hosted == self._popup:
            return
        visible = self.isVisible() and not (hosted and self.isMinimized())  # that only stood for the icon
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
        self._theme.follow()
        self._model.tick()
        if not self.isVisible():
            self._place()
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()
        self._show_counts()
        if not self.header.searching and self.details.id is None:
            self._focus_rows()
        if not self.list.currentIndex().isValid() and self._model.rowCount():
            self.list.setCurrentIndex(self._model.index(0))
        self._tick.start()

    def _place(self) -> None:
        place = placed(center_width(), QCursor.pos())
        self.resize(place.size())
        if self._popup:  # a window with a frame is the window manager's to place
            self.move(place.topLeft())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.details.id is not None:
            self.leave_details()
        elif self.header.searching:
            self.header.stop_search()
        elif self._popup:
            self.close()
        else:
            self.showMinimized()

    def closeEvent(self, event: QCloseEvent) -> None:
        for timer in (self._tick, self._count):
            timer.stop()
        self.leave_details()
        # It opens at what is newest; and rows further down need not be kept for somebody who looks at them.
        self.list.scrollToTop()
        self.list.setCurrentIndex(QModelIndex())
        event.accept()
        if not self._popup and event.spontaneous():
            self.closed_for_good.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A popup without a frame is moved by its header; not by a click, after which it would follow the pointer."""
        handle = self.windowHandle()
        if self._popup and handle is not None and event.buttons() == Qt.MouseButton.LeftButton:
            handle.startSystemMove()
        super().mouseMoveEvent(event)
