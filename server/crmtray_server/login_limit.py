"""How often a login may fail: per account and per address, within a minute. In memory; the time is given."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from crmtray.protocol import INVALID_CREDENTIALS, TOO_MANY_ATTEMPTS

from .tokens import Refused

FAILURES, WINDOW = 5, timedelta(minutes=1)
FAILURES_PER_ADDRESS = 20
"""An office shares one address: more than one person may mistype."""
MOST_KEYS = 10_000
"""A flood of invented addresses must not fill the memory."""


class LoginLimit:
    """Failures of the last minute."""

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
        account, source = f"email {email}", f"address {_network(address)}"
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
        if recent and len(recent) >= allowed:
            wait = int((recent[0] + WINDOW - now).total_seconds()) + 1
            raise Refused(TOO_MANY_ATTEMPTS, f"Too many failed logins. Try again in {wait} seconds.", wait)

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
