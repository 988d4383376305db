"""Toasts through the desktop's own notification service, by desktop-notifier.

Owns that library's traps: it swallows failures, hangs for ever on a bus that died, never tells that a toast expired,
and passes the body on as markup. It keeps its own record of what is shown.
"""

from __future__ import annotations

import asyncio
import html
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .toast_card import Card

if TYPE_CHECKING:
    from desktop_notifier import DesktopNotifier

log = logging.getLogger(__name__)

TIME_LIMIT = 5.0
RETRY_SECONDS = 30.0
"""After a failure the service is left alone for so long: each try can cost the whole time limit."""
KEPT = 200
MARKUP = "body-markup"


class DesktopToasts:
    def __init__(
        self,
        icon: Path,
        *,
        make: Callable[[Path], Any] | None = None,
        limit: float = TIME_LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._icon, self._make, self._limit, self._clock = icon, make or _make, limit, clock
        self._notifier: Any = None
        self._escape = True
        self._failed_at: float | None = None
        self._shown: dict[str, str] = {}
        self._ending: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def show(self, card: Card) -> bool:
        if self._failed_at is not None and self._clock() - self._failed_at < RETRY_SECONDS:
            return False
        try:
            async with asyncio.timeout(self._limit):
                shown = await self._send(card)
        except Exception as error:  # the library passes on whatever its bus raises
            log.info("the desktop's notification service cannot be used: %r", error)
            shown = False
        self._failed_at = None if shown else self._clock()
        if not shown:
            self._drop()
        return shown

    async def withdraw(self, key: str) -> None:
        timer = self._ending.pop(key, None)
        if timer is not None:
            timer.cancel()
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
            self._drop()

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)
        for key in list(self._shown):
            await self.withdraw(key)
        self._drop()

    # --- the library --------------------------------------------------------------------------------------------

    async def _send(self, card: Card) -> bool:
        notifier = await self._ready()
        dispatched: list[bool] = []
        identifier = await notifier.send(
            title=card.title,
            message=html.escape(card.body, quote=False) if self._escape else card.body,
            urgency=_urgency(card.urgency),
            buttons=_buttons(card),
            on_dispatched=lambda: dispatched.append(True),
            on_clicked=card.clicked,
            timeout=round(card.seconds),
        )
        if dispatched:
            self._remember(card, identifier)
        return bool(dispatched)

    async def _ready(self) -> Any:
        if self._notifier is not None and not _connected(self._notifier):
            self._drop()
        if self._notifier is None:
            self._notifier = self._make(self._icon)
            # Asked first because `send` hides why it failed.
            await self._notifier.get_capabilities()
            self._escape = await _takes_markup(self._notifier)
        return self._notifier

    def _remember(self, card: Card, identifier: str) -> None:
        self._shown[card.key] = identifier
        while len(self._shown) > KEPT:
            del self._shown[next(iter(self._shown))]
        if card.urgency == "critical":
            # Services keep a critical toast until it is closed by hand: it would cover the screen for ever.
            loop = asyncio.get_running_loop()
            self._ending[card.key] = loop.call_later(card.seconds, self._end, card.key)

    def _end(self, key: str) -> None:
        task = asyncio.get_running_loop().create_task(self.withdraw(key), name="end toast")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drop(self) -> None:
        notifier, self._notifier = self._notifier, None
        for timer in self._ending.values():
            timer.cancel()
        self._ending.clear()
        self._shown.clear()
        bus = getattr(getattr(notifier, "_backend", None), "bus", None)
        if bus is not None and bus.connected:
            bus.disconnect()


def _make(icon: Path) -> DesktopNotifier:
    # Imported here: it costs 90 ms, and the first toast comes long after the tray icon.
    from desktop_notifier import DesktopNotifier, Icon

    # We say ourselves what failed; the library would add a traceback each time.
    logging.getLogger("desktop_notifier").setLevel(logging.ERROR)
    return DesktopNotifier(app_name="crmtray", app_icon=Icon(path=icon))


def _urgency(urgency: str) -> Any:
    from desktop_notifier import Urgency

    return {"low": Urgency.Low, "critical": Urgency.Critical}.get(urgency, Urgency.Normal)


def _buttons(card: Card) -> tuple[Any, ...]:
    from desktop_notifier import Button

    return tuple(Button(button.label, on_pressed=button.pressed) for button in card.buttons)


def _connected(notifier: Any) -> bool:
    """On Linux the library keeps a connection that may have died; elsewhere there is none to lose."""
    bus = getattr(notifier._backend, "bus", None)
    return bus is None or bool(bus.connected)


async def _takes_markup(notifier: Any) -> bool:
    """Whether the service reads the body as markup, so that it must be escaped. The library does not tell."""
    interface = getattr(notifier._backend, "interface", None)
    if interface is None:
        return False
    return MARKUP in await interface.call_get_capabilities()
