"""The menu that turns do not disturb on and off. Owns its words; what is chosen is told by a signal."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from ..region import hour
from .language import Retold
from .quiet import MORNING


class QuietMenu(QMenu):
    chosen = Signal(str)
    """A `quiet.Span`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = ""
        self._state = self.addAction("")
        self._state.setEnabled(False)
        self._state.setVisible(False)
        self._half_hour = self._entry("half_hour")
        self._hour = self._entry("hour")
        self._tomorrow = self._entry("tomorrow")
        self.addSeparator()
        self._off = self._entry("off")
        self._off.setEnabled(False)
        Retold(self, self._tell_words)

    def _tell_words(self) -> None:
        self.setTitle(self._words or self.tr("No molestar"))
        self._half_hour.setText(self.tr("%n minutos", "", 30))
        self._hour.setText(self.tr("%n horas", "", 1))
        self._tomorrow.setText(self.tr("Hasta mañana a las {}").format(hour(MORNING)))
        self._off.setText(self.tr("Desactivar"))

    def set_quiet(self, words: str, ours: bool) -> None:
        """`ours` False: the desktop's own, which is turned off there."""
        self._words = words
        self.setTitle(words or self.tr("No molestar"))
        self._state.setText(words)
        self._state.setVisible(bool(words))
        self._off.setEnabled(ours)

    def _entry(self, span: str) -> QAction:
        action = self.addAction("")
        action.triggered.connect(lambda: self.chosen.emit(span))
        return action
