"""Failed logins, counted in Redis so that all nodes count together.

A window begins with its first failure and ends by itself. No key tells whose it is: it is a keyed hash of the address.
Whatever is wrong with Redis raises CountsAway, and the caller goes on by its own count; then Redis is left alone for
some seconds, so that not every login waits for it.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

from .login_limit import Counted, CountsAway
from .redis_server import COMMAND_SECONDS, PREFIX, UNREACHABLE, Command, ask_together, connected

AWAY_SECONDS = 5.0
"""So long a Redis that did not answer is left alone."""


class RedisCounts:
    """A connection for each question: beside what a login costs it is nothing, and none is ever stale."""

    def __init__(self, url: str, secret: str, clock: Callable[[], float] = monotonic) -> None:
        self._url, self._clock = url, clock
        self._secret = hmac.digest(secret.encode(), b"crmtray login limit", "sha256")
        self._away_until = clock()

    async def begin(self, account: str, source: str, window: timedelta) -> tuple[Counted, Counted]:
        account, source = self._key(account), self._key(source)
        looking: list[Command] = [("PTTL", account), ("GET", source), ("PTTL", source)]
        _, count, left, failed, failed_left = await self._ask([*changing(account, 1, window), *looking])
        return _counted(count, left), _counted(failed, failed_left)

    async def change(self, key: str, by: int, window: timedelta) -> None:
        await self._ask(changing(self._key(key), by, window))

    async def forget(self, key: str) -> None:
        await self._ask([("DEL", self._key(key))])

    def _key(self, name: str) -> str:
        return f"{PREFIX}login:{hmac.digest(self._secret, name.encode(), 'sha256').hex()}"

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        if self._clock() < self._away_until:
            raise CountsAway
        try:
            async with asyncio.timeout(COMMAND_SECONDS), connected(self._url) as connection:
                return await ask_together(connection, commands)
        except UNREACHABLE as error:
            self._away_until = self._clock() + AWAY_SECONDS
            raise CountsAway from error


def changing(key: str, by: int, window: timedelta) -> list[Command]:
    """The first makes the key with its end, so that none stays for ever, not even one that only counts back."""
    return [("SET", key, 0, "PX", int(window.total_seconds() * 1000), "NX"), ("INCR" if by > 0 else "DECR", key)]


def every_command() -> list[Command]:
    """One of each that is used, on a key of nobody."""
    key, window = f"{PREFIX}check", timedelta(seconds=1)
    looking: list[Command] = [("GET", key), ("PTTL", key), ("DEL", key)]
    return [*changing(key, 1, window), *changing(key, -1, window), *looking]


def _counted(count: Any, left: Any) -> Counted:
    return Counted(int(count or 0), max(0, int(left)) / 1000)
