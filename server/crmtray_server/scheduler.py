"""When the CRM is read: every interval, at each moment that is known before, and when somebody asks.

Owns the timing, the one worker thread that blocks on the CRM, and what /health says of detection. Decides nothing and
stores nothing: what is found goes to `ingest`, and counts as told only when that has returned.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from crmtray.protocol import KINDS, Kind

from .events import Detected

log = logging.getLogger(__name__)

Ingest = Callable[[Detected], Awaitable[None]]
Clock = Callable[[], datetime]

RETRY_FIRST, RETRY_LAST = 0.5, 30.0
"""Seconds before another try when what was found could not be stored; doubled each time."""
CLOCK_CHECK: Final = 30.0
"""Longest sleep, so that a clock that was set right is noticed."""
BREATH: Final = 0.1
"""Pause after each look: whoever asks in a stream does not make the CRM's database work without end."""


class Looks(Protocol):
    """What is scheduled: `detectors.Detection`."""

    @property
    def next_due(self) -> datetime | None: ...

    def read(self, now: datetime) -> Detected: ...

    def due(self, now: datetime) -> Detected: ...


@dataclass(frozen=True, slots=True)
class Status:
    """For /health: by kind "ok" or the sentence that says what is wrong; `ingest` likewise for storing."""

    kinds: dict[Kind, str] = field(default_factory=dict)
    ingest: str = "ok"
    last_read: datetime | None = None

    @property
    def ok(self) -> bool:
        return all(state == "ok" for state in (*self.kinds.values(), self.ingest))


def utc_now() -> datetime:
    return datetime.now(UTC)


class Scheduler:
    """Runs detection until cancelled."""

    def __init__(
        self, detection: Looks, ingest: Ingest, interval_seconds: float = 30.0, clock: Clock = utc_now
    ) -> None:
        self._detection = detection
        self._ingest = ingest
        self._interval = timedelta(seconds=interval_seconds)
        self._clock = clock
        self._wake = asyncio.Event()
        self._next_read: datetime | None = None
        self._failures: dict[Kind, str] = {}
        self._problem: str | None = None
        self._retry = RETRY_FIRST
        self._last_read: datetime | None = None

    def wake(self) -> None:
        """Something happened in the CRM: read it now, not at the next interval."""
        self._wake.set()

    def status(self) -> Status:
        waiting = "ok" if self._last_read else "not read yet"
        kinds = {kind: self._failures.get(kind, waiting) for kind in KINDS}
        return Status(kinds, self._problem or "ok", self._last_read)

    async def run(self) -> None:
        worker = ThreadPoolExecutor(1, thread_name_prefix="detection")
        try:
            while True:
                await self._turn(worker)
                await asyncio.sleep(BREATH)
                await self._sleep()
        finally:
            worker.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, worker: ThreadPoolExecutor) -> None:
        """One look, as much as the time asks for, and what was found is stored."""
        now = self._clock()
        reading = self._wake.is_set() or self._next_read is None or not self._is_ahead(self._next_read, now)
        if reading:
            self._wake.clear()
            self._next_read = now + self._interval
        look = self._detection.read if reading else self._detection.due
        detected = await asyncio.get_running_loop().run_in_executor(worker, look, now)
        self._note(detected, now if reading else None)
        await self._store(detected)

    def _is_ahead(self, moment: datetime, now: datetime) -> bool:
        """A moment further off than the interval was set by a clock that has been put back since."""
        return now < moment <= now + self._interval

    async def _store(self, detected: Detected) -> None:
        """What cannot be stored is dropped and found again: by then it may no longer be true."""
        try:
            if not detected.empty:
                await self._ingest(detected)
        except Exception as error:
            self._failed(error)
        else:
            self._stored()
            if detected.more:
                self._wake.set()

    def _failed(self, error: Exception) -> None:
        sentence = f"What was detected could not be stored ({error or type(error).__name__}); it is tried again."
        if self._problem is None:
            log.error("%s", sentence, exc_info=error)
        self._problem = sentence
        self._next_read = self._clock() + min(self._interval, timedelta(seconds=self._retry))
        self._retry = min(2 * self._retry, RETRY_LAST)

    def _stored(self) -> None:
        if self._problem is not None:
            log.info("what is detected is stored again")
        self._problem, self._retry = None, RETRY_FIRST

    def _note(self, detected: Detected, read_at: datetime | None) -> None:
        """Says once that a kind fails, and once that it works again."""
        for kind, sentence in detected.failures.items():
            if self._failures.get(kind) != sentence:
                log.warning("%s is not detected: %s", kind, sentence)
            self._failures[kind] = sentence
        if read_at is not None:
            self._last_read = read_at
            for kind in set(self._failures) - set(detected.failures):
                log.info("%s is detected again", kind)
                del self._failures[kind]

    async def _sleep(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._seconds_to_next())
        except TimeoutError:
            return

    def _seconds_to_next(self) -> float:
        moments = [moment for moment in (self._next_read, self._detection.next_due) if moment is not None]
        seconds = (min(moments) - self._clock()).total_seconds() if moments else 0.0
        return min(max(seconds, 0.0), CLOCK_CHECK)
