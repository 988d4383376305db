"""How a row is painted, with its buttons: no widget per row.

Owns the looks and which button is hovered, pressed or focused; the list view moves that state. Remote text is drawn
as the characters it consists of, never as markup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ..protocol import Notification
from ..words import say
from . import icons
from .details import PRIORITY_WORDS, details, one_line
from .matches import matches
from .models import AGE, HEADING, ITEM, PENDING, SOUGHT
from .row_layout import Fonts, Lengths, RowLayout, Spot, lay_out
from .theme import Colours, Theme, mix, px

KEPT_LAYOUTS, MARGIN = 300, 60
Index = QModelIndex | QPersistentModelIndex


@dataclass(slots=True)
class SpotState:
    """By (notification id, number of the spot); None: none."""

    hovered: tuple[str, int] | None = None
    pressed: tuple[str, int] | None = None
    focused: tuple[str, int] | None = None


class NotificationDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, width: Callable[[], int], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme, self._width = theme, width
        self._fonts, self._lengths = Fonts.current(), Lengths.current()
        self._layouts: dict[tuple[object, ...], RowLayout] = {}
        self.state = SpotState()
        theme.changed.connect(self.forget)

    def forget(self) -> None:
        self._fonts, self._lengths = Fonts.current(), Lengths.current()
        self._layouts.clear()

    def layout(self, index: Index) -> RowLayout:
        item: Notification = index.data(ITEM)
        heading = bool(index.data(HEADING))
        key = (item.id, item.seq, item.read, heading, self._width())
        found = self._layouts.pop(key, None)
        if found is None:
            # Those that were not asked for the longest go; but all of a long list stay, or each look at it would lay
            # it out anew.
            while len(self._layouts) >= max(KEPT_LAYOUTS, index.model().rowCount() + MARGIN):
                del self._layouts[next(iter(self._layouts))]
            label = self.tr("Marcar como leída")
            width, fonts, lengths = self._width(), self._fonts, self._lengths
            found = lay_out(item, width, fonts, lengths, check_label=label, heading=heading)
        self._layouts[key] = found
        return found

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self._width(), self.layout(index).height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(rect.topLeft())
        painter.setClipRect(QRect(0, 0, rect.width(), rect.height()))
        _Painting(self, painter, index, self._theme.colours, self._fonts, state).run()
        painter.restore()


class _Painting:
    """One row, once."""

    def __init__(
        self,
        delegate: NotificationDelegate,
        painter: QPainter,
        index: Index,
        colours: Colours,
        fonts: Fonts,
        state: QStyle.StateFlag,
    ) -> None:
        self.item: Notification = index.data(ITEM)
        self.pending: bool = index.data(PENDING)
        self.age: str = index.data(AGE)
        self.heading: str = index.data(HEADING)
        self.sought: str = index.data(SOUGHT)
        self.layout = delegate.layout(index)
        self.spots = delegate.state
        self.p, self.c, self.fonts = painter, colours, fonts
        self.hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        self.focused = bool(state & QStyle.StateFlag.State_HasFocus)
        self.selected = bool(state & QStyle.StateFlag.State_Selected)
        self.unread = not self.item.read
        self.kind = QColor(colours.kind(self.item.type))

    @property
    def background(self) -> str:
        if self.unread:
            return self.c.card_unread
        return self.c.card_hover if self.hovered else self.c.card

    def run(self) -> None:
        if self.layout.heading is not None:
            self._text(self.layout.heading, self.heading, self.fonts.heading, self.c.muted)
        self._card()
        self._circle()
        self._texts()
        for number, spot in enumerate(self.layout.spots):
            self._spot(spot, (self.item.id, number))

    def _card(self) -> None:
        card = QRectF(self.layout.card).adjusted(0.5, 0.5, -0.5, -0.5)
        edge = self.c.accent if self.selected or self.focused else self.c.border
        self.p.setPen(QPen(QColor(edge), 2 if self.focused else 1))
        self.p.setBrush(QColor(self.background))
        self.p.drawRoundedRect(card, 10, 10)
        if self.unread:
            inside = self.layout.card
            bar = QRectF(inside.left() + px(3), inside.top() + px(10), px(4), inside.height() - px(20))
            self.p.setPen(Qt.PenStyle.NoPen)
            self.p.setBrush(QColor(self.c.danger if self.item.priority == "urgent" else self.c.accent))
            self.p.drawRoundedRect(bar, 2, 2)

    def _circle(self) -> None:
        circle = QRectF(self.layout.circle)
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(mix(self.kind.name(), self.background, 0.16))
        self.p.drawEllipse(circle)
        icons.draw(self.p, icons.kind_icon(self.item.type), self.kind, circle.adjusted(px(8), px(8), -px(8), -px(8)))

    def _texts(self) -> None:
        layout, fonts = self.layout, self.fonts
        title = fonts.title_unread if self.unread else fonts.title
        self._sought(layout.title, one_line(self.item.title), title, self.c.text)
        said, colour = (f"{self.age} · Enviando…", self.c.accent) if self.pending else (self.age, self.c.muted)
        self._text(layout.age, said, fonts.small, colour)
        height = layout.message.height() // max(1, len(layout.lines))
        for number, line in enumerate(layout.lines):
            place = QRect(layout.message.left(), layout.message.top() + number * height, layout.message.width(), height)
            self._sought(place, line, fonts.body, self.c.text if self.unread else self.c.muted)
        if layout.pill is not None:
            self._pill(layout.pill)
        if layout.mark is not None:
            icons.draw(self.p, "silent", self.c.muted, QRectF(layout.mark))
        if layout.details is not None:
            self._sought(layout.details, details(self.item), fonts.small, self.c.muted)

    def _sought(self, rect: QRect, text: str, used: QFont, colour: str) -> None:
        """A text that may hold what is searched for: that is marked."""
        self._text(rect, text, used, colour)
        if not self.sought:
            return
        metrics = self.p.fontMetrics()
        fitting = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        for start, end in matches(fitting, self.sought):
            left = rect.left() + metrics.horizontalAdvance(fitting[:start])
            width = metrics.horizontalAdvance(fitting[:end]) - metrics.horizontalAdvance(fitting[:start])
            self.p.setPen(Qt.PenStyle.NoPen)
            self.p.setBrush(QColor(self.c.hit))
            self.p.drawRoundedRect(QRectF(left - 1, rect.top(), width + 2, rect.height()), 3, 3)
            place = QRect(left, rect.top(), width + 1, rect.height())
            self._text(place, fitting[start:end], used, self.c.on_hit, elide=False)

    def _text(
        self,
        rect: QRect,
        text: str,
        used: QFont,
        colour: str,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        *,
        elide: bool = True,
    ) -> None:
        self.p.setFont(used)
        self.p.setPen(QColor(colour))
        fitting = self.p.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width()) if elide else text
        self.p.drawText(rect, int(align | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine), fitting)

    def _pill(self, rect: QRect) -> None:
        urgent = self.item.priority == "urgent"
        colour, on = (self.c.danger, self.c.on_danger) if urgent else (self.background, self.c.warning)
        self.p.setPen(QPen(QColor(self.c.danger if urgent else self.c.warning), 1))
        self.p.setBrush(QColor(colour))
        radius = rect.height() / 2
        self.p.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        size = px(11)
        icons.draw(
            self.p, "warning", on, QRectF(rect.left() + px(6), rect.top() + (rect.height() - size) / 2, size, size)
        )
        word = say(PRIORITY_WORDS[self.item.priority])
        self._text(rect.adjusted(px(20), 0, -px(4), 0), word, self.fonts.small_bold, on)

    def _spot(self, spot: Spot, name: tuple[str, int]) -> None:
        hovered, pressed = self.spots.hovered == name, self.spots.pressed == name
        first = spot.kind == "action" and spot.index == 0
        fill = self.c.accent if first else self.c.button
        if hovered or pressed:
            fill = self.c.accent_hover if first else self.c.button_hover
        rect = QRectF(spot.rect).adjusted(0.5, 0.5, -0.5, -0.5)
        if pressed:
            rect.adjust(1, 1, -1, -1)
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(QColor(fill))
        if spot.kind == "check":
            if hovered or pressed:
                self.p.drawEllipse(rect)
            icons.draw(self.p, "check", self.c.good, rect.adjusted(px(5), px(5), -px(5), -px(5)))
        else:
            self.p.drawRoundedRect(rect, 7, 7)
            colour = self.c.on_accent if first else self.c.text
            self._text(spot.rect.adjusted(4, 0, -4, 0), spot.label, self.fonts.button, colour, _CENTER)
        if self.spots.focused == name and self.focused:
            self._ring(rect, round_=spot.kind == "check")

    def _ring(self, rect: QRectF, *, round_: bool) -> None:
        self.p.setPen(QPen(QColor(self.c.text), 2))
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        radius = rect.height() / 2 if round_ else 8
        self.p.drawRoundedRect(rect.adjusted(-1.5, -1.5, 1.5, 1.5), radius, radius)


_CENTER = Qt.AlignmentFlag.AlignHCenter
