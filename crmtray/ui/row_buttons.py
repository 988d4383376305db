"""The painted buttons of the current row, for screen readers: each an object with a name that can be pressed.

They have no looks, take no mouse and no tab stop; the list has the focus for them. They exist only while something
that reads the screen is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, QRect, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent, QPaintEvent
from PySide6.QtWidgets import QListView, QPushButton, QWidget


@dataclass(frozen=True, slots=True)
class Spoken:
    """The buttons of a row; rectangles are in the viewport's coordinates."""

    row: int
    title: str
    labels: Sequence[str]
    places: Sequence[QRect]
    focused: int | None


class _Button(QPushButton):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The list has painted it."""


class RowButtons(QObject):
    def __init__(self, rows: QListView, now: Callable[[], Spoken | None], press: Callable[[int], None]) -> None:
        """`now`: those of the current row, None when there is none; `press`: does what the one of this number does."""
        super().__init__(rows)
        self._list, self._now, self._press = rows, now, press
        self._panel: QWidget | None = None
        self._buttons: list[_Button] = []
        self._told: tuple[int, int] | None = None
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._follow)

    def touch(self) -> None:
        """Something about the current row may be another."""
        if QAccessible.isActive() and not self._soon.isActive():
            self._soon.start()

    def _follow(self) -> None:
        known = self._now() if self._list.isVisible() else None
        if known is None:
            if self._panel is not None:
                self._panel.hide()
            self._told = None
            return
        panel = self._shown_panel(known)
        while len(self._buttons) < len(known.labels):
            self._buttons.append(self._made(panel, len(self._buttons)))
        for number, button in enumerate(self._buttons):
            self._show(button, number, known)
        self._tell(known)

    def _shown_panel(self, known: Spoken) -> QWidget:
        if self._panel is None:
            self._panel = QWidget(self._list.parentWidget())
            self._panel.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        # The viewport has no margin at the upper left.
        self._panel.setGeometry(QRect(self._list.pos(), self._list.viewport().size()))
        self._panel.setAccessibleName(known.title)
        self._panel.show()
        return self._panel

    def _made(self, panel: QWidget, number: int) -> _Button:
        button = _Button(panel)
        button.clicked.connect(lambda: self._press(number))
        return button

    def _show(self, button: _Button, number: int, known: Spoken) -> None:
        there = number < len(known.labels)
        button.setVisible(there)
        if there:
            button.setAccessibleName(known.labels[number])
            button.setGeometry(known.places[number])
        # With a stand-in Qt says of it that it has the focus.
        focused = there and number == known.focused
        if focused != (button.focusProxy() is not None):
            button.setFocusProxy(self._list if focused else None)  # type: ignore[arg-type]  # None takes it away

    def _tell(self, known: Spoken) -> None:
        """Where the focus is, when it went to a button or back to the row."""
        told = None if known.focused is None else (known.row, known.focused)
        if told == self._told or not self._list.hasFocus():
            return
        before, self._told = self._told, told
        if known.focused is not None:
            event = QAccessibleEvent(self._buttons[known.focused], QAccessible.Event.Focus)
        elif before is not None and before[0] == known.row:
            event = QAccessibleEvent(self._list, QAccessible.Event.Focus)
            event.setChild(known.row)
        else:
            return
        QAccessible.updateAccessibility(event)
