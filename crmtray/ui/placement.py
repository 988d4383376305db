"""Where the center opens: on the screen of the pointer, near it, and inside the part that is free.

Pure but for asking which screens there are.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

SHARE_OF_SCREEN = 0.8
MARGIN = 8


def placed(width: int, cursor: QPoint) -> QRect:
    screen = QGuiApplication.screenAt(cursor) or QGuiApplication.primaryScreen()
    available = screen.availableGeometry()
    height = min(int(screen.geometry().height() * SHARE_OF_SCREEN), available.height() - 2 * MARGIN)
    size = QSize(min(width, available.width() - 2 * MARGIN), height)
    return QRect(beside(cursor, size, available), size)


def beside(cursor: QPoint, size: QSize, available: QRect) -> QPoint:
    """Near the pointer, which is on the tray when it was clicked, and inside the part of the screen that is free.

    Trays of today do not say where their icon is. Without a click (the pointer is somewhere in the middle) the lower
    right corner is as good a guess as any.
    """
    inner = available.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    edge = inner.adjusted(48, 48, -48, -48)
    if edge.contains(cursor):
        return QPoint(inner.right() - size.width() + 1, inner.bottom() - size.height() + 1)
    left = min(max(cursor.x() - size.width() // 2, inner.left()), inner.right() - size.width() + 1)
    low = cursor.y() > available.center().y()
    top = inner.bottom() - size.height() + 1 if low else inner.top()
    return QPoint(left, top)


def widen(window: QWidget, width: int) -> None:
    """To another width, to the left where there is no more room at the right."""
    window.setFixedWidth(width)
    over = window.frameGeometry().right() - window.screen().availableGeometry().right() + MARGIN
    if over > 0:
        window.move(window.x() - over, window.y())
