"""The menu that turns do not disturb on and off. Owns its words; what is chosen is told by a signal."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget


class QuietMenu(QMenu):
    chosen = Signal(str)
    """A `quiet.Span`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("No molestar"))
        self._state = self.addAction("")
        self._state.setEnabled(False)
        self._state.setVisible(False)
        self._entry(self.tr("30 minutos"), "half_hour")
        self._entry(self.tr("1 hora"), "hour")
        self._entry(self.tr("Hasta mañana a las 8:00"), "tomorrow")
        self.addSeparator()
        self._off = self._entry(self.tr("Desactivar"), "off")
        self._off.setEnabled(False)

    def set_quiet(self, words: str, ours: bool) -> None:
        """`ours` False: the desktop's own, which is turned off there."""
        self._state.setText(words)
        self._state.setVisible(bool(words))
        self._off.setEnabled(ours)

    def _entry(self, text: str, span: str) -> QAction:
        action = self.addAction(text)
        action.triggered.connect(lambda: self.chosen.emit(span))
        return action
