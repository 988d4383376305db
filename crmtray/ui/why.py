"""The question "why was I told?": asked of the server when the person asks it, and what came back.

Owns its four states (not asked, asking, answered, no answer). The words are `explanation`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from ..protocol import Json
from .bars import plain_label
from .explanation import explanation
from .fields import Shown
from .language import Retold
from .tasks import Spawn
from .theme import px

Explain = Callable[[str], Awaitable[Json]]


def table(rows: Sequence[Shown]) -> QWidget:
    """Labels over values, in a frame."""
    frame = QFrame()
    frame.setProperty("look", "fields")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(px(14), px(11), px(14), px(12))
    layout.setSpacing(px(1))
    for number, row in enumerate(rows):
        if number:
            layout.addSpacing(px(7))
        layout.addWidget(plain_label(row.label, "label"))
        value = plain_label(row.value, wrap=True)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(value)
    return frame


class Why(QWidget):
    answered = Signal()
    """There is more to see, or something else, than before."""

    def __init__(self, explain: Explain, spawn: Spawn, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._explain, self._spawn, self._clock = explain, spawn, clock
        self._id = ""
        self.button = QPushButton()
        self.button.setProperty("look", "flat")
        self.button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.button.clicked.connect(self.ask)
        self.state = plain_label(look="muted", wrap=True)
        self.answer: QWidget | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(px(6))
        self._layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        self._layout.addWidget(self.state)
        Retold(self, lambda: self.forget(self._id))

    @property
    def rows(self) -> list[Shown]:
        return self._rows

    def forget(self, id: str) -> None:
        """Another item: nothing was asked of it yet."""
        self._id, self._rows = id, list[Shown]()
        self._say("")
        self.button.setText(self.tr("¿Por qué recibí esto?"))

    def ask(self) -> None:
        self._say(self.tr("Preguntando al servidor…"))
        self._spawn(self._ask(self._id), "explain")

    async def _ask(self, id: str) -> None:
        from ..api import ApiError

        try:
            answer = await self._explain(id)
        except ApiError as error:
            if id == self._id:
                self._failed(error.status, error.message)
            return
        if id == self._id:
            self._show(explanation(answer, self._clock()))

    def _failed(self, status: int, message: str) -> None:
        known = {
            0: self.tr("Sin conexión con el servidor no se puede saber."),
            404: self.tr("El servidor ya no tiene esta notificación, o todavía no sabe explicarla."),
        }
        self._say(known.get(status, message))
        self.button.setText(self.tr("Volver a preguntar"))

    def _show(self, rows: list[Shown]) -> None:
        if not rows:
            self._say(self.tr("El servidor no dio ninguna explicación."))
            return
        self._say("")
        self._rows = rows
        self.answer = table(rows)
        self._layout.addWidget(self.answer)
        self.answer.show()
        self.answered.emit()

    def _say(self, text: str) -> None:
        if self.answer is not None:
            self._layout.removeWidget(self.answer)
            self.answer.hide()
            self.answer.deleteLater()
            self.answer = None
        self.state.setText(text)
        self.state.setVisible(bool(text))
        if text:
            self.answered.emit()
