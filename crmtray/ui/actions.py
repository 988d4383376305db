"""What a button does, the same from a toast, from the center and from a menu.

Owns the way from a button to the outbox: open a page, ask what is needed, queue. It must not send anything itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from ..cache import Cache
from ..outbox import Outbox
from ..protocol import CRM_ACTIONS, LINK_ACTIONS, Json, Notification, NotificationAction, parse_time
from .action_form import QUESTIONS, ActionForm, LoadSellers, Question, make_field
from .tasks import Spawn

OpenUrl = Callable[[QUrl], bool]
AskFirst = Callable[[QUrl, Callable[[], object]], object]
"""Calls the second, at once or when the person agrees."""


class Actions(QObject):
    notice = Signal(str)
    """A sentence for the person."""

    def __init__(
        self,
        cache: Cache,
        outbox: Outbox,
        load_sellers: LoadSellers,
        spawn: Spawn,
        *,
        open_url: OpenUrl = QDesktopServices.openUrl,
        ask_first: AskFirst = lambda url, go_on: go_on(),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._cache, self._outbox, self._load_sellers, self._spawn = cache, outbox, load_sellers, spawn
        self._open_url, self._ask_first, self._clock = open_url, ask_first, clock
        self.form: ActionForm | None = None

    def trigger_number(self, id: str, number: int) -> None:
        item = self._cache.get(id)
        if item is not None and number < len(item.actions):
            self.trigger(id, item.actions[number])

    def trigger(self, id: str, action: NotificationAction) -> None:
        item = self._cache.get(id)
        if item is None:
            self.notice.emit(self.tr("Esa notificación ya no existe."))
        elif action.action in QUESTIONS:
            self._ask(item, action)
        elif action.action in CRM_ACTIONS:
            self._outbox.perform(id, action.action, action.params)
        elif action.action in LINK_ACTIONS or action.url:
            self._open(item, action)
        else:
            self.notice.emit(self.tr("Esta versión de crmtray no conoce esa acción; hay que actualizarla."))

    def _open(self, item: Notification, action: NotificationAction) -> None:
        if not action.url:
            self.notice.emit(self.tr("El CRM no tiene una dirección web configurada para esta acción."))
            return
        url = web_address(action.url)
        if url is None:
            self.notice.emit(self.tr("La dirección de esta acción no es una página web (http o https); no se abre."))
            return
        self._ask_first(url, lambda: self._visit(item, action, url))

    def _visit(self, item: Notification, action: NotificationAction, url: QUrl) -> None:
        if not self._open_url(url):
            self.notice.emit(self.tr("No se pudo abrir el navegador. La dirección es {}").format(url.toString()))
            return
        if action.action in LINK_ACTIONS:
            self._outbox.perform(item.id, action.action, action.params)
        elif not item.read:
            self._outbox.mark_read(item.id)

    def snooze(self, id: str, until: datetime | None) -> None:
        """None: the person is asked until when. A moment that has come brings it back at once, unread."""
        if until is None:
            self.ask_snooze(id)
        elif until <= self._clock():
            # Reading ends a snooze, here and on the server; that it is unread is the second thing.
            self._outbox.mark_read(id)
            self._outbox.mark_unread(id)
        else:
            self._outbox.snooze(id, until)

    def ask_snooze(self, id: str) -> None:
        item = self._cache.get(id)
        if item is not None:
            form = self._show(item, self.tr("Posponer"), "moment")
            form.answered.connect(lambda answer: self._outbox.snooze(id, parse_time(answer["at"])))

    def _ask(self, item: Notification, action: NotificationAction) -> None:
        form = self._show(item, action.label, QUESTIONS[action.action])
        form.answered.connect(lambda answer: self._perform(item.id, action, answer))

    def _show(self, item: Notification, label: str, question: Question) -> ActionForm:
        if self.form is not None:
            self.form.close()
        field = make_field(question, self._load_sellers, self._spawn, self._clock)
        form = self.form = ActionForm(item, label, field)
        form.destroyed.connect(lambda: self._forget(form))
        form.show()
        form.raise_()
        form.activateWindow()
        return form

    def _perform(self, id: str, action: NotificationAction, answer: Json) -> None:
        self._outbox.perform(id, action.action, {**action.params, **answer})

    def _forget(self, form: ActionForm) -> None:
        if self.form is form:
            self.form = None

    def close(self) -> None:
        if self.form is not None:
            self.form.close()


def web_address(text: str) -> QUrl | None:
    """The address when it is a web page. Anything else (file, share, program scheme) could run or leak something."""
    url = QUrl(text.strip(), QUrl.ParsingMode.StrictMode)
    if not url.isValid() or url.scheme().lower() not in ("http", "https") or not url.host():
        return None
    return None if url.userInfo() else url
