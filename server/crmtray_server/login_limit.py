"""How often a login may fail: per account and per address, within a minute; the time is given.

Owns the rule, and the count of this process, which always holds. Where nodes share a count (redis_counts), that one
holds as well for as long as it can be asked.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from crmtray.protocol import INVALID_CREDENTIALS, TOO_MANY_ATTEMPTS

from .tokens import Refused

FAILURES, WINDOW = 5, timedelta(minutes=1)
FAILURES_PER_ADDRESS = 20
"""An office shares one address: more than one person may mistype."""
MOST_KEYS = 10_000
"""A flood of invented addresses must not fill the memory."""


class CountsAway(Exception):
    """The shared counts cannot be asked now."""


class Counted(NamedTuple):
    """How many, and the seconds until they are forgotten."""

    failures: int
    left: float


class Counts(Protocol):
    """Failures that all nodes count together. Each may raise CountsAway."""

    async def begin(self, account: str, source: str, window: timedelta) -> tuple[Counted, Counted]:
        """Counts one for the account; how many there are now, and of the source."""

    async def change(self, key: str, by: int, window: timedelta) -> None: ...

    async def forget(self, key: str) -> None: ...


class SharedLimit:
    """The limit of this process, and with `counts` that of all nodes together."""

    def __init__(self, counts: Counts | None = None) -> None:
        self._local, self._counts = LoginLimit(), counts

    @asynccontextmanager
    async def attempt(self, email: str, address: str, now: datetime) -> AsyncIterator[None]:
        """As LoginLimit's."""
        with self._local.attempt(email, address, now):
            if self._counts is None:
                yield
                return
            async with _counted(self._counts, *_keys(email, address)):
                yield


@asynccontextmanager
async def _counted(counts: Counts, account: str, source: str) -> AsyncIterator[None]:
    try:
        mine, all_of_source = await counts.begin(account, source, WINDOW)
    except CountsAway:
        yield  # the limit of this process holds
        return
    try:
        _judge(mine.failures <= FAILURES, mine.left)
        _judge(all_of_source.failures < FAILURES_PER_ADDRESS, all_of_source.left)
        yield
    except Refused as refused:
        wrong = refused.code == INVALID_CREDENTIALS
        await _unless_away(counts.change(source, 1, WINDOW) if wrong else counts.change(account, -1, WINDOW))
        raise
    except BaseException:
        await _unless_away(counts.change(account, -1, WINDOW))
        raise
    await _unless_away(counts.forget(account))


async def _unless_away(asked: Awaitable[None]) -> None:
    with suppress(CountsAway):
        await asked


def _judge(good: bool, left: float) -> None:
    if not good:
        wait = int(left) + 1
        raise Refused(TOO_MANY_ATTEMPTS, f"Too many failed logins. Try again in {wait} seconds.", wait)


def _keys(email: str, address: str) -> tuple[str, str]:
    return f"email {email}", f"address {_network(address)}"


class LoginLimit:
    """Failures of the last minute at this process."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[datetime]] = {}

    def __len__(self) -> int:
        return len(self._failures)

    @contextmanager
    def attempt(self, email: str, address: str, now: datetime) -> Iterator[None]:
        """Around one attempt. Raises Refused when there were too many; counts what it is left with.

        For the account an attempt counts from its start, so that many at the same time are not more than one after
        the other. A success forgets the account's failures; an error that says nothing about the password does not
        count.
        """
        account, source = _keys(email, address)
        self._check(account, FAILURES, now)
        self._check(source, FAILURES_PER_ADDRESS, now)
        self._count(account, now)
        try:
            yield
        except Refused as refused:
            if refused.code == INVALID_CREDENTIALS:
                self._count(source, now)
            else:
                self._withdraw(account, now)
            raise
        except BaseException:
            self._withdraw(account, now)
            raise
        self._failures.pop(account, None)

    def _check(self, key: str, allowed: int, now: datetime) -> None:
        recent = self._failures.get(key)
        while recent and recent[0] <= now - WINDOW:
            recent.popleft()
        if recent is not None and not recent:
            del self._failures[key]
        if recent:
            _judge(len(recent) < allowed, (recent[0] + WINDOW - now).total_seconds())

    def _count(self, key: str, now: datetime) -> None:
        if key not in self._failures and len(self._failures) >= MOST_KEYS:
            del self._failures[next(iter(self._failures))]
        self._failures.setdefault(key, deque(maxlen=FAILURES_PER_ADDRESS)).append(now)

    def _withdraw(self, key: str, now: datetime) -> None:
        recent = self._failures.get(key)
        if recent and now in recent:
            recent.remove(now)


def _network(address: str) -> str:
    """Whoever has an IPv6 address has at least the 64 bits behind it as well."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
