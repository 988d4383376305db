"""Which work this process does: what only one of the processes on a store may do at a time.

Owns the leases (store/duties), renewed by a beat on a thread and a connection of its own, and the start and the end of
the works they are for. A holder trusts its lease less long than the others respect it, and counts by a clock that
nobody sets; so it has stopped before the next one begins. What one that was halted still writes afterwards is
harmless by other means: keys that are unique, claims, conditional updates. Knows of the works only their names.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from crmtray.protocol import Json

from .store import duties
from .store.duties import Claim, Lease

log = logging.getLogger(__name__)

LEASE: Final = 6.0
"""Seconds that the others leave a work to its holder after it was last heard of."""
MARGIN: Final = 1.0
"""By so much the holder itself stops earlier: the time its works have to end."""
BEAT: Final = 1.5
"""How often it says that it is there, and the others look whether it is."""
MOVES_WITHIN: Final = LEASE + BEAT
"""A work of a process that died is with another one after so long at most, when there is another."""
RESIGN_SECONDS: Final = 1.0
"""Nobody waits longer at the end for a database that does not answer: the leases run out by themselves."""

Work = str
DETECTION, MAIL, WAKE, CLEANUP = WORKS = ("detection", "mail", "wake", "cleanup")
"""Reading the CRM, sending e-mails, bringing snoozed items back, letting go of what is old."""

Reports = Callable[[], Mapping[Work, Json]]


def awake() -> float:
    """Seconds by a clock that nobody sets, and that counts a computer's sleep as well where there is such a one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(slots=True)
class _Post:
    """One work as this process sees it. `until` by its own clock."""

    until: float = float("-inf")
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    elsewhere: Lease | None = None
    told: tuple[bool, bool] = (False, False)


@dataclass(frozen=True, slots=True)
class _Beat:
    """What the database said at a moment of our clock and of its own."""

    began: float
    held: frozenset[Work]
    others: Mapping[Work, Lease]


class Duty:
    """`keep` runs beside the works and decides which are ours; `do` runs one as long as it is.

    `changed(work, here, anywhere)` is told when a work begins or ends to be ours, or anybody's. `reports` says how ours
    are doing. Methods are called on the loop's thread.
    """

    def __init__(
        self,
        engine: Engine,
        works: Iterable[Work] = WORKS,
        changed: Callable[[Work, bool, bool], None] = lambda _work, _here, _anywhere: None,
        reports: Reports = dict,
        clock: Callable[[], float] = awake,
        database_clock: Callable[[Connection], datetime] = duties.database_clock,
    ) -> None:
        self._reading, self._writing = _engines(engine)
        self._changed, self._reports, self._clock, self._database_clock = changed, reports, clock, database_clock
        self._posts = {work: _Post() for work in works}
        self._holder = uuid.uuid4().hex
        self._node = f"{socket.gethostname()}:{os.getpid()}"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duty")
        self._problem: str | None = None

    def on(self, work: Work) -> bool:
        """Whether it is ours at this moment."""
        return self._left(work) > 0

    def elsewhere(self, work: Work) -> Json | None:
        """What another process, which is on duty for it, says of it. None: nobody is, as far as is known."""
        lease = self._posts[work].elsewhere
        return None if lease is None else lease.report or {}

    async def keep(self) -> None:
        """Takes what is free and keeps what is ours, until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(BEAT)

    async def beat(self) -> None:
        reports = dict(self._reports())
        beat = asyncio.get_running_loop().run_in_executor(self._thread, self._beat, reports)
        try:
            while not (await asyncio.wait({beat}, timeout=BEAT))[0]:
                self._tell()  # the database does not answer: what is ours may have run out
            self._note(beat)
        finally:
            beat.cancel()
        self._tell()

    async def do(self, work: Work, function: Callable[[], Awaitable[None]]) -> None:
        """Runs it whenever it is ours, and ends it when it is not any more. Raises what it raises."""
        post = self._posts[work]
        while True:
            await post.begun.wait()
            task = asyncio.ensure_future(function())
            try:
                while self.on(work) and not task.done():
                    await asyncio.wait({task}, timeout=min(BEAT, max(0.0, self._left(work))))
            finally:
                ended = task.done()
                task.cancel()
                await asyncio.wait({task})
            if ended:
                task.result()
            elif not task.cancelled() and (error := task.exception()) is not None:
                log.warning("%s did not end well: %r", work, error)
            self._tell()

    async def resign(self) -> None:
        """Before the end, when the works have ended: the next one need not wait until the leases run out."""
        for post in self._posts.values():
            post.until = float("-inf")
            post.begun.clear()
        self._tell()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(RESIGN_SECONDS):
                await loop.run_in_executor(self._thread, self._give_up)
        except (sa.exc.SQLAlchemyError, TimeoutError) as error:
            log.info("the leases run out by themselves: %s", _reason(error))

    def close(self) -> None:
        """Waits for nothing."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    # --- on the loop's thread ------------------------------------------------------------------------------------

    def _left(self, work: Work) -> float:
        return self._posts[work].until - self._clock()

    def _note(self, beat: asyncio.Future[_Beat]) -> None:
        try:
            heard = beat.result()
        except sa.exc.SQLAlchemyError as error:
            if self._problem is None:
                log.warning("who is on duty cannot be agreed on: %s", _reason(error))
            self._problem = _reason(error)
            return
        if self._problem is not None:
            log.info("who is on duty is agreed on again")
        self._problem = None
        for work, post in self._posts.items():
            post.until = heard.began + LEASE - MARGIN if work in heard.held else float("-inf")
            post.elsewhere = heard.others.get(work)

    def _tell(self) -> None:
        """What has begun or ended since it was told last."""
        for work, post in self._posts.items():
            here = self.on(work)
            if here and not post.begun.is_set():
                post.begun.set()
                log.info("on duty for %s", work)
            elif post.begun.is_set() and not here:
                post.begun.clear()
                log.warning("no longer on duty for %s", work)
            before, post.told = post.told, (here, here or post.elsewhere is not None)
            if post.told != before:
                self._changed(work, *post.told)

    # --- on the beat's thread ------------------------------------------------------------------------------------

    def _beat(self, reports: Mapping[Work, Json]) -> _Beat:
        began = self._clock()
        with self._reading.connect() as connection, connection.begin():
            leases = duties.leases(connection)
            claim = Claim(self._holder, self._node, self._database_clock(connection), timedelta(seconds=LEASE))
        wanted = {work: reports.get(work) for work in self._posts if claim.may_take(leases.get(work))}
        held = frozenset(self._take(claim, wanted)) if wanted else frozenset[Work]()
        others = {work: lease for work, lease in leases.items() if not claim.may_take(lease)}
        return _Beat(began, held, others)

    def _take(self, claim: Claim, wanted: Mapping[Work, Json | None]) -> set[Work]:
        with self._writing.connect() as connection, connection.begin():
            return duties.take(connection, claim, wanted)

    def _give_up(self) -> None:
        with self._writing.connect() as connection, connection.begin():
            duties.give_up(connection, self._holder)


def _engines(engine: Engine) -> tuple[Engine, Engine]:
    """For reading and for writing. On PostgreSQL each statement is a transaction: see store/duties."""
    if engine.dialect.name == "sqlite":
        return engine, engine.execution_options(writing=True)
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    return alone, alone


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error or type(error).__name__).strip().splitlines()[0]
