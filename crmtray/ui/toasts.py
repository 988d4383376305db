"""Which toasts come up, once each, and go again when the item was read elsewhere.

Owns the order "mark as shown, then show": after a crash a toast may be missing, never shown twice. What deserves a
toast is decided by `alerts`; drawing is done by the desktop's service, or by our own windows when there is none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QObject, Signal

from ..alerts import Toast, decide, summary_text
from ..cache import Cache
from ..protocol import Notification, NotificationAction
from .details import details, one_line
from .tasks import Spawn
from .toast_card import Card, Channel, ToastButton, Urgency

MOST_BUTTONS = 3
SECONDS = 10.0
URGENT_SECONDS = 20.0
KEPT = 300
RECENT = 10


class Toasts(QObject):
    triggered = Signal(str, object)
    """A notification's id, and the action whose button was pressed."""
    opened = Signal(object)
    """The id of the item to show in the center; None: just the center."""

    def __init__(
        self,
        cache: Cache,
        desktop: Channel,
        own: Channel,
        spawn: Spawn,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._cache, self._desktop, self._own, self._spawn, self._clock = cache, desktop, own, spawn, clock
        self._recent: deque[datetime] = deque(maxlen=RECENT)
        self._shown: dict[str, tuple[Channel, frozenset[str]]] = {}
        self._critical: str | None = None

    # --- what happens -------------------------------------------------------------------------------------------

    def arrived(self, catching_up: bool) -> None:
        """Decides and marks at once; showing may take its time."""
        now = self._clock()
        pending = self._cache.pending_toasts(now=now)
        decision = decide(pending, now=now, catching_up=catching_up, recent=list(self._recent))
        self._cache.mark_toasted(decision.skipped, "skipped")
        self._cache.mark_toasted([item.id for toast in decision.toasts for item in toast.notifications], "shown")
        for toast in decision.toasts:
            self._recent.append(now)
            ids = frozenset(item.id for item in toast.notifications)
            self._spawn(self._show(self._card(toast), ids), "toast")

    def changed(self, ids: Collection[str]) -> None:
        """Takes back what was read, postponed or removed, here or elsewhere."""
        for key, (channel, of) in list(self._shown.items()):
            if (not ids or of.intersection(ids)) and not self._any_waits(of):
                del self._shown[key]
                self._spawn(channel.withdraw(key), "withdraw toast")

    def notice(self, text: str, button: ToastButton | None = None) -> None:
        """A sentence of ours, when the center is not open to show it."""
        buttons = () if button is None else (button,)
        card = Card(f"notice {text}", "", "crmtray", text, buttons, lambda: self.opened.emit(None), "normal", SECONDS)
        self._spawn(self._show(card, frozenset()), "notice")

    async def close(self) -> None:
        await self._own.close()
        await self._desktop.close()

    # --- showing ------------------------------------------------------------------------------------------------

    async def _show(self, card: Card, ids: frozenset[str]) -> None:
        channel = self._desktop
        if not await channel.show(card):
            channel = self._own
            await channel.show(card)
        if not ids:
            return
        self._shown[card.key] = (channel, ids)
        while len(self._shown) > KEPT:
            del self._shown[next(iter(self._shown))]
        # It may have been read while the service took its time.
        self.changed(ids)

    def _any_waits(self, ids: frozenset[str]) -> bool:
        now = self._clock()
        items = [item for id in ids if (item := self._cache.get(id)) is not None]
        return any(not item.read and (item.snoozed_until is None or item.snoozed_until <= now) for item in items)

    # --- what it says -------------------------------------------------------------------------------------------

    def _card(self, toast: Toast) -> Card:
        if toast.kind == "single":
            return self._single(toast.notifications[0])
        return self._summary(toast.notifications)

    def _single(self, item: Notification) -> Card:
        body = "\n".join(part for part in (one_line(item.message), details(item)) if part)
        seconds = URGENT_SECONDS if item.priority == "urgent" else SECONDS
        return Card(
            item.id,
            item.type,
            one_line(item.title),
            body,
            self._buttons(item),
            lambda: self.opened.emit(item.id),
            self._urgency(item),
            seconds,
        )

    def _summary(self, items: Sequence[Notification]) -> Card:
        opened = ToastButton(self.tr("Abrir"), lambda: self.opened.emit(None))
        title = self.tr("{} notificaciones nuevas").format(len(items))
        key = f"summary {items[-1].id}"
        return Card(key, "", title, summary_text(items), (opened,), opened.pressed, "normal", SECONDS)

    def _buttons(self, item: Notification) -> tuple[ToastButton, ...]:
        made = [self._button(item.id, action) for action in item.actions[:MOST_BUTTONS]]
        if len(made) < MOST_BUTTONS:
            # Some services do not tell of a click on the toast itself.
            made.append(ToastButton(self.tr("Abrir"), lambda: self.opened.emit(item.id)))
        return tuple(made)

    def _button(self, id: str, action: NotificationAction) -> ToastButton:
        return ToastButton(one_line(action.label), lambda: self.triggered.emit(id, action))

    def _urgency(self, item: Notification) -> Urgency:
        """One critical toast at a time: services show those over everything, and keep them."""
        if item.priority == "low":
            return "low"
        if item.priority != "urgent" or (self._critical is not None and self._critical in self._shown):
            return "normal"
        self._critical = item.id
        return "critical"
