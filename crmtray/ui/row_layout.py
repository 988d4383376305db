"""Where everything in a row is: text, lines, buttons. Measures, never paints; the delegate and the mouse both ask it.

All rectangles are relative to the row's own top left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QFont, QFontMetrics, QTextLayout, QTextOption

from ..protocol import Notification
from ..words import say
from .details import PRIORITY_WORDS, details, one_line
from .theme import font, px

MOST_LINES = 3


@dataclass(frozen=True, slots=True)
class Fonts:
    title: QFont
    title_unread: QFont
    body: QFont
    small: QFont
    small_bold: QFont
    button: QFont
    heading: QFont

    @classmethod
    def current(cls) -> Fonts:
        return cls(
            font(pixels=13), font(pixels=13, bold=True), font(pixels=13), font(pixels=12), font(pixels=11, bold=True),
            font(pixels=12, bold=True), font(pixels=12, bold=True),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of the design, for the text size in use."""

    side: int
    gap: int
    pad: int
    circle: int
    button: int
    button_pad: int
    mark: int
    mark_gap: int
    circle_gap: int
    pill_pad: int
    pill_gap: int
    above_buttons: int
    between_buttons: int

    @classmethod
    def current(cls) -> Lengths:
        button = max(px(28), QFontMetrics(font(pixels=12, bold=True)).height() + px(10))
        return cls(px(8), px(4), px(12), px(36), button, px(10), px(13), px(5), px(10), px(26), px(9), px(9), px(6))


@dataclass(frozen=True, slots=True)
class Spot:
    """Something in a row that can be pressed: action number `index`, or the check mark."""

    kind: Literal["action", "check"]
    index: int
    rect: QRect
    label: str


@dataclass(frozen=True, slots=True)
class RowLayout:
    """`heading`: the day, over the card; `mark`: that the item came silently."""

    height: int
    heading: QRect | None
    card: QRect
    circle: QRect
    pill: QRect | None
    mark: QRect | None
    age: QRect
    title: QRect
    lines: tuple[str, ...]
    message: QRect
    details: QRect | None
    spots: tuple[Spot, ...]


def lay_out(
    item: Notification, width: int, fonts: Fonts, lengths: Lengths, *, check_label: str, heading: bool = False
) -> RowLayout:
    side, gap, pad = lengths.side, lengths.gap, lengths.pad
    top = gap + (QFontMetrics(fonts.heading).lineSpacing() + px(12) if heading else 0)
    day = QRect(side + px(4), px(6), width - 2 * side, top - px(8)) if heading else None
    card_width = width - 2 * side
    left, right = side + pad + lengths.circle + lengths.circle_gap, side + card_width - pad
    room, y = right - left, top + pad
    circle = QRect(side + pad, y, lengths.circle, lengths.circle)
    pill, mark, age = _top_line(item, left, y, room, fonts, lengths)
    title = QRect(left, age.bottom() + 3, room, QFontMetrics(fonts.title_unread).lineSpacing())
    lines = wrapped(one_line(item.message), fonts.body, room, MOST_LINES)
    message = QRect(left, title.bottom() + 3, room, QFontMetrics(fonts.body).lineSpacing() * len(lines))
    y = message.bottom() + 1
    detail = None
    if details(item):
        detail = QRect(left, y + 3, room, QFontMetrics(fonts.small).lineSpacing())
        y = detail.bottom() + 1
    spots, y = _buttons(item, left, max(y, circle.bottom() + 1), room, fonts, lengths)
    if not item.read:
        check = QRect(right - lengths.button + 4, top + pad - 6, lengths.button, lengths.button)
        spots = (*spots, Spot("check", len(item.actions), check, check_label))
    height = y + pad + gap
    card = QRect(side, top, card_width, height - gap - top)
    return RowLayout(height, day, card, circle, pill, mark, age, title, lines, message, detail, spots)


def _top_line(
    item: Notification, left: int, y: int, room: int, fonts: Fonts, lengths: Lengths
) -> tuple[QRect | None, QRect | None, QRect]:
    height = QFontMetrics(fonts.small).lineSpacing() + 2
    word = say(PRIORITY_WORDS.get(item.priority, ""))
    x, pill, mark = left, None, None
    if word:
        pill = QRect(x, y, QFontMetrics(fonts.small_bold).horizontalAdvance(word) + lengths.pill_pad, height)
        x = pill.right() + lengths.pill_gap
    if item.silent:
        mark = QRect(x, y + (height - lengths.mark) // 2, lengths.mark, lengths.mark)
        x = mark.right() + lengths.mark_gap
    return pill, mark, QRect(x, y, left + room - lengths.button - x, height)


def _buttons(
    item: Notification, left: int, y: int, room: int, fonts: Fonts, lengths: Lengths
) -> tuple[tuple[Spot, ...], int]:
    """They flow onto a second line when they must."""
    metrics, tall = QFontMetrics(fonts.button), lengths.button
    x, top = left, y + lengths.above_buttons
    spots: list[Spot] = []
    for index, action in enumerate(item.actions):
        label = one_line(action.label)
        width = min(metrics.horizontalAdvance(label) + 2 * lengths.button_pad, room)
        if x > left and x + width > left + room:
            x, top = left, top + tall + lengths.between_buttons
        spots.append(Spot("action", index, QRect(x, top, width, tall), label))
        x += width + lengths.between_buttons
    return tuple(spots), top + tall if spots else y


def wrapped(text: str, used: QFont, width: int, most: int) -> tuple[str, ...]:
    """The text in lines of this width; what does not fit into `most` lines is elided in the last."""
    if not text:
        return ()
    breaks = _breaks(text, used, width, most)
    lines = [text[start:end].rstrip() for start, end in breaks]
    if breaks[-1][1] < len(text):
        rest = text[breaks[-1][0] :]
        lines[-1] = QFontMetrics(used).elidedText(rest, Qt.TextElideMode.ElideRight, width)
    return tuple(lines)


def _breaks(text: str, used: QFont, width: int, most: int) -> Sequence[tuple[int, int]]:
    layout = QTextLayout(text, used)
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    layout.beginLayout()
    found: list[tuple[int, int]] = []
    while len(found) < most and (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        line.setPosition(QPointF(0, 0))
        found.append((line.textStart(), line.textStart() + line.textLength()))
    layout.endLayout()
    return _in_python(text, found)


def _in_python(text: str, places: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """Qt counts UTF-16 units: an emoji is two. Python counts characters."""
    if max(text) < "\U00010000":
        return places
    at = [0]
    for number, character in enumerate(text):
        at.extend([number + 1] * (2 if ord(character) >= 0x10000 else 1))
    return [(at[start], at[min(end, len(at) - 1)]) for start, end in places]
