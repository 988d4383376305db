"""The row of filters: one chip for each kind there is, with its number, and a menu of priorities.

Owns which kinds and priorities are chosen. It does not know the list; the numbers are told to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from ..cache_views import Counts
from ..protocol import KINDS
from ..words import say
from . import icons
from .details import PRIORITY_NAMES, TEAM_MESSAGE, kind_name
from .language import Retold
from .theme import Theme, px

ORDER: tuple[str, ...] = (*KINDS, TEAM_MESSAGE)
MOST_CHIPS = 5
"""More kinds than this are in the menu."""


class Filters(QWidget):
    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme, self._counts = theme, Counts()
        self.kinds: set[str] = set()
        self.priorities: set[str] = set()
        self.chips: dict[str, QPushButton] = {}
        self.priority_button = QToolButton()
        self.priority_menu = QMenu(self)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(px(5))
        self._row.addStretch(1)
        self._row.addWidget(self.priority_button)
        self._build_menu_button()
        theme.changed.connect(self._draw)
        self._draw()
        Retold(self, self._tell_words)

    def _build_menu_button(self) -> None:
        self.priority_button.setProperty("look", "chip")
        self.priority_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.priority_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.priority_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.priority_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.priority_button.setMenu(self.priority_menu)
        self.priority_menu.aboutToShow.connect(self.fill_menu)

    # --- what it shows ------------------------------------------------------------------------------------------

    def set_counts(self, counts: Counts) -> None:
        self._counts = counts
        self._show_chips()
        for kind, chip in self.chips.items():
            number = counts.kinds.get(kind, 0)
            chip.setText("999+" if number > 999 else str(number))
            # It stays where it is, so that what was chosen seems not lost; pressed it would show nothing.
            chip.setEnabled(number > 0 or kind in self.kinds)
            chip.setToolTip(self.tr("{}: {}").format(kind_name(kind), number))
            chip.setAccessibleName(self.tr("{}, {}").format(kind_name(kind), number))

    def _tell_words(self) -> None:
        self.set_counts(self._counts)
        self._show_chosen()

    def clear(self) -> None:
        self.kinds.clear()
        self.priorities.clear()
        self._show_chosen()

    def _shown_kinds(self) -> Sequence[str]:
        there = set(self._counts.kinds) | self.kinds
        known = [kind for kind in ORDER if kind in there]
        return (known + sorted(there.difference(ORDER)))[:MOST_CHIPS]

    def _show_chips(self) -> None:
        wanted = self._shown_kinds()
        if list(self.chips) == list(wanted):
            return
        for kind in [kind for kind in self.chips if kind not in wanted]:
            self.chips.pop(kind).deleteLater()
        self.chips = {kind: self.chips.get(kind) or self._chip(kind) for kind in wanted}
        for place, chip in enumerate(self.chips.values()):
            self._row.removeWidget(chip)
            self._row.insertWidget(place, chip)

    def _chip(self, kind: str) -> QPushButton:
        chip = QPushButton()
        chip.setProperty("look", "chip")
        chip.setCheckable(True)
        chip.setChecked(kind in self.kinds)
        chip.setCursor(Qt.CursorShape.PointingHandCursor)
        chip.toggled.connect(lambda on: self._choose(self.kinds, kind, on))
        self._draw_chip(kind, chip)
        return chip

    def _draw(self) -> None:
        for kind, chip in self.chips.items():
            self._draw_chip(kind, chip)
        self.priority_button.setIcon(icons.icon("priority", self._theme.colours.muted, px(14)))
        self.priority_button.setIconSize(QSize(px(14), px(14)))
        self._show_chosen()

    def _draw_chip(self, kind: str, chip: QPushButton) -> None:
        chip.setIcon(icons.icon(icons.kind_icon(kind), self._theme.colours.kind(kind), px(15)))
        chip.setIconSize(QSize(px(15), px(15)))

    # --- choosing -----------------------------------------------------------------------------------------------

    def fill_menu(self) -> None:
        """Anew each time it opens: the numbers are those of this moment."""
        self.priority_menu.clear()
        for priority, name in PRIORITY_NAMES.items():
            self._entry(self.priorities, priority, say(name), self._counts.priorities.get(priority, 0))
        others = sorted(set(self._counts.kinds).difference(self.chips))
        if others:
            self.priority_menu.addSection(self.tr("Otros tipos"))
        for kind in others:
            self._entry(self.kinds, kind, kind_name(kind), self._counts.kinds[kind])
        if self.kinds or self.priorities:
            self.priority_menu.addSeparator()
            self.priority_menu.addAction(self.tr("Quitar los filtros")).triggered.connect(self._clear_all)

    def _entry(self, chosen: set[str], value: str, name: str, number: int) -> None:
        entry = self.priority_menu.addAction(self.tr("{} ({})").format(name.replace("&", "&&"), number))
        entry.setCheckable(True)
        entry.setChecked(value in chosen)
        entry.toggled.connect(lambda on: self._choose(chosen, value, on))

    def _choose(self, chosen: set[str], value: str, on: bool) -> None:
        if on == (value in chosen):
            return
        (chosen.add if on else chosen.discard)(value)
        self._show_chosen()
        self.changed.emit()

    def _clear_all(self) -> None:
        self.clear()
        self.changed.emit()

    def _show_chosen(self) -> None:
        for kind, chip in self.chips.items():
            chip.setChecked(kind in self.kinds)
        names = [say(name) for priority, name in PRIORITY_NAMES.items() if priority in self.priorities]
        text = self.tr("Prioridad") if not names else names[0] if len(names) == 1 else f"{names[0]} +{len(names) - 1}"
        self.priority_button.setText(f"{text} ▾")
        self.priority_button.setAccessibleName(self.tr("Prioridad: {}").format(", ".join(names) or self.tr("todas")))
        self.priority_button.setProperty("chosen", "true" if names else "false")
        self.priority_button.style().polish(self.priority_button)
