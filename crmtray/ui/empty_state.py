"""What the center shows when there is no row: all done, nothing found, not loaded yet, or no way to load it.

Owns the drawing, the words and the one button that can help.
"""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..cache_views import Narrowing
from . import icons
from .bars import plain_label
from .language import Retold
from .sizes import spaced
from .theme import Theme, mix, px

Reason = Literal["done", "nothing_unread", "nothing_snoozed", "nothing_here", "nothing_found", "loading", "offline"]
_DRAWN: dict[str, str] = {
    "nothing_found": "search",
    "nothing_here": "search",
    "nothing_snoozed": "later",
    "offline": "offline",
}


SHORT = 20
"""A detail of the connection that is longer says why, and not only that, there is none."""


def why_empty(narrowing: Narrowing, link: tuple[str, str] | None) -> tuple[Reason, str]:
    """The reason, and what is known of it. `link`: the connection's state and detail when nothing was loaded yet."""
    if narrowing.search:
        return "nothing_found", ""
    if link is not None:
        state, detail = link
        waiting = state != "offline" or not detail or detail.endswith("…")
        return ("loading", "") if waiting else ("offline", detail if len(detail) > SHORT else "")
    if narrowing.filtered:
        return "nothing_here", ""
    if narrowing.snoozed:
        return "nothing_snoozed", ""
    return ("nothing_unread" if narrowing.unread else "done"), ""


class _Drawing(QWidget):
    """A bell at rest on a soft disc, with a few sparks."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.reason: Reason = "loading"
        self.setFixedSize(QSize(168, 132))  # it says nothing, so it does not grow: height is what a screen has least of
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = self._theme.colours
        calm = self.reason in ("done", "nothing_unread")
        accent = colours.good if calm else colours.warning if self.reason == "offline" else colours.accent
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mix(accent, colours.window, 0.09))
        painter.drawEllipse(QRectF(26, 8, 116, 116))
        painter.setBrush(mix(accent, colours.window, 0.16))
        painter.drawEllipse(QRectF(44, 26, 80, 80))
        icons.draw(painter, _DRAWN.get(self.reason, "kind-other"), accent, QRectF(62, 42, 44, 44))
        if calm:
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
    helped = Signal(str)
    """The button was pressed; with the reason it was there for."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._drawing = _Drawing(theme)
        self._title, self._text = plain_label(look="big"), plain_label(look="muted", wrap=True)
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._reason: Reason = "loading"
        self.button = QPushButton()
        self.button.setProperty("look", "soft")
        self.button.setAutoDefault(True)  # Enter presses it, too
        self.button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.button.clicked.connect(lambda: self.helped.emit(self._reason))
        layout = QVBoxLayout(self)
        spaced(self, layout, 32, 24, 32, 32, space=6)
        layout.addStretch(1)
        layout.addWidget(self._drawing, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self._title)
        layout.addWidget(self._text)
        layout.addSpacing(px(8))
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)
        self._detail = ""
        Retold(self, lambda: self.show_reason(self._reason, self._detail))

    @property
    def title(self) -> str:
        return self._title.text()

    @property
    def text(self) -> str:
        return self._text.text()

    def show_reason(self, reason: Reason, detail: str = "") -> None:
        """`detail`: what is known of why it cannot be loaded."""
        self._reason = self._drawing.reason = reason
        self._detail = detail
        self._drawing.update()
        title, text = self._words(reason)
        self._title.setText(title)
        self._text.setText(detail or text)
        help = {
            "offline": self.tr("Reintentar"),
            "nothing_here": self.tr("Quitar los filtros"),
            "nothing_found": self.tr("Quitar la búsqueda"),
        }.get(reason, "")
        self.button.setText(help)
        self.button.setVisible(bool(help))

    def _words(self, reason: Reason) -> tuple[str, str]:
        words: dict[str, tuple[str, str]] = {
            "done": (
                self.tr("Todo al día"),
                self.tr("Cuando un cliente espere o un lead se caliente, aparecerá aquí."),
            ),
            "nothing_unread": (self.tr("Todo leído"), self.tr("No queda ninguna notificación sin leer.")),
            "nothing_snoozed": (self.tr("Nada pospuesto"), self.tr("Lo que se pospone espera aquí hasta su hora.")),
            "nothing_here": (
                self.tr("Nada con estos filtros"),
                self.tr("Ninguna notificación de esta lista pasa los filtros elegidos."),
            ),
            "nothing_found": (self.tr("Sin resultados"), self.tr("Ninguna notificación contiene esas palabras.")),
            "loading": (self.tr("Cargando…"), self.tr("Buscando las notificaciones en el servidor.")),
            "offline": (
                self.tr("Sin conexión"),
                self.tr("Todavía no se pudo leer nada del servidor; se vuelve a intentar solo."),
            ),
        }
        return words[reason]
