"""Our own toasts, for desktops without a notification service: small windows at the lower right.

They come up without taking the focus, stay while the pointer or the keyboard is on them, and go after their time;
urgent ones when somebody has seen them. Owns the windows and their places, not what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QBitmap,
    QEnterEvent,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from . import icons, sounds
from .bars import plain_label
from .row_layout import wrapped
from .sounds import Sound
from .theme import Theme, font, mix
from .toast_card import Card, ToastButton, nobody_listens

TOAST_WIDTH = 360
MARGIN = 16
SPACING = 10
RADIUS = 12
ROOM = TOAST_WIDTH - 14 - 40 - 12 - 12
"""For text and buttons: beside the picture, inside the margins."""
BUTTON_SPACING = 6
MOST = 4
"""Windows on the screen at once; the oldest that is not urgent gives way."""


class ToastWindow(QWidget):
    ended = Signal(str)
    """The key, when it has gone by its time or by the person."""

    def __init__(self, card: Card, theme: Theme) -> None:
        flags = Qt.WindowType.Tool | Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint
        # On X11 without the window manager: it would put each toast into the task bar, and Qt cannot tell it not to.
        super().__init__(None, flags | Qt.WindowType.X11BypassWindowManagerHint)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(Qt.WidgetAttribute.WA_X11NetWmWindowTypeNotification)
        self.setWindowTitle(card.title)
        self.setAccessibleName(card.title)
        self.setAccessibleDescription(card.body)
        self.setFixedWidth(TOAST_WIDTH)
        self.card = card
        self.buttons: list[QPushButton] = []
        self._build(card, theme)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._time_over)
        self._wait()

    def _build(self, card: Card, theme: Theme) -> None:
        frame = QFrame()
        frame.setObjectName("toast")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        row = QHBoxLayout(frame)
        row.setContentsMargins(14, 12, 10, 12)
        row.setSpacing(12)
        row.addWidget(_circle(card.type, theme), 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addLayout(self._title(card, theme))
        if card.urgency == "critical":
            urgent = plain_label(self.tr("Urgente"), "urgent")
            urgent.setMinimumHeight(18)  # less is drawn without its round ends
            column.addWidget(urgent, 0, Qt.AlignmentFlag.AlignLeft)
        for line in card.body.splitlines():
            column.addWidget(plain_label("\n".join(wrapped(line, font(), ROOM, 3))))
        if card.buttons:
            column.addSpacing(4)
            self._add_buttons(card, column)
        row.addLayout(column, 1)

    def _title(self, card: Card, theme: Theme) -> QHBoxLayout:
        row = QHBoxLayout()
        close = QToolButton()
        close.setProperty("look", "icon")
        close.setIcon(icons.icon("close", theme.colours.muted))
        close.setAccessibleName(self.tr("Cerrar"))
        close.clicked.connect(self.end)
        row.addWidget(plain_label(card.title, "strong"), 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _add_buttons(self, card: Card, column: QVBoxLayout) -> None:
        """In as many lines as they need: a label that is cut says nothing."""
        used = ROOM + 1
        for number, button in enumerate(card.buttons):
            made = self._button(button, first=number == 0)
            width = made.sizeHint().width()
            if used + BUTTON_SPACING + width > ROOM:
                row, used = QHBoxLayout(), -BUTTON_SPACING
                row.setSpacing(BUTTON_SPACING)
                row.setAlignment(Qt.AlignmentFlag.AlignLeft)
                column.addLayout(row)
            used += BUTTON_SPACING + width
            row.addWidget(made)
            self.buttons.append(made)

    def _button(self, button: ToastButton, *, first: bool) -> QPushButton:
        made = QPushButton(button.label.replace("&", "&&"), self)
        made.setProperty("look", "toast-primary" if first else "toast")
        made.clicked.connect(lambda: self._press(button.pressed))
        made.ensurePolished()
        return made

    def _press(self, told: Callable[[], None]) -> None:
        self.end()
        told()

    def end(self) -> None:
        self.take_off()
        self.ended.emit(self.card.key)

    def take_off(self) -> None:
        """Without a word."""
        self._timer.stop()
        self.close()

    def _wait(self) -> None:
        if self.card.seconds is not None:
            self._timer.start(round(self.card.seconds * 1000))

    def _time_over(self) -> None:
        """Not while it is worked on by the keyboard."""
        if self.isActiveWindow():
            self._wait()
        else:
            self.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Round corners by a mask: transparency is black on desktops that do not compose windows."""
        mask = QBitmap(self.size())
        mask.clear()
        painter = QPainter(mask)
        painter.setBrush(Qt.GlobalColor.color1)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0, 0, -1, -1), RADIUS, RADIUS)
        painter.end()
        self.setMask(mask)
        super().resizeEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._press(self.card.clicked)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self._wait()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.end()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.focusWidget() is None:
            self._press(self.card.clicked)
        else:
            super().keyPressEvent(event)


def _circle(type: str, theme: Theme) -> QLabel:
    colours = theme.colours
    label = QLabel()
    label.setFixedSize(40, 40)
    colour = colours.kind(type)
    tint = mix(colour, colours.card, 0.16).name()
    label.setStyleSheet(f"background: {tint}; border-radius: 20px;")
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setPixmap(icons.pixmap(icons.kind_icon(type), colour, 22, label.devicePixelRatioF()))
    return label


class ToastStack:
    """The windows on the screen, newest at the bottom."""

    def __init__(self, theme: Theme, *, play: Callable[[Sound], object] = sounds.play) -> None:
        self.closed: Callable[[str], None] = nobody_listens
        self.lost: Callable[[Collection[str]], None] = nobody_listens
        self._theme, self._play = theme, play
        self.windows: dict[str, ToastWindow] = {}

    async def show(self, card: Card) -> bool:
        self._take_off(card.key)
        while len(self.windows) >= MOST:
            oldest = next((key for key, window in self.windows.items() if window.card.seconds is not None), None)
            self.windows[oldest or next(iter(self.windows))].end()
        window = ToastWindow(card, self._theme)
        self.windows[card.key] = window
        window.ended.connect(self._ended)
        window.adjustSize()
        self._arrange()
        window.show()
        QAccessible.updateAccessibility(QAccessibleEvent(window, QAccessible.Event.Alert))
        if card.sound is not None:
            self._play(card.sound)
        return True

    async def withdraw(self, key: str) -> None:
        self._take_off(key)

    async def close(self) -> None:
        for key in list(self.windows):
            self._take_off(key)

    def _take_off(self, key: str) -> None:
        window = self.windows.pop(key, None)
        if window is not None:
            window.take_off()
            self._arrange()

    def _ended(self, key: str) -> None:
        self.windows.pop(key, None)
        self._arrange()
        self.closed(key)

    def _arrange(self) -> None:
        free = QGuiApplication.primaryScreen().availableGeometry()
        bottom = free.bottom() - MARGIN
        for window in reversed(list(self.windows.values())):
            top = bottom - window.height() + 1
            window.move(QPoint(free.right() - MARGIN - window.width() + 1, top))
            bottom = top - SPACING
