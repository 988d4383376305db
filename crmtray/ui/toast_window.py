"""Our own toasts, for desktops without a notification service: small windows at the lower right.

They never take the focus, stay while the pointer is on them, and go after their time.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QBitmap, QEnterEvent, QGuiApplication, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from . import icons
from .bars import plain_label
from .row_layout import wrapped
from .theme import Theme, font, mix
from .toast_card import Card

TOAST_WIDTH = 360
MARGIN = 16
SPACING = 10
RADIUS = 12
MOST = 4
"""Windows on the screen at once; the oldest gives way."""


class ToastWindow(QWidget):
    ended = Signal(str)

    def __init__(self, card: Card, theme: Theme) -> None:
        flags = Qt.WindowType.Tool | Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint
        super().__init__(None, flags | Qt.WindowType.WindowDoesNotAcceptFocus)
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
        self._timer = QTimer(self, singleShot=True, interval=round(card.seconds * 1000))
        self._timer.timeout.connect(self.end)
        self._timer.start()

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
        room = TOAST_WIDTH - 14 - 40 - 12 - 12
        for line in card.body.splitlines():
            column.addWidget(plain_label("\n".join(wrapped(line, font(), room, 3))))
        if card.buttons:
            column.addSpacing(4)
            column.addLayout(self._button_row(card))
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

    def _button_row(self, card: Card) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        for number, button in enumerate(card.buttons):
            made = QPushButton(button.label.replace("&", "&&"))
            made.setProperty("look", "toast-primary" if number == 0 else "toast")
            made.clicked.connect(lambda _=False, told=button.pressed: self._press(told))
            row.addWidget(made)
            self.buttons.append(made)
        row.addStretch(1)
        return row

    def _press(self, told: Callable[[], None]) -> None:
        self.end()
        told()

    def end(self) -> None:
        self._timer.stop()
        self.close()
        self.ended.emit(self.card.key)

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
        self._timer.start()


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

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self.windows: dict[str, ToastWindow] = {}

    async def show(self, card: Card) -> bool:
        self._take_off(card.key)
        while len(self.windows) >= MOST:
            self._take_off(next(iter(self.windows)))
        window = ToastWindow(card, self._theme)
        self.windows[card.key] = window
        window.ended.connect(self._ended)
        window.adjustSize()
        self._arrange()
        window.show()
        return True

    async def withdraw(self, key: str) -> None:
        self._take_off(key)

    async def close(self) -> None:
        for key in list(self.windows):
            self._take_off(key)

    def _take_off(self, key: str) -> None:
        window = self.windows.get(key)
        if window is not None:
            window.end()

    def _ended(self, key: str) -> None:
        self.windows.pop(key, None)
        self._arrange()

    def _arrange(self) -> None:
        free = QGuiApplication.primaryScreen().availableGeometry()
        bottom = free.bottom() - MARGIN
        for window in reversed(list(self.windows.values())):
            top = bottom - window.height() + 1
            window.move(QPoint(free.right() - MARGIN - window.width() + 1, top))
            bottom = top - SPACING
