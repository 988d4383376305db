"""The upper part of the center: how many are unread, how the connection is, and what is looked at.

Owns the search field and the tabs, and tells what they narrow the list to.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLineEdit, QMenu, QPushButton, QToolButton, QVBoxLayout

from . import icons
from .bars import plain_label
from .connection_mark import ConnectionMark
from .models import Narrowing
from .theme import Theme

SEARCH_DELAY_MS = 150


class Header(QFrame):
    narrowed = Signal(object)
    left = Signal()
    """The search is over: back to the list."""

    def __init__(self, theme: Theme, menu: QMenu | None) -> None:
        super().__init__()
        self.setObjectName("header")
        self._theme = theme
        self.mark = ConnectionMark(theme)
        self.connection = plain_label(self.tr("Conectando…"), "small")
        self.count = plain_label()
        self.count.setObjectName("count")
        self.all_tab, self.unread_tab = self._tab(self.tr("Todas")), self._tab(self.tr("Sin leer"))
        self.search_button = self._icon_button(self.tr("Buscar (Ctrl+F)"))
        self.menu_button = self._icon_button(self.tr("Menú"))
        self.close_button = self._icon_button(self.tr("Cerrar (Esc)"))
        self.search = QLineEdit()
        self._build(menu)
        self._connect()
        self._draw_icons()

    # --- building -----------------------------------------------------------------------------------------------

    def _build(self, menu: QMenu | None) -> None:
        self.search_button.setCheckable(True)
        self.menu_button.setVisible(menu is not None)
        if menu is not None:
            self.menu_button.setMenu(menu)
            self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.search.setPlaceholderText(self.tr("Buscar en las notificaciones"))
        self.search.setClearButtonEnabled(True)
        self.search.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 8, 10)
        layout.setSpacing(6)
        layout.addLayout(self._first_line())
        layout.addLayout(self._second_line())
        layout.addWidget(self.search)

    def _first_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        heading = plain_label(self.tr("Notificaciones"))
        heading.setObjectName("heading")
        line.addWidget(heading)
        line.addSpacing(4)
        line.addWidget(self.count, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addStretch(1)
        for button in (self.search_button, self.menu_button, self.close_button):
            line.addWidget(button)
        return line

    def _second_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        self.all_tab.setChecked(True)
        self._tabs = QButtonGroup(self)
        line.addWidget(self.mark)
        line.addSpacing(2)
        line.addWidget(self.connection, 1)
        for tab in (self.all_tab, self.unread_tab):
            self._tabs.addButton(tab)
            line.addWidget(tab)
        line.addSpacing(4)
        return line

    def _icon_button(self, text: str) -> QToolButton:
        button = QToolButton()
        button.setProperty("look", "icon")
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.setIconSize(QSize(18, 18))
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _tab(self, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("look", "tab")
        button.setCheckable(True)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        return button

    def _connect(self) -> None:
        self._theme.changed.connect(self._draw_icons)
        self.search_button.toggled.connect(self._toggle_search)
        self._tabs.buttonClicked.connect(self._narrow)
        self._delay = QTimer(self, singleShot=True, interval=SEARCH_DELAY_MS)
        self._delay.timeout.connect(self._narrow)
        self.search.textChanged.connect(lambda: self._delay.start())
        QShortcut(QKeySequence.StandardKey.Find, self, lambda: self.search_button.setChecked(True))

    def _draw_icons(self) -> None:
        muted = self._theme.colours.muted
        for button, name in ((self.search_button, "search"), (self.menu_button, "more"), (self.close_button, "close")):
            button.setIcon(icons.icon(name, muted))

    # --- what it shows ------------------------------------------------------------------------------------------

    def set_unread(self, unread: int) -> None:
        self.count.setText("99+" if unread > 99 else str(unread))
        self.count.setAccessibleName(self.tr("{} sin leer").format(unread))
        self.count.setVisible(unread > 0)

    def set_connection(self, state: str, detail: str) -> None:
        self.mark.set_state(state)
        self.connection.setText(detail)

    @property
    def searching(self) -> bool:
        return self.search_button.isChecked()

    def stop_search(self) -> None:
        self.search_button.setChecked(False)

    def show_everything(self) -> None:
        self.stop_search()
        self.all_tab.setChecked(True)
        self._narrow()

    def _toggle_search(self, wanted: bool) -> None:
        self.search.setVisible(wanted)
        if wanted:
            self.search.setFocus()
        else:
            self.search.clear()
            self._narrow()
            self.left.emit()

    def _narrow(self) -> None:
        self._delay.stop()
        self.narrowed.emit(Narrowing(self.unread_tab.isChecked(), self.search.text().strip()))
