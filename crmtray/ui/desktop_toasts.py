"""Toasts through the notification service of Windows and of macOS, by desktop-notifier.

Owns that library's traps: it swallows failures, does not tell that a toast expired, and cannot put one toast in the
place of another. It keeps its own record of what is shown. On Linux `freedesktop_toasts` does this.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .freedesktop_toasts import RETRY_SECONDS, FreedesktopToasts
from .sounds import Sound
from .toast_card import Card, Channel, nobody_listens

if TYPE_CHECKING:
    from desktop_notifier import DesktopNotifier

log = logging.getLogger(__name__)

TIME_LIMIT = 5.0
KEPT = 200


def desktop_toasts(icon: Path) -> Channel:
    """What this system offers."""
    return FreedesktopToasts(icon) if sys.platform.startswith("linux") else DesktopToasts(icon)


class DesktopToasts:
    def __init__(
        self,
        icon: Path,
        *,
        make: Callable[[Path], Any] | None = None,
        limit: float = TIME_LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.closed: Callable[[str], None] = nobody_listens
        self.lost: Callable[[Collection[str]], None] = nobody_listens
        self._icon, self._make, self._limit, self._clock = icon, make or _make, limit, clock
        self._notifier: Any = None
        self._failed_at: float | None = None
        self._shown: dict[str, str] = {}

    async def show(self, card: Card) -> bool:
        if self._failed_at is not None and self._clock() - self._failed_at < RETRY_SECONDS:
            return False
        await self.withdraw(card.key)
        try:
            async with asyncio.timeout(self._limit):
                shown = await self._send(card)
        except Exception as error:  # the library passes on whatever the system raises
            log.info("the system's notification service cannot be used: %r", error)
            shown = False
        self._failed_at = None if shown else self._clock()
        if not shown:
            self._notifier = None
        return shown

    async def withdraw(self, key: str) -> None:
        identifier = self._shown.pop(key, None)
        if identifier is None or self._notifier is None:
            return
        try:
            async with asyncio.timeout(self._limit):
                await self._notifier.clear(identifier)
        except KeyError:
            pass  # the person has closed it, or it has expired
        except Exception as error:
            log.info("a toast could not be taken back: %r", error)
            self._notifier = None

    async def close(self) -> None:
        for key in list(self._shown):
            await self.withdraw(key)
        self._notifier = None

    # --- the library --------------------------------------------------------------------------------------------

    async def _send(self, card: Card) -> bool:
        if self._notifier is None:
            self._notifier = self._make(self._icon)
            # Asked first because `send` hides why it failed.
            await self._notifier.get_capabilities()
        dispatched: list[bool] = []
        identifier = await self._notifier.send(
            title=card.title,
            message=card.body,
            urgency=_urgency(card.urgency),
            buttons=_buttons(card),
            on_dispatched=lambda: dispatched.append(True),
            on_clicked=lambda: self._done(card.key, card.clicked),
            on_dismissed=lambda: self._done(card.key),
            sound=_sound(card.sound),
            timeout=-1 if card.seconds is None else round(card.seconds),
        )
        if dispatched:
            self._remember(card.key, identifier)
        return bool(dispatched)

    def _done(self, key: str, then: Callable[[], None] | None = None) -> None:
        self._shown.pop(key, None)
        self.closed(key)
        if then is not None:
            then()

    def _remember(self, key: str, identifier: str) -> None:
        self._shown[key] = identifier
        while len(self._shown) > KEPT:
            del self._shown[next(iter(self._shown))]


def _make(icon: Path) -> DesktopNotifier:
    # Imported here: it costs 90 ms, and the first toast comes long after the tray icon.
    from desktop_notifier import DesktopNotifier, Icon

    # We say ourselves what failed; the library would add a traceback each time.
    logging.getLogger("desktop_notifier").setLevel(logging.ERROR)
    return DesktopNotifier(app_name="crmtray", app_icon=Icon(path=icon))


def _urgency(urgency: str) -> Any:
    from desktop_notifier import Urgency

    return {"low": Urgency.Low, "critical": Urgency.Critical}.get(urgency, Urgency.Normal)


def _sound(sound: Sound | None) -> Any:
    """None is silence on both systems. macOS plays files of a bundle only: there it is the system's own sound."""
    from desktop_notifier import DEFAULT_SOUND
    from desktop_notifier import Sound as Native

    if sound is None:
        return None
    return Native(name=sound.windows) if sys.platform == "win32" else DEFAULT_SOUND


def _buttons(card: Card) -> tuple[Any, ...]:
    from desktop_notifier import Button

    return tuple(Button(button.label, on_pressed=button.pressed) for button in card.buttons)
