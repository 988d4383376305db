"""The fields of the settings that Qt has not: a time zone one can search, two times of day, the days of a week, a
combination of keys.

Each tells a new value by a signal when the person has chosen one, and never when it is filled.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QDateTime, Qt, QTime, QTimeZone, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QComboBox, QCompleter, QHBoxLayout, QLineEdit, QPushButton, QTimeEdit, QWidget

from ..config import MODIFIERS
from ..preferences import DAYS
from .bars import plain_label
from .language import hour_format
from .sizes import spaced
from .zones import places

_HELD = dict(
    zip(
        MODIFIERS,
        (
            Qt.KeyboardModifier.ControlModifier,
            Qt.KeyboardModifier.AltModifier,
            Qt.KeyboardModifier.ShiftModifier,
            Qt.KeyboardModifier.MetaModifier,
        ),
        strict=True,
    )
)
_NAMED = {
    Qt.Key.Key_Space: "Space",
    Qt.Key.Key_Home: "Home",
    Qt.Key.Key_End: "End",
    Qt.Key.Key_Insert: "Insert",
    Qt.Key.Key_PageUp: "PgUp",
    Qt.Key.Key_PageDown: "PgDown",
}


class ZoneBox(QComboBox):
    """A list one may type into: any part of a name finds it."""

    chosen = Signal(object)
    """An IANA name; None: the company's."""

    def __init__(self) -> None:
        super().__init__()
        self._filling = False
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(24)
        self.setMaxVisibleItems(12)
        completer = self.completer() or QCompleter(self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setMaxVisibleItems(12)
        self.setCompleter(completer)
        found = completer.popup()
        assert found is not None
        self.found = found
        """What a part of a name finds."""
        self._fill()
        self.currentIndexChanged.connect(self._tell)
        edit = self.lineEdit()
        assert edit is not None
        edit.editingFinished.connect(self._settle)

    def _fill(self) -> None:
        self.addItem(self.tr("La de la empresa"), None)
        now = QDateTime.currentDateTimeUtc()
        for name in places([bytes(name.data()).decode() for name in QTimeZone.availableTimeZoneIds()]):
            self.addItem(_titled(name, now), name)

    def _tell(self, index: int) -> None:
        if not self._filling:
            self.chosen.emit(self.itemData(index))

    def show_zone(self, name: str | None) -> None:
        self._filling = True
        index = 0 if name is None else self.findData(name)
        if index < 0:  # an old name, or one that this machine has never heard of
            self.addItem(_titled(name or "", QDateTime.currentDateTimeUtc()), name)
            index = self.count() - 1
        self.setCurrentIndex(index)
        self._filling = False
        self._settle()

    def _settle(self) -> None:
        """Half a name is no zone: what is chosen stands there again, unless it is one of the list in full."""
        edit = self.lineEdit()
        assert edit is not None
        found = self.findText(edit.text(), Qt.MatchFlag.MatchFixedString)
        if found >= 0:
            self.setCurrentIndex(found)
        edit.setText(self.itemText(self.currentIndex()))
        edit.setCursorPosition(0)

    @property
    def typing(self) -> bool:
        edit = self.lineEdit()
        return edit is not None and edit.hasFocus() and edit.text() != self.itemText(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up what was typed; the next one is for the window."""
        edit = self.lineEdit()
        if event.key() == Qt.Key.Key_Escape and edit is not None and self.typing:
            edit.setText(self.itemText(self.currentIndex()))
            edit.selectAll()
        else:
            super().keyPressEvent(event)


def _titled(name: str, now: QDateTime) -> str:
    zone = QTimeZone(name.encode())
    if not zone.isValid() or name == "UTC":
        return name.replace("_", " ")
    minutes = zone.offsetFromUtc(now) // 60
    hours, rest = divmod(abs(minutes), 60)
    offset = f"UTC{'+' if minutes >= 0 else '−'}{hours}{f':{rest:02}' if rest else ''}"
    return f"{name.replace('_', ' ')} ({offset})"


class HoursField(QWidget):
    """From one time of day to another; the other may be on the next morning."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.start, self.end = QTimeEdit(), QTimeEdit()
        layout = QHBoxLayout(self)
        spaced(self, layout, 0, 0, 0, 0, space=8)
        for name, edit in ((self.tr("De"), self.start), (self.tr("a"), self.end)):
            edit.setDisplayFormat(hour_format())
            edit.setKeyboardTracking(False)
            edit.setAlignment(Qt.AlignmentFlag.AlignCenter)
            edit.timeChanged.connect(lambda _: self.chosen.emit())
            label = plain_label(name)
            label.setBuddy(edit)
            layout.addWidget(label)
            layout.addWidget(edit)
        self.start.setAccessibleName(self.tr("Comienzo de las horas de silencio"))
        self.end.setAccessibleName(self.tr("Fin de las horas de silencio"))
        layout.addStretch(1)
        self.setFocusProxy(self.start)

    def show_hours(self, hours: tuple[str, str]) -> None:
        for edit, text in zip((self.start, self.end), hours, strict=True):
            edit.blockSignals(True)
            edit.setTime(QTime.fromString(text, "HH:mm"))
            edit.blockSignals(False)

    @property
    def hours(self) -> tuple[str, str]:
        return self.start.time().toString("HH:mm"), self.end.time().toString("HH:mm")

    @property
    def editing(self) -> bool:
        return self.start.hasFocus() or self.end.hasFocus()


class DaysField(QWidget):
    """Seven buttons that stay down."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        spaced(self, layout, 0, 0, 0, 0, space=6)
        self.buttons: dict[str, QPushButton] = {}
        self._filling = False
        for day, (short, name) in zip(DAYS, self._names(), strict=True):
            button = self.buttons[day] = QPushButton(short)
            button.setProperty("look", "day")
            button.setCheckable(True)
            button.setAccessibleName(name)
            button.setToolTip(name)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.toggled.connect(lambda _: self._tell())
            layout.addWidget(button, 1)
        self.setFocusProxy(self.buttons["monday"])

    def _names(self) -> Sequence[tuple[str, str]]:
        return (
            (self.tr("lun"), self.tr("lunes")),
            (self.tr("mar"), self.tr("martes")),
            (self.tr("mié"), self.tr("miércoles")),
            (self.tr("jue"), self.tr("jueves")),
            (self.tr("vie"), self.tr("viernes")),
            (self.tr("sáb"), self.tr("sábado")),
            (self.tr("dom"), self.tr("domingo")),
        )

    def show_days(self, days: Sequence[str]) -> None:
        self._filling = True
        for day, button in self.buttons.items():
            button.setChecked(day in days)
        self._filling = False

    def _tell(self) -> None:
        if not self._filling:
            self.chosen.emit()

    @property
    def days(self) -> list[str]:
        return [day for day, button in self.buttons.items() if button.isChecked()]


class ShortcutField(QLineEdit):
    """Takes the keys that are pressed in it. Backspace: none. Tab and Escape do what they do everywhere."""

    chosen = Signal(str)
    """As the configuration writes it: Ctrl+Alt+N; empty: none."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.shortcut = ""
        self.show_shortcut("")

    def show_shortcut(self, shortcut: str) -> None:
        self.shortcut = shortcut
        self.setText(shortcut.replace("+", " + "))
        self.setPlaceholderText(self.tr("Pulsa las teclas") if self.hasFocus() else self.tr("Ninguno"))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.show_shortcut(self.shortcut)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.show_shortcut(self.shortcut)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            event.ignore()
        elif event.key() in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self.chosen.emit("")
        elif name := _key_name(event.key()):
            held = [word for word, flag in _HELD.items() if event.modifiers() & flag]
            self.chosen.emit("+".join([*held, name]))


def _key_name(key: int) -> str:
    """Empty for a key that is only held, or that the configuration does not know."""
    if Qt.Key.Key_F1 <= key <= Qt.Key.Key_F24:
        return f"F{key - Qt.Key.Key_F1 + 1}"
    if Qt.Key.Key_0 <= key <= Qt.Key.Key_9 or Qt.Key.Key_A <= key <= Qt.Key.Key_Z:
        return chr(key)
    return next((name for known, name in _NAMED.items() if known == key), "")
