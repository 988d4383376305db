"""Tabs that a screen reader announces as tabs. Buttons that stay down, which look the same, are check boxes to it.

Owns how they are chosen by mouse and keyboard. What a tab shows is its owner's.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTabBar


class Tab:
    """One of a row of tabs."""

    def __init__(self, row: Tabs, index: int) -> None:
        self._row, self._index = row, index

    def text(self) -> str:
        return self._row.tabText(self._index)

    def setText(self, text: str) -> None:
        self._row.setTabText(self._index, text)

    def isChecked(self) -> bool:
        return self._row.currentIndex() == self._index

    def setChecked(self, checked: bool) -> None:
        """Without a word: who sets it knows."""
        if checked:
            self._row.blockSignals(True)
            self._row.setCurrentIndex(self._index)
            self._row.blockSignals(False)

    def click(self) -> None:
        """Told even when it is chosen already: the person wants to see it."""
        if self.isChecked():
            self._row.chosen.emit()
        else:
            self._row.setCurrentIndex(self._index)

    def setFocus(self) -> None:
        self.setChecked(True)
        self._row.setFocus()

    def hasFocus(self) -> bool:
        return self._row.hasFocus() and self.isChecked()


class Tabs(QTabBar):
    """Left and right choose."""

    chosen = Signal()

    def __init__(self, look: str) -> None:
        super().__init__()
        self.setProperty("look", look)
        self.setDrawBase(False)
        self.setExpanding(False)
        self.setUsesScrollButtons(False)
        self.setElideMode(Qt.TextElideMode.ElideNone)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.currentChanged.connect(lambda _: self.chosen.emit())

    def add(self, text: str = "") -> Tab:
        self.blockSignals(True)
        tab = Tab(self, self.addTab(text))
        self.blockSignals(False)
        return tab
