"""What the center shows when there is no row: all done, nothing found, or not loaded yet."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from . import icons
from .bars import plain_label
from .theme import Theme, mix

Reason = Literal["done", "nothing_unread", "nothing_found", "loading"]


class _Drawing(QWidget):
    """A bell at rest on a soft disc, with a few sparks."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.reason: Reason = "loading"
        self.setFixedSize(QSize(168, 132))
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = self._theme.colours
        accent = colours.good if self.reason in ("done", "nothing_unread") else colours.accent
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mix(accent, colours.window, 0.09))
        painter.drawEllipse(QRectF(26, 8, 116, 116))
        painter.setBrush(mix(accent, colours.window, 0.16))
        painter.drawEllipse(QRectF(44, 26, 80, 80))
        name = "search" if self.reason == "nothing_found" else "kind-other"
        icons.draw(painter, name, accent, QRectF(62, 42, 44, 44))
        if self.reason in ("done", "nothing_unread"):
            self._tick(painter, colours.good, colours.window)
        self._sparks(painter, QColor(accent))
        painter.end()

    def _tick(self, painter: QPainter, colour: str, edge: str) -> None:
        painter.setPen(QPen(QColor(edge), 3))
        painter.setBrush(QColor(colour))
        painter.drawEllipse(QRectF(96, 78, 32, 32))
        icons.draw(painter, "check", edge, QRectF(103, 85, 18, 18))

    def _sparks(self, painter: QPainter, colour: QColor) -> None:
        painter.setPen(QPen(colour, 2.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        for x, y in ((20, 34), (150, 30), (12, 84), (158, 78)):
            painter.drawLine(QPointF(x - 4, y), QPointF(x + 4, y))
            painter.drawLine(QPointF(x, y - 4), QPointF(x, y + 4))


class EmptyState(QWidget):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._drawing = _Drawing(theme)
        self._title, self._text = plain_label(look="big"), plain_label(look="muted", wrap=True)
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 24, 32, 32)
        layout.setSpacing(6)
        layout.addStretch(1)
        layout.addWidget(self._drawing, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self._title)
        layout.addWidget(self._text)
        layout.addStretch(2)
        self.show_reason("loading")

    @property
    def title(self) -> str:
        return self._title.text()

    def show_reason(self, reason: Reason) -> None:
        self._drawing.reason = reason
        self._drawing.update()
        title, text = self._words(reason)
        self._title.setText(title)
        self._text.setText(text)

    def _words(self, reason: Reason) -> tuple[str, str]:
        match reason:
            case "done":
                return self.tr("Todo al día"), self.tr(
                    "Cuando un cliente espere o un lead se caliente, aparecerá aquí."
                )
            case "nothing_unread":
                return self.tr("Todo leído"), self.tr("No queda ninguna notificación sin leer.")
            case "nothing_found":
                return self.tr("Sin resultados"), self.tr("Ninguna notificación contiene esas palabras.")
            case "loading":
                return self.tr("Cargando…"), self.tr("Buscando las notificaciones en el servidor.")
