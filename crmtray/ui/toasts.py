"""Which toasts are on the screen: once each, never a storm, gone again when the item was read elsewhere.

Owns the order "mark as shown, then show": after a crash a toast may be missing, never shown twice. What deserves a
toast is decided by `alerts`, what it says by `toast_writer`; drawing is done by the desktop's service, or by our own
windows when there is none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QEvent, QObject, QTimer, Signal

from ..alerts import ABSENCE_MAX_AGE, MAX_AGE, MOST_ON_SCREEN, Toast, decide, waits
from ..cache import Cache
from ..config import ClientConfig
from ..protocol import Notification
from . import sounds
from .repeats import Repeats
from .sounds import Sound
from .tasks import Spawn
from .toast_card import Card, Channel, ToastButton
from .toast_writer import SUMMARY, ToastWriter

KEPT = 300
RECENT = 10
GATHER_MS = 400
"""An absence is caught up in pages: its summary waits until no more come."""
REPEAT_LOOK_MS = 15_000
SOUND_PAUSE = timedelta(seconds=3)
"""Toasts that come together make one sound."""


@dataclass(slots=True)
class _Shown:
    card: Card
    ids: frozenset[str]
    until: datetime | None
    """When it goes by itself; None: when somebody has seen it."""
    channel: Channel | None = None
    """None: on its way."""


class Toasts(QObject):
    triggered = Signal(str, object)
    """A notification's id, and the action whose button was pressed."""
    opened = Signal(object)
    """The id of the item to show in the center; None: just the center."""
    seen = Signal(str, object)
    """Told in the center instead: the title, and the item when it is one."""

    def __init__(
        self,
        cache: Cache,
        desktop: Channel,
        own: Channel,
        spawn: Spawn,
        *,
        quiet: Callable[[], bool] = lambda: False,
        looked_at: Callable[[], bool] = lambda: False,
        play: Callable[[Sound], object] = sounds.play,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`looked_at`: whether the person works with the center just now, where all this is too."""
        super().__init__()
        self._cache, self._spawn, self._quiet, self._clock = cache, spawn, quiet, clock
        self._desktop, self._own = desktop, own
        self._writer = ToastWriter(self.triggered.emit, self.opened.emit, self)
        self._recent: deque[datetime] = deque(maxlen=RECENT)
        self._shown: dict[str, _Shown] = {}
        self._looked_at, self._play = looked_at, play
        self._repeats = Repeats(cache)
        self._sounded: datetime | None = None
        self._one_by_one = asyncio.Lock()
        self._gathering = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._gathering.timeout.connect(lambda: self._tell(catching_up=True))
        self._repeating = QTimer(self, interval=REPEAT_LOOK_MS)
        self._repeating.timeout.connect(self.repeat)
        self.configure(ClientConfig())
        for channel in (desktop, own):
            channel.closed, channel.lost = self._closed, self._lost

    def configure(self, config: ClientConfig) -> None:
        self._sounds = config.sounds
        self._repeats.use(timedelta(minutes=config.repeat_urgent_minutes) if config.repeat_urgent else None)
        self._watch_repeats()

    def _watch_repeats(self) -> None:
        if not self._repeats:
            self._repeating.stop()
        elif not self._repeating.isActive():
            self._repeating.start()

    # --- what happens -------------------------------------------------------------------------------------------

    def arrived(self, catching_up: bool) -> None:
        """Decides and marks at once; showing may take its time. In do not disturb all waits, unmarked, for its end."""
        if self._quiet():
            return
        if catching_up:
            self._gathering.start()
        elif not self._gathering.isActive():
            self._tell(catching_up=False)

    def quiet_ended(self) -> None:
        """One summary of what came meanwhile."""
        self._gathering.stop()
        self._tell(catching_up=True, after_quiet=True)

    def changed(self, ids: Collection[str]) -> None:
        """Takes back what was read, postponed or removed, here or elsewhere."""
        for key, shown in list(self._shown.items()):
            if shown.ids and (not ids or shown.ids.intersection(ids)) and not self._waiting(shown.ids):
                self._take_back(key)

    def give_way_to(self, window: QObject) -> None:
        """What is on the screen when this window opens is seen there, and could only cover it."""
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show:
            for key in [key for key, shown in self._shown.items() if shown.ids]:
                self._take_back(key)
        return False

    def repeat(self) -> None:
        """Urgent items that nobody has looked at are told again, a few times."""
        now = self._clock()
        for id in self._repeats:
            items = self._waiting([id])
            if not items or self._repeats.over(id):
                self._repeats.forget(id)
            elif self._repeats.due(id, now) and not self._quiet() and self._fits(id):
                self._repeats.again(id, now)
                self._tell_again(self._writer.single(items[0]), now)
        self._watch_repeats()

    def _tell_again(self, card: Card, now: datetime) -> None:
        if self._looked_at():
            self._tell_there(self._sounding(card, now), [card.key])
        else:
            self._put(card, [card.key])

    def retell(self) -> None:
        """In another language, and without a sound."""
        for key, shown in self._on_screen().items():
            items = self._waiting(shown.ids)
            if items and shown.channel is not None:
                card = self._writer.summary(items) if key == SUMMARY else self._writer.single(items[0])
                self._put(replace(card, sound=None), [item.id for item in items])

    def notice(self, text: str, button: ToastButton | None = None) -> None:
        """A sentence of ours, when the center is not open to show it."""
        self._put(self._writer.notice(text, button), [])

    async def close(self) -> None:
        self._gathering.stop()
        self._repeating.stop()
        await self._own.close()
        await self._desktop.close()

    # --- deciding -----------------------------------------------------------------------------------------------

    def _tell(self, *, catching_up: bool, after_quiet: bool = False) -> None:
        if self._quiet():
            return  # it began while the pages were gathered
        now = self._clock()
        pending = self._cache.pending_toasts(now=now, max_age=ABSENCE_MAX_AGE if catching_up else MAX_AGE)
        decision = decide(
            pending,
            now=now,
            catching_up=catching_up,
            recent=list(self._recent),
            room=0 if after_quiet else MOST_ON_SCREEN - len(self._alone_on_screen()),
            summed_up=self._summed_up(pending),
        )
        self._cache.mark_toasted(decision.skipped, "skipped")
        self._cache.mark_toasted([item.id for toast in decision.toasts for item in toast.notifications], "shown")
        self._recent.extend([now] * (len(pending) - len(decision.skipped)))
        for toast in decision.toasts:
            self._show_toast(toast, after_quiet)

    def _show_toast(self, toast: Toast, after_quiet: bool) -> None:
        now, items = self._clock(), toast.notifications
        self._repeats.begin([item.id for item in items if item.priority == "urgent"], now)
        self._watch_repeats()
        if toast.kind == "single":
            card = self._writer.single(items[0])
        else:
            card = self._writer.summary(items, after_quiet=after_quiet)
        self._put(card, [item.id for item in items])

    def _on_screen(self) -> dict[str, _Shown]:
        now = self._clock()
        return {key: shown for key, shown in self._shown.items() if shown.until is None or shown.until > now}

    def _alone_on_screen(self) -> list[str]:
        return [key for key, shown in self._on_screen().items() if shown.ids and key != SUMMARY]

    def _fits(self, id: str) -> bool:
        others = [key for key in self._alone_on_screen() if key != id]
        return len(others) < MOST_ON_SCREEN

    def _summed_up(self, pending: Sequence[Notification]) -> list[Notification]:
        shown = self._on_screen().get(SUMMARY)
        new = {item.id for item in pending}
        return [] if shown is None else [item for item in self._waiting(shown.ids) if item.id not in new]

    def _waiting(self, ids: Collection[str]) -> list[Notification]:
        now = self._clock()
        items = [item for id in ids if (item := self._cache.get(id)) is not None and waits(item, now)]
        return sorted(items, key=lambda item: item.seq)

    # --- showing ------------------------------------------------------------------------------------------------

    def _put(self, card: Card, ids: Collection[str]) -> None:
        now = self._clock()
        until = None if card.seconds is None else now + timedelta(seconds=card.seconds)
        before = self._shown.pop(card.key, None)
        shown = _Shown(self._sounding(card, now), frozenset(ids), until, None if before is None else before.channel)
        self._shown[card.key] = shown
        while len(self._shown) > KEPT:
            del self._shown[next(iter(self._shown))]
        self._spawn(self._show(shown), "toast")

    def _take_back(self, key: str) -> None:
        shown = self._shown.pop(key)
        if shown.channel is not None:
            self._spawn(shown.channel.withdraw(key), "withdraw toast")

    def _sounding(self, card: Card, now: datetime) -> Card:
        if card.sound is None:
            return card
        if not self._sounds or (self._sounded is not None and now - self._sounded < SOUND_PAUSE):
            return replace(card, sound=None)
        self._sounded = now
        return card

    async def _show(self, shown: _Shown) -> None:
        """One after the other, so that the later of two under one key is the one that stays."""
        async with self._one_by_one:
            if not self._still(shown):
                return
            before, shown.channel = shown.channel, None
            channel = self._desktop if await self._desktop.show(shown.card) else self._own
            if channel is self._own and shown.ids and self._looked_at():
                del self._shown[shown.card.key]
                self._tell_there(shown.card, shown.ids)
            elif channel is self._own:
                await self._own.show(shown.card)
            if before is not None and before is not channel:
                await before.withdraw(shown.card.key)
            if self._still(shown):
                shown.channel = channel
            elif shown.card.key not in self._shown:
                # It was read while the service took its time.
                await channel.withdraw(shown.card.key)

    def _tell_there(self, card: Card, ids: Collection[str]) -> None:
        """In the center, which is open and in use: a window of ours would only cover it."""
        if card.sound is not None:
            self._play(card.sound)
        self.seen.emit(card.title, next(iter(ids)) if len(ids) == 1 else None)

    def _still(self, shown: _Shown) -> bool:
        return self._shown.get(shown.card.key) is shown

    def _closed(self, key: str) -> None:
        shown = self._shown.get(key)
        if shown is not None and shown.channel is not None:
            del self._shown[key]

    def _lost(self, keys: Collection[str]) -> None:
        """The service ended with these on the screen: they come up again, without a sound, wherever they can."""
        there = self._on_screen()
        for key in keys:
            shown = there.get(key)
            if shown is not None and (not shown.ids or self._waiting(shown.ids)):
                shown.channel, shown.card = None, replace(shown.card, sound=None)
                self._spawn(self._show(shown), "toast again")
