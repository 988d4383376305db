"""Who got what, on which device: notes of deliveries, written in the background.

Owns the names of devices and a bounded buffer of notes. A note never delays a push: it waits here for at most half a
second and goes to the store with the others. When the store is away the buffer fills, and what does not fit is
dropped and counted: a receipt explains, it decides nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from .store import device_deliveries
from .store.database import Store, StoreUnavailable
from .store.device_deliveries import Channel, Receipt, State
from .store.feed import Scope

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.4
AWAY_SECONDS = 2.0
MOST_WAITING = 10_000
PART = 500
"""Rows in one write: the writer thread has feeds to serve."""
LONGEST_NAME = 100
_OURS = re.compile(r"crmtray/(\S+) \(([^;()]*); ([^()]*)\)")


class Device(NamedTuple):
    """What a client says it is: its program and version, and the name of its machine."""

    client: str
    name: str


def device_of(auth: Any, user_agent: str | None) -> Device:
    """From the `client` and `device` of a Socket.IO client's auth, else from the User-Agent."""
    said = auth if isinstance(auth, dict) else {}
    told = user_agent_device(user_agent)
    return Device(clean(said.get("client")) or told.client, clean(said.get("device")) or told.name)


def user_agent_device(user_agent: str | None) -> Device:
    """`crmtray/0.1.0 (Linux; ana-laptop)` names both; any other User-Agent is all there is to tell devices apart."""
    ours = _OURS.fullmatch(user_agent or "")
    if ours:
        version, system, name = ours.groups()
        return Device(clean(f"crmtray {version} {system}"), clean(name) or "unknown")
    whole = clean(user_agent) or "unknown"
    return Device(whole, whole)


def clean(text: Any) -> str:
    """Printable, on one line, not endless: it is shown to others and stands in the store."""
    if not isinstance(text, str):
        return ""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * LONGEST_NAME])
    return " ".join(printable.split())[:LONGEST_NAME].strip()


class Receipts:
    """The buffer. `note` on the loop's thread; `flush_forever` runs beside the server."""

    def __init__(self, store: Store, clock: Callable[[], datetime], dropped: Callable[[int], None]) -> None:
        self._store, self._clock, self._dropped = store, clock, dropped
        self._waiting: dict[tuple[str, Channel, str], Receipt] = {}
        self._some = asyncio.Event()

    def note(self, scope: Scope, device: str, channel: Channel, state: State, ids: Iterable[str]) -> None:
        now = self._clock()
        for id in ids:
            self._keep(Receipt(scope, id, channel, device, state, now))
        if self._waiting:
            self._some.set()

    def _keep(self, receipt: Receipt) -> None:
        key = (receipt.notification_id, receipt.channel, receipt.device)
        earlier = self._waiting.get(key)
        if earlier is None and len(self._waiting) >= MOST_WAITING:
            self._dropped(1)
        elif earlier is None or (earlier.state, receipt.state) == ("sent", "acknowledged"):
            self._waiting[key] = receipt

    async def flush_forever(self) -> None:
        away = False
        while True:
            await self._some.wait()
            await asyncio.sleep(AWAY_SECONDS if away else GATHER_SECONDS)
            try:
                await self.flush()
                away = False
            except StoreUnavailable as error:
                if not away:
                    log.warning("delivery receipts wait, the store is not available: %s", error)
                away = True

    async def finish(self) -> None:
        """Before the end: what can still be written is."""
        with suppress(StoreUnavailable):
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits. Raises StoreUnavailable; it waits on, then."""
        self._some.clear()
        while self._waiting:
            part = [self._waiting.pop(key) for key in list(self._waiting)[:PART]]
            try:
                await self._store.write(device_deliveries.record, part)
            except BaseException:
                for receipt in part:
                    self._keep_on(receipt)
                raise

    def _keep_on(self, receipt: Receipt) -> None:
        """Back in; what was noted meanwhile is newer, and the first time counts only for what is not there yet."""
        key = (receipt.notification_id, receipt.channel, receipt.device)
        newer = self._waiting.get(key)
        if newer is not None and receipt.state == "sent":
            return
        self._waiting.pop(key, None)
        self._keep(receipt)
        self._some.set()
