"""What the settings are made of: cards with rows, and a row's hint, error and lock.

Owns how a row looks and how it says that it cannot be changed or was refused. Knows no setting.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from . import icons
from .bars import plain_label
from .sizes import Sized, spaced
from .theme import Theme, px

ICON = 16
INDENT = 29
"""From the left of a check box to its text."""


class Card(QFrame):
    """A heading and its rows."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.setAccessibleName(title)
        self._layout = QVBoxLayout(self)
        spaced(self, self._layout, 16, 12, 16, 14, space=12)
        self._layout.addWidget(plain_label(title, "strong", wrap=True))

    def add(self, *rows: QWidget) -> None:
        for row in rows:
            self._layout.addWidget(row)


class Row(QWidget):
    """A control with its name, what it means, and what is wrong with it."""

    def __init__(self, theme: Theme, name: str, control: QWidget, hint: str = "", *, wide: bool = False) -> None:
        """`wide`: the control stands under its name. A check box is its own name."""
        super().__init__()
        self._theme = theme
        self.name, self.control = name, control
        self.hint, self.error = plain_label(hint, "small", wrap=True), plain_label(look="error", wrap=True)
        self._lock = QLabel()
        if isinstance(control, QCheckBox):
            control.setText(name)
        elif not control.accessibleName():
            control.setAccessibleName(name)
        # Not the sentence itself: what a screen reader says follows what is true just now.
        self._hint = hint
        self.error.hide()
        self._lock.hide()
        self._lay_out(wide)
        self._describe()
        self._draw()
        theme.changed.connect(self._draw)

    def _lay_out(self, wide: bool) -> None:
        layout = QVBoxLayout(self)
        spaced(self, layout, 0, 0, 0, 0, space=3)
        first = self._first = QHBoxLayout()
        first.setSpacing(10)
        checked = isinstance(self.control, QCheckBox)
        if not checked:
            label = plain_label(self.name, wrap=True)
            label.setBuddy(self.control)
            first.addWidget(label, 1)
        if not wide:
            first.addWidget(self.control)
        if checked:
            first.addStretch(1)
        first.addWidget(self._lock, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addLayout(first)
        if wide:
            layout.addWidget(self.control)
        for label in (self.hint, self.error):
            layout.addWidget(label)
        self.hint.setVisible(bool(self.hint.text()))

    def add_beside(self, more: QWidget) -> None:
        self._first.insertWidget(self._first.indexOf(self._lock), more)

    # --- what it says -------------------------------------------------------------------------------------------

    def say(self, hint: str) -> None:
        self._hint = hint
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self._describe()

    def fail(self, sentence: str, words: str = "") -> None:
        """`words`: what exactly was said, for whoever asks."""
        self.error.setText(sentence)
        self.error.setToolTip(words)
        self.error.show()
        _set_wrong(self.control, True)
        self._describe()

    def clear(self) -> None:
        if not self.error.isHidden():
            self.error.hide()
            self.error.setText("")
            _set_wrong(self.control, False)
            self._describe()

    def lock(self, why: str = "") -> None:
        """For good: it stays as it is as long as the program runs. Why: the administrator, if nothing else is said."""
        why = why or self.tr("Lo decidió la administración de este equipo; aquí no se puede cambiar.")
        self.control.setEnabled(False)
        self._lock.setToolTip(why)
        self._lock.setAccessibleName(why)
        self.control.setToolTip(why)
        self._lock.show()
        self._draw()
        self._describe()

    @property
    def locked(self) -> bool:
        return not self._lock.isHidden()

    def _describe(self) -> None:
        parts = (self.error.text(), self._hint, self._lock.toolTip())
        self.control.setAccessibleDescription(" ".join(part for part in parts if part))

    def _draw(self) -> None:
        indent = px(INDENT) if isinstance(self.control, QCheckBox) else 0
        for label in (self.hint, self.error):
            label.setContentsMargins(indent, 0, 0, 0)
        if self.locked:
            ratio = self.devicePixelRatioF()
            self._lock.setPixmap(icons.pixmap("lock", self._theme.colours.muted, px(ICON), ratio))


class Facts(QWidget):
    """What can be read and not be changed."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QGridLayout(self)
        spaced(self, self._layout, 0, 0, 0, 0, space=6)
        Sized(self, lambda: self._layout.setHorizontalSpacing(px(16)))
        self._layout.setColumnStretch(1, 1)
        self.values: dict[str, QLabel] = {}

    def put(self, name: str, value: str) -> None:
        if name not in self.values:
            row = len(self.values)
            label = self.values[name] = plain_label(wrap=True)
            label.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            label.setAccessibleName(name)
            self._layout.addWidget(plain_label(name, "muted"), row, 0, Qt.AlignmentFlag.AlignTop)
            self._layout.addWidget(label, row, 1)
        self.values[name].setText(value)


class NoWheel(QObject):
    """Turning the wheel over a page scrolls it, and never changes the field that happens to be under the pointer."""

    def watch(self, *controls: QWidget) -> None:
        for control in controls:
            control.installEventFilter(self)
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return False


def _set_wrong(control: QWidget, wrong: bool) -> None:
    control.setProperty("wrong", wrong)
    control.style().unpolish(control)
    control.style().polish(control)
