"""When the CRM is read: every interval, at each moment that is known before, and when somebody asks or pushes.

Owns the timing, the one worker thread that blocks on the CRM, and what /health says of detection. Decides nothing and
stores nothing: what is found goes to `ingest`, and counts as told only when that has returned.

Of several processes on one store the one on duty reads. What was pushed is looked at by whoever it was pushed to, at
once: two that find the same make the same keys, and the store keeps one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol

from crmtray.protocol import KINDS, Kind

from .events import Concern, Detected
from .monitor import Monitor
from .store.episodes import Overtaken

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

    def start_over(self) -> None: ...

    def read(self, now: datetime) -> Detected: ...

    def due(self, now: datetime) -> Detected: ...

    def concerning(self, now: datetime, concern: Concern) -> Detected: ...


class MeasuredLooks:
    """Detection that tells the monitor how long each look took and what could not be read."""

    def __init__(self, looks: Looks, monitor: Monitor) -> None:
        self._looks, self._monitor = looks, monitor

    @property
    def next_due(self) -> datetime | None:
        return self._looks.next_due

    def start_over(self) -> None:
        self._looks.start_over()

    def read(self, now: datetime) -> Detected:
        return self._measured("read", self._looks.read, now)

    def due(self, now: datetime) -> Detected:
        return self._measured("due", self._looks.due, now)

    def concerning(self, now: datetime, concern: Concern) -> Detected:
        return self._measured("push", partial(self._looks.concerning, concern=concern), now)

    def _measured(self, look: str, function: Callable[[datetime], Detected], now: datetime) -> Detected:
        began = self._monitor.clock()
        detected = function(now)
        self._monitor.looked(look, self._monitor.clock() - began, detected)
        return detected


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
    """Runs detection until cancelled. `on_duty`: whether reading is for this process to do, at this moment."""

    def __init__(
        self,
        detection: Looks,
        ingest: Ingest,
        interval_seconds: float = 30.0,
        clock: Clock = utc_now,
        on_duty: Callable[[], bool] = lambda: True,
    ) -> None:
        self._detection = detection
        self._ingest = ingest
        self._interval = timedelta(seconds=interval_seconds)
        self._clock = clock
        self._on_duty = on_duty
        self._reads = False
        self._stirred = asyncio.Event()
        self._asked = False
        self._concern = Concern()
        self._next_read: datetime | None = None
        self._failures: dict[Kind, str] = {}
        self._problem: str | None = None
        self._retry = RETRY_FIRST
        self._last_read: datetime | None = None

    def wake(self) -> None:
        """Something happened in the CRM: read it now, not at the next interval."""
        self._asked = True
        self._stirred.set()

    def duty_changed(self) -> None:
        """It became ours or ceased to be: `on_duty` is asked now."""
        self._stirred.set()

    def look_at(self, concern: Concern) -> None:
        """The CRM said that it changed these: they are looked at now, together with all that others said meanwhile."""
        self._concern |= concern
        self._stirred.set()

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
        """What the CRM said it changed, then as much as the time asks for; what was found is stored."""
        self._stirred.clear()
        if self._concern:
            concern, self._concern = self._concern, Concern()
            await self._look_at(worker, concern)
        if self._takes_turns():
            await self._read_what_is_due(worker)

    def _takes_turns(self) -> bool:
        """Whoever comes on duty reads everything: what he knows may be of long ago."""
        before, self._reads = self._reads, self._on_duty()
        if self._reads and not before:
            self._detection.start_over()
            self._next_read = None
        return self._reads

    async def _look_at(self, worker: ThreadPoolExecutor, concern: Concern) -> None:
        look, now = partial(self._detection.concerning, concern=concern), self._clock()
        detected = await self._look(worker, look, now)
        self._note(detected, None)
        if await self._store(detected, reading=False):
            self.look_at(concern)
        elif self._problem is not None and not detected.empty:
            self._concern |= concern  # on stand-by no reading of ours would find it again

    async def _read_what_is_due(self, worker: ThreadPoolExecutor) -> None:
        now = self._clock()
        reading = self._asked or self._next_read is None or not self._is_ahead(self._next_read, now)
        if reading:
            self._asked = False
            self._next_read = now + self._interval
        detected = await self._look(worker, self._detection.read if reading else self._detection.due, now)
        if not self._on_duty():  # halted or cut off meanwhile: what was true then is for another to judge now
            self._reads = False
            return
        self._note(detected, now if reading else None)
        if await self._store(detected, reading=reading):
            self.wake()

    async def _look(self, worker: ThreadPoolExecutor, look: Callable[[datetime], Detected], now: datetime) -> Detected:
        return await asyncio.get_running_loop().run_in_executor(worker, look, now)

    def _is_ahead(self, moment: datetime, now: datetime) -> bool:
        """A moment further off than the interval was set by a clock that has been put back since."""
        return now < moment <= now + self._interval

    async def _store(self, detected: Detected, *, reading: bool) -> bool:
        """Whether to look again. What cannot be stored is dropped and found again: by then it may no longer be true."""
        try:
            if not detected.empty:
                await self._ingest(detected)
        except Overtaken:
            return True
        except Exception as error:
            self._failed(error)
            return False
        # A look at a few rows that finds nothing says nothing of what another could not store.
        if reading or not detected.empty:
            self._stored()
        return detected.more

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
            await asyncio.wait_for(self._stirred.wait(), self._seconds_to_next())
        except TimeoutError:
            return

    def _seconds_to_next(self) -> float:
        if not self._reads and not self._concern:
            return CLOCK_CHECK
        own = self._detection.next_due if self._reads else None
        moments = [moment for moment in (self._next_read, own) if moment is not None]
        seconds = (min(moments) - self._clock()).total_seconds() if moments else 0.0
        return min(max(seconds, 0.0), CLOCK_CHECK)
