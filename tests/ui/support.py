"""What several tests of the screen share: filling a cache, a desktop's notification service, running coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import datetime
from typing import Any

from crmtray.cache import Applied, Cache
from crmtray.preferences import Preferences
from crmtray.protocol import Notification
from crmtray.ui.toast_card import Card, nobody_listens
from tests.client.support import NOW, page, put

__all__ = ["PREFERENCES", "FakeDesktop", "Spawner", "bring", "fill"]

PREFERENCES = Preferences(
    notification_types=("unanswered", "hot_lead"),
    push_notifications=True,
    email_notifications=False,
    email_address=None,
    quiet_hours=("22:00", "08:00"),
    work_days=("monday", "tuesday"),
    min_priority="medium",
    timezone="America/Argentina/Buenos_Aires",
    locale="es-AR",
)


def fill(cache: Cache, items: Sequence[Notification], now: datetime = NOW) -> None:
    """As the first look at the feed does: nothing of it is new."""
    cache.apply(page(*(put(item) for item in items), reset=True), now=now)


def bring(cache: Cache, *items: Notification, now: datetime = NOW) -> Applied:
    """As the feed does later."""
    return cache.apply(page(*(put(item) for item in items)), now=now)


class FakeDesktop:
    """A notification service; `works` False: there is none."""

    def __init__(self) -> None:
        self.closed: Callable[[str], None] = nobody_listens
        self.lost: Callable[[Collection[str]], None] = nobody_listens
        self.works = True
        self.cards: dict[str, Card] = {}
        self.withdrawn: list[str] = []
        self.marked: list[list[str]] = []

    async def show(self, card: Card) -> bool:
        if self.works:
            self.cards[card.key] = card
        return self.works

    async def withdraw(self, key: str) -> None:
        if self.cards.pop(key, None) is not None:
            self.withdrawn.append(key)

    async def close(self) -> None:
        self.cards.clear()


class Spawner:
    """Runs what is spawned to its end, at once."""

    def __call__(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        asyncio.run(_at_once(work))


async def _at_once(work: Coroutine[Any, Any, Any]) -> None:
    await work
