"""Our own toasts, for desktops without a notification service: small windows at the lower right.

They come up without taking the focus, stay while the pointer or the keyboard is on them, and go after their time;
urgent ones when somebody has seen them. Owns the windows and their places, not what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
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
from .sizes import most_room
from .sounds import Sound
from .theme import Theme, font, mix, px
from .toast_card import Card, ToastButton, nobody_listens

TOAST_WIDTH = 360
MARGIN = 16
SPACING = 10
RADIUS = 12
CIRCLE = 40
BESIDE_TEXT = 14 + CIRCLE + 12 + 12
"""The picture and the margins."""
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
        self.card, self._theme = card, theme
        self.buttons: list[QPushButton] = []
        self._outer = QVBoxLayout(self)
        self._outer.setContentsMargins(0, 0, 0, 0)
        self._frame: QFrame | None = None
        self.draw()
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._time_over)
        self._wait()

    def draw(self) -> None:
        """Also anew, in other colours or with larger text."""
        if self._frame is not None:
            self._outer.removeWidget(self._frame)
            self._frame.hide()
            self._frame.deleteLater()
        self.buttons.clear()
        self.setFixedWidth(min(px(TOAST_WIDTH), most_room().width()))
        frame = self._frame = QFrame()
        self._build(frame, self.card, self._theme)
        self._outer.addWidget(frame)
        frame.show()

    def fit(self) -> None:
        """As high as it needs to be for its width. Qt's own `adjustSize` gives it no more than a part of the screen."""
        self.resize(self.width(), min(self._outer.totalHeightForWidth(self.width()), most_room().height()))

    @property
    def _room(self) -> int:
        """For text and buttons."""
        return self.width() - px(BESIDE_TEXT)

    def _build(self, frame: QFrame, card: Card, theme: Theme) -> None:
        frame.setObjectName("toast")
        row = QHBoxLayout(frame)
        row.setContentsMargins(px(14), px(12), px(10), px(12))
        row.setSpacing(px(12))
        row.addWidget(_circle(card.type, theme), 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(px(4))
        column.addLayout(self._title(card, theme))
        if card.urgency == "critical":
            urgent = plain_label(self.tr("Urgente"), "urgent")
            urgent.setMinimumHeight(px(18))  # less is drawn without its round ends
            column.addWidget(urgent, 0, Qt.AlignmentFlag.AlignLeft)
        for line in card.body.splitlines():
            column.addWidget(plain_label("\n".join(wrapped(line, font(), self._room, 3))))
        if card.buttons:
            column.addSpacing(px(4))
            self._add_buttons(card, column)
        row.addLayout(column, 1)

    def _title(self, card: Card, theme: Theme) -> QHBoxLayout:
        row = QHBoxLayout()
        close = QToolButton()
        close.setProperty("look", "icon")
        close.setIcon(icons.icon("close", theme.colours.muted, px(16)))
        close.setIconSize(QSize(px(16), px(16)))
        close.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        close.setAccessibleName(self.tr("Cerrar"))
        close.clicked.connect(self.end)
        row.addWidget(plain_label(card.title, "strong", wrap=True), 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _add_buttons(self, card: Card, column: QVBoxLayout) -> None:
        """In as many lines as they need: a label that is cut says nothing."""
        room, space = self._room, px(BUTTON_SPACING)
        used = room + 1
        for number, button in enumerate(card.buttons):
            made = self._button(button, first=number == 0)
            width = made.sizeHint().width()
            if used + space + width > room:
                row, used = QHBoxLayout(), -space
                row.setSpacing(space)
                row.setAlignment(Qt.AlignmentFlag.AlignLeft)
                column.addLayout(row)
            used += space + width
            row.addWidget(made)
            self.buttons.append(made)

    def _button(self, button: ToastButton, *, first: bool) -> QPushButton:
        made = QPushButton(button.label.replace("&", "&&"), self)
        made.setProperty("look", "toast-primary" if first else "toast")
        made.clicked.connect(lambda: self._press(button.pressed))
        made.setAutoDefault(True)  # Enter presses it, too
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

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.draw()
        super().changeEvent(event)

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
    size = px(CIRCLE)
    label.setFixedSize(size, size)
    colour = colours.kind(type)
    tint = mix(colour, colours.card, 0.16).name()
    label.setStyleSheet(f"background: {tint}; border-radius: {size // 2}px;")
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setPixmap(icons.pixmap(icons.kind_icon(type), colour, px(22), label.devicePixelRatioF()))
    return label


class _Watch(QObject):
    """Tells when a window comes, goes, or is another size or elsewhere."""

    def __init__(self, window: QWidget, told: Callable[[], None]) -> None:
        super().__init__(window)
        self._told = told
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.Move, QEvent.Type.Resize):
            self._told()
        return False


class ToastStack:
    """The windows on the screen, newest at the bottom."""

    def __init__(self, theme: Theme, *, play: Callable[[Sound], object] = sounds.play) -> None:
        self.closed: Callable[[str], None] = nobody_listens
        self.lost: Callable[[Collection[str]], None] = nobody_listens
        self._theme, self._play = theme, play
        self.windows: dict[str, ToastWindow] = {}
        self._other: QWidget | None = None
        theme.changed.connect(self._redraw)

    def _redraw(self) -> None:
        for window in self.windows.values():
            window.draw()
            window.fit()
        self._arrange()

    async def show(self, card: Card) -> bool:
        self._take_off(card.key)
        while len(self.windows) >= MOST:
            oldest = next((key for key, window in self.windows.items() if window.card.seconds is not None), None)
            self.windows[oldest or next(iter(self.windows))].end()
        window = ToastWindow(card, self._theme)
        self.windows[card.key] = window
        window.ended.connect(self._ended)
        window.fit()
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
        bottom, right = free.bottom() - MARGIN, self._right(free)
        for window in reversed(list(self.windows.values())):
            top = bottom - window.height() + 1
            window.move(QPoint(right - window.width() + 1, top))
            bottom = top - SPACING

    def _right(self, free: QRect) -> int:
        """The right end of all: in the corner, or beside the open window that stands there."""
        usual, windows, other = free.right() - MARGIN, self.windows.values(), self._other
        if not windows or other is None or not other.isVisible() or other.isMinimized():
            return usual
        width = max(window.width() for window in windows)
        height = sum(window.height() + SPACING for window in windows)
        taken = QRect(usual - width + 1, free.bottom() - MARGIN - height + 1, width, height)
        there = other.frameGeometry()
        if not taken.intersects(there):
            return usual
        left_of_it = there.left() - SPACING
        return left_of_it if left_of_it - width >= free.left() else usual

    def give_way_to(self, window: QWidget) -> None:
        """Not over this one, while it is open."""
        self._other = window
        self._watch = _Watch(window, self._arrange)
