"""The menu of one row: its actions for those who cannot use painted buttons, and what needs no button of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from ..outbox import Outbox
from ..protocol import Notification
from .actions import Actions
from .details import one_line
from .moments import choices


class ItemMenu(QMenu):
    def __init__(
        self,
        item: Notification,
        actions: Actions,
        outbox: Outbox,
        parent: QWidget,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(parent)
        self.setToolTipsVisible(False)
        for action in item.actions:
            self._add(one_line(action.label), partial(actions.trigger, item.id, action))
        if item.actions:
            self.addSeparator()
        if item.read:
            self._add(self.tr("Marcar como no leída"), lambda: outbox.mark_unread(item.id))
        else:
            self._add(self.tr("Marcar como leída"), lambda: outbox.mark_read(item.id))
        later = self.addMenu(self.tr("Posponer"))
        now = clock()
        if item.snoozed_until is not None and item.snoozed_until > now:
            later.addAction(self.tr("Traer ahora")).triggered.connect(lambda: actions.snooze(item.id, now))
            later.addSeparator()
        for choice in choices(now):
            later.addAction(choice.label).triggered.connect(lambda _=False, at=choice.at: outbox.snooze(item.id, at))
        later.addSeparator()
        later.addAction(self.tr("Elegir fecha y hora…")).triggered.connect(lambda: actions.ask_snooze(item.id))
        self._add(self.tr("Copiar texto"), lambda: QGuiApplication.clipboard().setText(f"{item.title}\n{item.message}"))
        self.addSeparator()
        self._add(self.tr("Quitar"), lambda: outbox.remove(item.id))

    def _add(self, text: str, work: Callable[[], object]) -> None:
        self.addAction(text.replace("&", "&&")).triggered.connect(lambda: work())

    def open(self, at: QPoint) -> None:
        self.aboutToHide.connect(self.deleteLater)
        self.popup(at)
