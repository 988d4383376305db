"""What the tests of the center share: opening it, pressing keys, looking at what it shows."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from crmtray.api import ApiError
from crmtray.cache import Cache
from crmtray.ui.center import Center
from crmtray.ui.models import ITEM
from tests.ui.support import fill


class Server:
    """Answers why somebody was told; `error`: it does not."""

    def __init__(self) -> None:
        self.answer: Any = {}
        self.error: ApiError | None = None
        self.asked: list[str] = []

    async def explain(self, id: str) -> Any:
        self.asked.append(id)
        if self.error is not None:
            raise self.error
        return self.answer


def opened(center: Center, cache: Cache, *items: Any) -> None:
    fill(cache, items)
    center._model.refresh(frozenset())
    center.set_loaded(True)
    center.open()
    QTest.qWaitForWindowExposed(center)


def keys(center: Center, *pressed: Qt.Key) -> None:
    for key in pressed:
        QTest.keyClick(QApplication.focusWidget() or center.list, key)


def told(signal: Any) -> list[Any]:
    said: list[Any] = []
    signal.connect(lambda *given: said.append(given))
    return said


def shown_ids(center: Center) -> list[str]:
    return [center._model.index(row).data(ITEM).id for row in range(center._model.rowCount())]


def painted(center: Center, colour: str) -> int:
    """How many points of the list have just this colour."""
    image, wanted = center.list.viewport().grab().toImage(), QColor(colour).rgb()
    return sum(image.pixel(x, y) == wanted for x in range(image.width()) for y in range(0, image.height(), 2))


def labels(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
