"""A small mark for the connection: a disc, a triangle or a cross, so that it does not depend on colour."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from .sizes import Sized
from .theme import Theme, px, scale

SIDE = 11


class ConnectionMark(QWidget):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._state = theme, "offline"
        Sized(self, lambda: self.setFixedSize(QSize(px(SIDE), px(SIDE))))
        theme.changed.connect(self.update)

    def set_state(self, state: str) -> None:
        self._state = state
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(scale(), scale())
        colour = QColor(self._theme.colours.link(self._state))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        if self._state == "real_time":
            painter.drawEllipse(QRectF(1, 1, SIDE - 2, SIDE - 2))
        elif self._state == "polling":
            painter.drawPolygon(QPolygonF([QPointF(SIDE / 2, 0.5), QPointF(SIDE, SIDE - 0.5), QPointF(0, SIDE - 0.5)]))
        else:
            painter.setPen(QPen(colour, 2.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(2, 2), QPointF(SIDE - 2, SIDE - 2))
            painter.drawLine(QPointF(SIDE - 2, 2), QPointF(2, SIDE - 2))
        painter.end()
