"""Toasts through the notification service of a Linux desktop, as the freedesktop specification has it.

Spoken to directly, because desktop-notifier tells neither that a toast expired nor that the service has ended, and
cannot put one toast in another's place. Owns what each service can do, and which cards it shows.
https://specifications.freedesktop.org/notification-spec/latest/
"""

from __future__ import annotations

import asyncio
import html
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import sounds
from .session_bus import BusError, SessionBus, owner_rule
from .sounds import Sound
from .toast_card import Card, nobody_listens

if TYPE_CHECKING:
    from dbus_fast import Message, Variant

log = logging.getLogger(__name__)

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
RETRY_SECONDS = 30.0
"""After a failure the service is left alone for so long, unless it says that it is there: each try can cost seconds."""
XFCE = "Xfce Notify Daemon"
CLOSED_BY_US = 3
DEFAULT = "default"
URGENCY = {"low": 0, "normal": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    can: frozenset[str]

    @property
    def clicks(self) -> bool:
        """Xfce's draws the action "default" as a button of that name, instead of doing it on a click."""
        return "actions" in self.can and self.name != XFCE


class FreedesktopToasts:
    def __init__(
        self,
        icon: Path,
        *,
        limit: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        play: Callable[[Sound], object] = sounds.play,
    ) -> None:
        self.closed: Callable[[str], None] = nobody_listens
        self.lost: Callable[[Collection[str]], None] = nobody_listens
        self._icon, self._clock, self._play = icon, clock, play
        rules = [f"type='signal',interface='{NAME}',path='{PATH}'", owner_rule(NAME)]
        self._bus = SessionBus(rules, self._heard, limit=limit)
        self._service: _Service | None = None
        self._failed_at: float | None = None
        self._cards: dict[int, Card] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def show(self, card: Card) -> bool:
        if self._failed_at is not None and self._clock() - self._failed_at < RETRY_SECONDS:
            return False
        try:
            await self._notify(card)
        except BusError as error:
            log.info("the desktop's notification service cannot be used: %s", error)
            self._failed_at, self._service = self._clock(), None
            return False
        self._failed_at = None
        return True

    async def withdraw(self, key: str) -> None:
        number = self._number(key)
        if number is None:
            return
        del self._cards[number]
        await self._take_off(number)

    async def _take_off(self, number: int) -> None:
        try:
            await self._bus.call(NAME, PATH, NAME, "CloseNotification", "u", [number], start=False)
        except BusError as error:
            log.debug("a toast could not be taken back: %s", error)  # it has gone by itself, or the service has

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)
        for card in list(self._cards.values()):
            await self.withdraw(card.key)
        self._bus.close()

    # --- showing ------------------------------------------------------------------------------------------------

    async def _notify(self, card: Card) -> None:
        service = await self._able()
        before = self._number(card.key)
        body = html.escape(card.body, quote=False) if "body-markup" in service.can else card.body
        seconds = 0 if card.seconds is None else round(card.seconds * 1000)
        words = ["crmtray", before or 0, self._icon.as_uri(), card.title, body]
        given = [*words, _actions(card, service), _hints(card, service), seconds]
        [number] = await self._bus.call(NAME, PATH, NAME, "Notify", "susssasa{sv}i", given)
        if before is not None:
            self._cards.pop(before, None)
        self._cards[number] = card
        if card.sound is not None and "sound" not in service.can:
            self._play(card.sound)

    async def _able(self) -> _Service:
        """Asked once of each service that comes."""
        if self._service is None:
            [name, *_] = await self._bus.call(NAME, PATH, NAME, "GetServerInformation")
            [can] = await self._bus.call(NAME, PATH, NAME, "GetCapabilities")
            self._service = _Service(name, frozenset(can))
        return self._service

    def _number(self, key: str) -> int | None:
        return next((number for number, card in self._cards.items() if card.key == key), None)

    # --- what the service tells ---------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        match message.member, message.body:
            case "ActionInvoked", [int(number), str(action)] if number in self._cards:
                self._invoked(number, self._cards.pop(number), action)
            case "NotificationClosed", [int(number), int(reason)] if number in self._cards:
                card = self._cards.pop(number)
                if reason != CLOSED_BY_US:
                    self.closed(card.key)
            case "NameOwnerChanged", [str(name), str(before), str(after)] if name == NAME:
                self._owner_changed(before, after)

    def _invoked(self, number: int, card: Card, action: str) -> None:
        # dunst leaves it on the screen.
        task = asyncio.get_running_loop().create_task(self._take_off(number), name="take off a toast")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.closed(card.key)
        if action == DEFAULT:
            card.clicked()
        elif action.isdecimal() and int(action) < len(card.buttons):
            card.buttons[int(action)].pressed()

    def _owner_changed(self, before: str, after: str) -> None:
        self._service = None
        if after:
            self._failed_at = None
        if before:
            # Its numbers mean nothing to whoever comes after it.
            keys = [card.key for card in self._cards.values()]
            self._cards.clear()
            if keys:
                self.lost(keys)


def _actions(card: Card, service: _Service) -> list[str]:
    if "actions" not in service.can:
        return []
    pairs = [(DEFAULT, card.click_label)] if service.clicks else []
    pairs += [(str(number), button.label) for number, button in enumerate(card.buttons)]
    return [word for pair in pairs for word in pair]


def _hints(card: Card, service: _Service) -> dict[str, Variant]:
    from dbus_fast import Variant

    hints: dict[str, Any] = {
        "urgency": Variant("y", URGENCY[card.urgency]),
        "desktop-entry": Variant("s", "crmtray"),
    }
    if card.sound is None or "sound" not in service.can:
        return hints | {"suppress-sound": Variant("b", True)}
    # The name first: it is the sound of the person's theme. The file is for a theme that has none.
    file = str(card.sound.file)
    return hints | {"sound-name": Variant("s", card.sound.name), "sound-file": Variant("s", file)}
