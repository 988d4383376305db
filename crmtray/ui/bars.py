"""Lines of text inside the center: a way back after clearing, a refusal, why something is as it is.

Owns how long they stay. They never ask anything in a dialog.
"""

from __future__ import annotations

import html

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from .sizes import spaced

UNDO_SECONDS = 6.0
NOTICE_SECONDS = 8.0


def plain_label(text: str = "", look: str = "", *, wrap: bool = False) -> QLabel:
    """A label that never takes what it shows for markup."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    if look:
        label.setProperty("look", look)
    return label


class Elided(QLabel):
    """One line that gives way: what has no room is told by dots, and in full by the tooltip."""

    def __init__(self, text: str = "", look: str = "") -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("look", look)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
        painter.end()
        # Qt would take a text with tags in it for markup.
        self.setToolTip("" if shown == self.text() else f"<p>{html.escape(self.text())}</p>")


class Bar(QWidget):
    """A sentence with at most one button; goes away by itself."""

    pressed = Signal()
    expired = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        frame = QFrame()
        frame.setProperty("look", "bar")
        around = QVBoxLayout(self)
        spaced(self, around, 10, 6, 10, 6, space=6)
        around.addWidget(frame)
        self._label = plain_label(wrap=True)
        self._button = QPushButton()
        self._button.setAutoDefault(True)  # Enter presses it, too
        self._button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._button.clicked.connect(self._press)
        layout = QHBoxLayout(frame)
        spaced(frame, layout, 14, 8, 8, 8, space=6)
        layout.addWidget(self._label, 1)
        layout.addWidget(self._button)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._expire)
        self.hide()

    @property
    def text(self) -> str:
        return self._label.text()

    @property
    def button(self) -> QPushButton:
        return self._button

    @property
    def waiting(self) -> bool:
        return self._timer.isActive()

    def say(self, text: str, button: str, seconds: float) -> None:
        self._label.setText(text)
        self._button.setText(button)
        self._timer.start(round(seconds * 1000))
        self.show()

    def end_now(self) -> None:
        """As if its time were up."""
        if self._timer.isActive():
            self._expire()

    def dismiss(self) -> None:
        self._timer.stop()
        self.hide()

    def _press(self) -> None:
        self.dismiss()
        self.pressed.emit()

    def _expire(self) -> None:
        self.dismiss()
        self.expired.emit()


class Line(QFrame):
    """A sentence over the list for as long as it is true."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("look", "line")
        self._label = plain_label(wrap=True)
        layout = QHBoxLayout(self)
        spaced(self, layout, 16, 8, 16, 8, space=6)
        layout.addWidget(self._label, 1)
        self.hide()

    @property
    def text(self) -> str:
        return self._label.text() if not self.isHidden() else ""

    def say(self, text: str) -> None:
        """An empty text hides it."""
        self._label.setText(text)
        self.setVisible(bool(text))
