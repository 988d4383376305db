"""The tray icon's picture: a bell, how many are unread, and how the connection is.

Owns only painting. It is crisp at every size a panel asks for, and readable on light and on dark panels: the bell is
light with a dark edge, and the connection marks differ in shape as well as in colour.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QGuiApplication,
    QIcon,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPolygonF,
)

SIZES = (16, 20, 22, 24, 32, 48, 64)
EDGE = "#101828"
BELL = "#FFFFFF"
RED, GREEN, YELLOW, VIOLET = "#DC2626", "#16A34A", "#F5B301", "#6D28D9"


def badge_text(unread: int) -> str:
    """Nothing, 1 to 9, then 9+."""
    return "" if unread <= 0 else str(unread) if unread <= 9 else "9+"


def tray_icon(unread: int, state: str, *, quiet: bool = False) -> QIcon:
    """`state`: `real_time`, `polling`, anything else is offline. `quiet`: nobody is to be disturbed."""
    made = QIcon()
    for size in SIZES:
        made.addPixmap(picture(size, unread, state, quiet=quiet))
    return made


def picture(size: int, unread: int, state: str, *, quiet: bool = False) -> QPixmap:
    made = QPixmap(size, size)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / 64, size / 64)
    _bell(painter, offline=state not in ("real_time", "polling"))
    _mark(painter, state)
    if quiet:
        _quiet_mark(painter)
    if unread > 0:
        _badge(painter, badge_text(unread))
    painter.end()
    return made


def _bell(painter: QPainter, *, offline: bool) -> None:
    body = QPainterPath(QPointF(32, 7))
    body.cubicTo(20, 7, 13, 16, 13, 27)
    body.cubicTo(13, 38, 9, 42, 6, 47)
    body.lineTo(58, 47)
    body.cubicTo(55, 42, 51, 38, 51, 27)
    body.cubicTo(51, 16, 44, 7, 32, 7)
    body.closeSubpath()
    clapper = QPainterPath(QPointF(24, 50))
    clapper.arcTo(QRectF(24, 42, 16, 17), 180, 180)
    clapper.closeSubpath()
    painter.setPen(QPen(QColor(EDGE), 5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(QColor("#AEB8CC" if offline else BELL))
    painter.drawPath(clapper)
    painter.drawPath(body)


def _mark(painter: QPainter, state: str) -> None:
    """A green disc, a yellow triangle, or a red square with a cross, at the lower left."""
    painter.setPen(QPen(QColor(EDGE), 3))
    if state == "real_time":
        painter.setBrush(QColor(GREEN))
        painter.drawEllipse(QRectF(2, 40, 22, 22))
    elif state == "polling":
        painter.setBrush(QColor(YELLOW))
        painter.drawPolygon(QPolygonF([QPointF(14, 37), QPointF(27, 62), QPointF(1, 62)]))
    else:
        painter.setBrush(QColor(RED))
        painter.drawRect(QRectF(2, 39, 23, 23))
        painter.setPen(QPen(QColor(BELL), 4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(8.5, 45.5), QPointF(18.5, 55.5))
        painter.drawLine(QPointF(18.5, 45.5), QPointF(8.5, 55.5))


def _quiet_mark(painter: QPainter) -> None:
    """A violet disc with a bar, at the lower right."""
    painter.setPen(QPen(QColor(EDGE), 3))
    painter.setBrush(QColor(VIOLET))
    painter.drawEllipse(QRectF(38, 38, 24, 24))
    painter.setPen(QPen(QColor(BELL), 5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawLine(QPointF(45, 50), QPointF(55, 50))


def _badge(painter: QPainter, text: str) -> None:
    wide = len(text) > 1
    rect = QRectF(20 if wide else 28, 0, 44 if wide else 36, 36)
    painter.setPen(QPen(QColor(BELL), 3))
    painter.setBrush(QBrush(QColor(RED)))
    painter.drawRoundedRect(rect.adjusted(1.5, 1.5, -1.5, -1.5), 17, 17)
    used = QFont(QGuiApplication.font())
    used.setPixelSize(25 if wide else 29)
    used.setWeight(QFont.Weight.Bold)
    painter.setFont(used)
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
