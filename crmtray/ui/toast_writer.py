"""From notifications to what a toast says, offers and sounds like.

Owns the words. What a button does it is given; when a toast is shown is decided by `toasts`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject

from ..alerts import summary_text
from ..protocol import Notification, NotificationAction
from .details import details, one_line
from .sounds import NORMAL, Sound, sound_of
from .toast_card import Card, ToastButton, Urgency

MOST_BUTTONS = 3
SECONDS = 10.0
SUMMARY_SECONDS = 20.0
SUMMARY = "summary"
"""The key of every summary: there is one on the screen at most."""
URGENCIES: dict[str, Urgency] = {"low": "low", "urgent": "critical"}


class ToastWriter(QObject):
    def __init__(
        self,
        triggered: Callable[[str, NotificationAction], None],
        opened: Callable[[str | None], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._triggered, self._opened = triggered, opened

    def single(self, item: Notification) -> Card:
        """An urgent one stays until it is seen."""
        return Card(
            item.id,
            item.type,
            one_line(item.title),
            _body(item),
            self._buttons(item),
            lambda: self._opened(item.id),
            URGENCIES.get(item.priority, "normal"),
            None if item.priority == "urgent" else SECONDS,
            sound_of(item.priority),
            self.tr("Abrir"),
        )

    def summary(self, items: Sequence[Notification], *, after_quiet: bool = False) -> Card:
        [*_, last] = items
        only = last.id if len(items) == 1 else None
        button = ToastButton(self.tr("Abrir"), lambda: self._opened(only))
        text = f"{one_line(last.title)}: {one_line(last.message)}" if only else summary_text(items)
        title = self._summary_title(len(items), after_quiet)
        sound = _loudest(items)
        return Card(SUMMARY, "", title, text, (button,), button.pressed, "normal", SUMMARY_SECONDS, sound, button.label)

    def notice(self, text: str, button: ToastButton | None) -> Card:
        buttons = () if button is None else (button,)
        return Card(
            f"notice {text}",
            "",
            "crmtray",
            text,
            buttons,
            lambda: self._opened(None),
            "normal",
            SECONDS,
            click_label=self.tr("Abrir"),
        )

    def _summary_title(self, count: int, after_quiet: bool) -> str:
        if after_quiet:
            return self.tr("Mientras no molestaban")
        return self.tr("%n notificaciones nuevas", "", count)

    def _buttons(self, item: Notification) -> tuple[ToastButton, ...]:
        made = [self._button(item.id, action) for action in item.actions[:MOST_BUTTONS]]
        if len(made) < MOST_BUTTONS:
            # Some services do not tell of a click on the toast itself.
            made.append(ToastButton(self.tr("Abrir"), lambda: self._opened(item.id)))
        return tuple(made)

    def _button(self, id: str, action: NotificationAction) -> ToastButton:
        return ToastButton(one_line(action.label), lambda: self._triggered(id, action))


def _body(item: Notification) -> str:
    return "\n".join(part for part in (one_line(item.message), details(item)) if part)


def _loudest(items: Sequence[Notification]) -> Sound | None:
    urgent = next((item for item in items if item.priority == "urgent"), None)
    return NORMAL if urgent is None else sound_of(urgent.priority)
