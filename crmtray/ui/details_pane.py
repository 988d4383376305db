"""One notification in full: its text, everything it carries, and what can be done with it.

Owns the pane and its keys. What is pressed is told by signals; the item is given to it, again whenever it changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..protocol import Notification
from ..relative_time import clock_time, relative
from ..words import say
from . import icons
from .bars import plain_label
from .details import PRIORITY_NAMES, PRIORITY_WORDS, kind_name, one_line
from .fields import fields
from .flow import Flow
from .language import Retold
from .moments import choices
from .sizes import Scrolling, spaced
from .theme import Theme, mix, px
from .why import Why, table


class DetailsPane(QWidget):
    pressed_action = Signal(str, int)
    marked = Signal(str, bool)
    """Whether it is to be read."""
    snoozed = Signal(str, object)
    """Until when; None: the person wants to choose a moment."""
    removed = Signal(str)
    left = Signal()

    def __init__(self, theme: Theme, why: Why, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.setObjectName("details")
        self._theme, self._clock = theme, clock
        self._item: Notification | None = None
        self._revealing = False
        self.why = why
        self.buttons: list[QPushButton] = []
        self.state = plain_label(look="small", wrap=True)
        self.back, self.read, self.remove = self._tool(), self._flat(), self._flat()
        self.later = self._flat()
        self.menu = QMenu(self)
        self._build()
        self._connect()

    # --- building -----------------------------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._head())
        self._page = QWidget()
        self._page.setObjectName("details")
        self._column = QVBoxLayout(self._page)
        spaced(self._page, self._column, 16, 14, 16, 14, space=10)
        self._body = QWidget()
        self._column.addWidget(self._body)
        self._column.addWidget(self.why)
        self._column.addStretch(1)
        self.area = Scrolling(self._page)
        self.area.setObjectName("details")
        layout.addWidget(self.area, 1)
        layout.addWidget(self._foot())

    def _head(self) -> QWidget:
        head = QFrame()
        head.setObjectName("details-head")
        line = QHBoxLayout(head)
        spaced(head, line, 8, 4, 16, 6, space=6)
        line.addWidget(self.back)
        line.addStretch(1)
        line.addWidget(self.state)
        return head

    def _foot(self) -> QWidget:
        foot = QFrame()
        foot.setObjectName("details-foot")
        line = QHBoxLayout(foot)
        spaced(foot, line, 8, 6, 8, 6, space=2)
        self.later.setMenu(self.menu)
        self.later.setProperty("menu", "true")
        for button in (self.later, self.read):
            line.addWidget(button)
        line.addStretch(1)
        line.addWidget(self.remove)
        return foot

    def _tool(self) -> QToolButton:
        button = QToolButton()
        button.setProperty("look", "icon")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _flat(self) -> QPushButton:
        button = QPushButton()
        button.setProperty("look", "flat")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        return button

    def _connect(self) -> None:
        self.back.clicked.connect(self.left)
        self.read.clicked.connect(self._mark)
        self.remove.clicked.connect(self._remove)
        self.menu.aboutToShow.connect(self.fill_menu)
        self.why.answered.connect(self._will_reveal)
        self.area.verticalScrollBar().rangeChanged.connect(self._reveal)
        self._theme.changed.connect(self._redraw)
        self._draw_back()
        Retold(self, self._tell_words)

    def _tell_words(self) -> None:
        self.later.setText(self.tr("Posponer"))
        self.remove.setText(self.tr("Quitar"))
        self.back.setText(self.tr("Volver"))
        self.back.setToolTip(self.tr("Volver (Esc)"))
        if self._item is not None:
            item, self._item = self._item, None
            self.show_item(item, pending=False)

    # --- what it shows ------------------------------------------------------------------------------------------

    @property
    def id(self) -> str | None:
        return None if self._item is None else self._item.id

    def show_item(self, item: Notification, *, pending: bool) -> None:
        before, self._item = self._item, item
        if before is None or before.id != item.id:
            self.why.forget(item.id)
            self._revealing = False
            self.area.verticalScrollBar().setValue(0)
        if before is None or _body_of(before) != _body_of(item):
            self._rebuild(item)
        # A screen reader says it when the focus comes in.
        self.setAccessibleName(self.tr("Detalle de la notificación: {}").format(one_line(item.title)))
        self.setAccessibleDescription(one_line(item.message))
        self.read.setText(self.tr("Marcar como no leída") if item.read else self.tr("Marcar como leída"))
        self._say_state(item, pending)

    def forget(self) -> None:
        self._item = None
        self.why.forget("")

    def tick(self) -> None:
        if self._item is not None:
            self._time.setText(self._when(self._item))

    def _say_state(self, item: Notification, pending: bool) -> None:
        now = self._clock()
        parts = [self.tr("Leída") if item.read else self.tr("Sin leer")]
        if item.snoozed_until is not None and item.snoozed_until > now:
            parts = [self.tr("Pospuesta hasta {}").format(clock_time(item.snoozed_until, now))]
        if pending:
            parts.append(self.tr("Enviando…"))
        self.state.setText(" · ".join(parts))

    def _when(self, item: Notification) -> str:
        now = self._clock()
        exact, age = clock_time(item.created_at, now), relative(item.created_at, now)
        text = f"{exact[:1].upper()}{exact[1:]} · {age}"
        return self.tr("{} · Llegó sin aviso").format(text) if item.silent else text

    def _rebuild(self, item: Notification) -> None:
        focused = next((at for at, button in enumerate(self.buttons) if button.hasFocus()), None)
        self._column.removeWidget(self._body)
        self._body.hide()
        self._body.deleteLater()
        self._body = self._made(item)
        self._column.insertWidget(0, self._body)
        # Left to Qt it would be shown a turn later, and could not take the focus until then.
        self._body.show()
        if focused is not None:
            (self.buttons[focused] if focused < len(self.buttons) else self.back).setFocus()

    def _made(self, item: Notification) -> QWidget:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(px(8))
        layout.addLayout(self._kind_line(item))
        for text, look in ((item.title, "title"), (item.message, "")):
            words = plain_label(_lines(text), look, wrap=True)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(words)
        self._time = plain_label(self._when(item), "small", wrap=True)
        layout.addWidget(self._time)
        self.buttons = [self._action(item, number) for number in range(len(item.actions))]
        if self.buttons:
            buttons = QWidget()
            flow = Flow(buttons, space=px(6))
            for button in self.buttons:
                flow.addWidget(button)
            layout.addWidget(buttons)
        if rows := fields(item, self._clock()):
            layout.addWidget(table(rows))
        return body

    def _kind_line(self, item: Notification) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(px(8))
        line.addWidget(self._picture(item))
        line.addWidget(plain_label(kind_name(item.type), "kind"))
        if item.priority in PRIORITY_WORDS:
            pill = plain_label(say(PRIORITY_NAMES[item.priority]), item.priority)
            pill.setAccessibleName(self.tr("Prioridad: {}").format(say(PRIORITY_NAMES[item.priority])))
            line.addWidget(pill, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addStretch(1)
        return line

    def _picture(self, item: Notification) -> QLabel:
        colours, size = self._theme.colours, px(32)
        colour = colours.kind(item.type)
        picture = QLabel()
        picture.setPixmap(icons.pixmap(icons.kind_icon(item.type), colour, px(18), self.devicePixelRatioF()))
        picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        picture.setFixedSize(size, size)
        tint = mix(colour, colours.window, 0.16).name()
        picture.setStyleSheet(f"background: {tint}; border-radius: {size // 2}px;")
        return picture

    def _action(self, item: Notification, number: int) -> QPushButton:
        button = QPushButton(one_line(item.actions[number].label).replace("&", "&&"))
        button.setProperty("look", "primary" if number == 0 else "soft")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda: self.pressed_action.emit(item.id, number))
        return button

    def _mark(self) -> None:
        if self._item is not None:
            self.marked.emit(self._item.id, not self._item.read)

    def _remove(self) -> None:
        if self._item is not None:
            self.removed.emit(self._item.id)

    def fill_menu(self) -> None:
        self.menu.clear()
        now, until = self._clock(), None if self._item is None else self._item.snoozed_until
        if until is not None and until > now:
            self.menu.addAction(self.tr("Traer ahora")).triggered.connect(lambda: self.snoozed.emit(self.id, now))
            self.menu.addSeparator()
        for choice in choices(now):
            entry = self.menu.addAction(choice.label)
            entry.triggered.connect(lambda _=False, at=choice.at: self.snoozed.emit(self.id, at))
        self.menu.addSeparator()
        self.menu.addAction(self.tr("Elegir fecha y hora…")).triggered.connect(lambda: self.snoozed.emit(self.id, None))

    def _will_reveal(self) -> None:
        self._revealing = True

    def _reveal(self) -> None:
        """The answer stands below: as soon as there is room for it, it is scrolled to."""
        if self._revealing:
            self._revealing = False
            self.area.verticalScrollBar().setValue(self.why.y())

    def _redraw(self) -> None:
        self._draw_back()
        if self._item is not None:
            self._rebuild(self._item)

    def _draw_back(self) -> None:
        self.back.setIcon(icons.icon("back", self._theme.colours.muted, px(18)))
        self.back.setIconSize(QSize(px(18), px(18)))

    # --- keys ---------------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        (self.buttons[0] if self.buttons else self.back).setFocus()
        # The focus scrolls its button to the middle; the title comes first.
        self.area.verticalScrollBar().setValue(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar, key = self.area.verticalScrollBar(), event.key()
        steps = {
            Qt.Key.Key_Down: bar.singleStep(),
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_PageDown: bar.pageStep(),
            Qt.Key.Key_PageUp: -bar.pageStep(),
        }
        if key in steps:
            bar.setValue(bar.value() + steps[Qt.Key(key)])
        elif key == Qt.Key.Key_Delete:
            self._remove()
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Backspace):
            self.left.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(button := self.focusWidget(), QPushButton):
            button.click()
        else:
            super().keyPressEvent(event)


def _body_of(item: Notification) -> tuple[object, ...]:
    return item.id, item.type, item.title, item.message, item.data, item.actions, item.priority, item.silent


def _lines(text: str) -> str:
    """Here line breaks may stay; nothing else that is not a character."""
    return "\n".join(one_line(line) for line in text.splitlines())
