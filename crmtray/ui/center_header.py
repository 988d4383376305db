"""The upper part of the center: how many are unread, how the connection is, and what is looked at.

Owns the search field, the tabs and the filters, and tells what they narrow the list to.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..cache_views import Counts, Narrowing
from . import icons
from .bars import Elided, plain_label
from .connection_mark import ConnectionMark
from .filters import Filters
from .language import Retold
from .sizes import spaced
from .tabs import Tab, Tabs
from .theme import Theme, px

SEARCH_DELAY_MS = 80
"""A pause in typing so short that nobody sees it, and long enough that a fast word is searched for once."""


class Header(QFrame):
    narrowed = Signal(object)
    left = Signal()
    """The search is over: back to the list."""
    search_begins = Signal()

    def __init__(self, theme: Theme, menu: QMenu | None) -> None:
        super().__init__()
        self.setObjectName("header")
        self._theme = theme
        self.mark = ConnectionMark(theme)
        self.connection = Elided("", "small")
        self.count = plain_label()
        self.count.setObjectName("count")
        self._counts = Counts()
        self._tabs = Tabs("tab")
        self.all_tab, self.unread_tab, self.snoozed_tab = self._tabs.add(), self._tabs.add(), self._tabs.add()
        self.filters = Filters(theme)
        self.quiet_button = self._icon_button()
        self.quiet_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.quiet_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.quiet_button.hide()
        self.search_button = self._icon_button()
        self.menu_button = self._icon_button()
        self.close_button = self._icon_button()
        self.search = QLineEdit()
        self._build(menu)
        self._connect()
        self._draw_icons()
        self.connection.setText(self.tr("Conectando…"))
        Retold(self, self._tell_words)

    # --- building -----------------------------------------------------------------------------------------------

    def _build(self, menu: QMenu | None) -> None:
        self.search_button.setCheckable(True)
        self.menu_button.setVisible(menu is not None)
        if menu is not None:
            self.menu_button.setMenu(menu)
            self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.search.setClearButtonEnabled(True)
        self.search.hide()
        layout = QVBoxLayout(self)
        spaced(self, layout, 16, 10, 8, 10, space=8)
        layout.addLayout(self._first_line())
        layout.addWidget(self._narrowing_part())

    def _narrowing_part(self) -> QWidget:
        """What is of no use while one item is looked at."""
        self._narrowers = QWidget()
        layout = QVBoxLayout(self._narrowers)
        spaced(self._narrowers, layout, 0, 0, 8, 0, space=8)
        layout.addLayout(self._second_line())
        layout.addWidget(self.search)
        layout.addWidget(self.filters)
        return self._narrowers

    def _first_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(px(2))
        heading = self._heading = plain_label()
        heading.setObjectName("heading")
        words = QVBoxLayout()
        words.setSpacing(px(3))
        first, second = QHBoxLayout(), QHBoxLayout()
        first.setSpacing(px(8))
        second.setSpacing(px(6))
        for part in (heading, self.count):
            first.addWidget(part, 0, Qt.AlignmentFlag.AlignVCenter)
        first.addStretch(1)
        second.addWidget(self.mark)
        second.addWidget(self.connection, 1)
        second.addWidget(self.quiet_button)
        words.addLayout(first)
        words.addLayout(second)
        line.addLayout(words, 1)
        for button in (self.search_button, self.menu_button, self.close_button):
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return line

    def _second_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(px(4))
        line.addWidget(self._tabs)
        for number, tab in enumerate((self.all_tab, self.unread_tab, self.snoozed_tab), start=1):
            QShortcut(QKeySequence(f"Ctrl+{number}"), self, tab.click)
        line.addStretch(1)
        return line

    def _icon_button(self) -> QToolButton:
        button = QToolButton()
        button.setProperty("look", "icon")
        button.setIconSize(QSize(px(18), px(18)))
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _connect(self) -> None:
        self._theme.changed.connect(self._draw_icons)
        self.search_button.toggled.connect(self._toggle_search)
        self._tabs.chosen.connect(self._narrow)
        self.filters.changed.connect(self._narrow)
        self._delay = QTimer(self, singleShot=True, interval=SEARCH_DELAY_MS)
        self._delay.timeout.connect(self._narrow)
        self.search.textChanged.connect(lambda: self._delay.start())
        QShortcut(QKeySequence.StandardKey.Find, self, lambda: self.search_button.setChecked(True))

    def _draw_icons(self) -> None:
        muted = self._theme.colours.muted
        for button, name in ((self.search_button, "search"), (self.menu_button, "more"), (self.close_button, "close")):
            button.setIcon(icons.icon(name, muted, px(18)))
            button.setIconSize(QSize(px(18), px(18)))
        self.quiet_button.setIcon(icons.icon("quiet", muted))

    def _tell_words(self) -> None:
        self._heading.setText(self.tr("Notificaciones"))
        self._tabs.setAccessibleName(self.tr("Qué se muestra"))
        self.all_tab.setText(self.tr("Todas"))
        self.search.setPlaceholderText(self.tr("Buscar en las notificaciones"))
        self.search.setAccessibleName(self.tr("Buscar en las notificaciones"))
        for button, text in (
            (self.search_button, self.tr("Buscar (Ctrl+F)")),
            (self.menu_button, self.tr("Menú")),
            (self.close_button, self.tr("Cerrar (Esc)")),
        ):
            button.setToolTip(text)
            button.setAccessibleName(text)
        self._tell_counts()

    # --- what it shows ------------------------------------------------------------------------------------------

    def set_unread(self, unread: int) -> None:
        self.count.setText("99+" if unread > 99 else str(unread))
        self.count.setAccessibleName(self.tr("%n sin leer", "", unread))
        self.count.setVisible(unread > 0)

    def set_browsing(self, browsing: bool) -> None:
        """Whether the list is what is looked at."""
        self._narrowers.setVisible(browsing)
        self.search_button.setVisible(browsing)

    def set_counts(self, counts: Counts) -> None:
        self.filters.set_counts(counts)
        self.filters.setVisible(bool(counts.kinds) or self.narrowing.filtered)
        self._counts = counts
        self._tell_counts()

    def _tell_counts(self) -> None:
        self._tell(self.unread_tab, self.tr("Sin leer"), self._counts.unread)
        self._tell(self.snoozed_tab, self.tr("Pospuestas"), self._counts.snoozed)

    def _tell(self, tab: Tab, name: str, number: int) -> None:
        tab.setText(f"{name}  {number}" if number else name)

    def set_connection(self, state: str, detail: str) -> None:
        self.mark.set_state(state)
        self.connection.setText(detail)

    def set_quiet(self, words: str, short: str) -> None:
        """Do not disturb, until when, in a sentence and as a time; no sentence: off."""
        self.quiet_button.setText(short)
        self.quiet_button.setVisible(bool(words))
        self.quiet_button.setToolTip(words)
        self.quiet_button.setAccessibleName(words)

    @property
    def searching(self) -> bool:
        return self.search_button.isChecked()

    def stop_search(self) -> None:
        self.search_button.setChecked(False)

    def show_everything(self, *, snoozed: bool = False) -> None:
        self.stop_search()
        self.filters.clear()
        (self.snoozed_tab if snoozed else self.all_tab).setChecked(True)
        self._narrow()

    def clear_filters(self) -> None:
        self.filters.clear()
        self._narrow()

    def start_search(self, letters: str) -> None:
        self.search_button.setChecked(True)
        self.search.setText(letters)

    def _toggle_search(self, wanted: bool) -> None:
        self.search.setVisible(wanted)
        if wanted:
            self.search_begins.emit()
            self.search.setFocus()
        else:
            self.search.clear()
            self._narrow()
            self.left.emit()

    @property
    def narrowing(self) -> Narrowing:
        return Narrowing(
            unread=True if self.unread_tab.isChecked() else None,
            search=self.search.text().strip(),
            kinds=frozenset(self.filters.kinds),
            priorities=frozenset(self.filters.priorities),
            snoozed=self.snoozed_tab.isChecked(),
        )

    def _narrow(self) -> None:
        self._delay.stop()
        self.narrowed.emit(self.narrowing)
