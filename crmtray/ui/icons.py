"""The drawn icons, in any colour and size.

Owns how a file of `resources/icons` becomes a crisp pixmap. The drawings use `currentColor`, which Qt does not
resolve, so the colour is put in before they are read.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ..paths import resource
from ..protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED
from .details import TEAM_MESSAGE

APP_ICON = "icons/crmtray.svg"
_KINDS: dict[str, str] = {
    UNANSWERED: "kind-unanswered",
    HOT_LEAD: "kind-hot-lead",
    FOLLOW_UP: "kind-follow-up",
    PERFORMANCE: "kind-performance",
    TEAM_MESSAGE: "kind-message",
}


def kind_icon(type: str) -> str:
    """The name of a kind's drawing: four different shapes, and a bell for kinds we do not know."""
    return _KINDS.get(type, "kind-other")


@lru_cache(maxsize=128)
def _renderer(name: str, colour: str) -> QSvgRenderer:
    drawing = resource(f"icons/{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    return QSvgRenderer(QByteArray(drawing.encode()))


def draw(painter: QPainter, name: str, colour: QColor | str, rect: QRectF) -> None:
    _renderer(name, QColor(colour).name()).render(painter, rect)


def pixmap(name: str, colour: QColor | str, size: int, ratio: float = 1.0) -> QPixmap:
    made = QPixmap(round(size * ratio), round(size * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    draw(painter, name, colour, QRectF(0, 0, size, size))
    painter.end()
    return made


def icon(name: str, colour: QColor | str, size: int = 20) -> QIcon:
    made = QIcon()
    for ratio in (1.0, 2.0):
        made.addPixmap(pixmap(name, colour, size, ratio))
    return made


def app_icon() -> QIcon:
    made = QIcon()
    renderer = QSvgRenderer(str(resource(APP_ICON)))
    for size in (16, 24, 32, 48, 64, 128, 256):
        picture = QPixmap(size, size)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        renderer.render(painter)
        painter.end()
        made.addPixmap(picture)
    return made
