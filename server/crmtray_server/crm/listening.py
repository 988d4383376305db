"""Hears from PostgreSQL what any program has changed in the CRM, at the moment of its commit.

Owns one connection that listens on a channel, in a thread of its own, and what a notification says. The triggers that
notify are the CRM owner's to install (packaging/crm); without them nothing is ever heard. What is heard is a hint: what
was missed while the connection was away, a look at everything finds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ..events import Concern

log = logging.getLogger(__name__)

CHANNEL: Final = "crmtray"
RETRY_FIRST, RETRY_LAST = 0.5, 30.0
"""Seconds before another try to connect; doubled each time."""
CHECK_SECONDS: Final = 30.0
"""How often a silent connection is asked whether it is still there."""


class Listener:
    """`look_at` is told what changed, `look_at_all` when it is not known what; both are called on the loop's thread."""

    def __init__(self, engine: Engine, look_at: Callable[[Concern], None], look_at_all: Callable[[], None]) -> None:
        self._engine, self._look_at, self._look_at_all = engine, look_at, look_at_all
        self._complained = False

    async def run(self) -> None:
        """Listens until cancelled; a connection that is lost is made anew. With SQLite nobody notifies."""
        if self._engine.dialect.name != "postgresql":
            await asyncio.Event().wait()
        delay = RETRY_FIRST
        while True:
            if await self._listen():
                delay = RETRY_FIRST
            await asyncio.sleep(delay)
            delay = min(2 * delay, RETRY_LAST)

    async def _listen(self) -> bool:
        """Until the connection is lost; whether there was one."""
        session = _Session(self._engine, asyncio.get_running_loop(), self._heard, self._connected)
        thread = threading.Thread(target=session.run, name="crm-listen", daemon=True)
        thread.start()
        try:
            await session.ended.wait()
        finally:
            session.stop()
        self._lost(session.error)
        return session.connected

    def _connected(self) -> None:
        if self._complained:
            log.info("the CRM's database is listened to again")
        self._complained = False
        self._look_at_all()  # what was notified before, nobody heard

    def _lost(self, error: BaseException | None) -> None:
        if error is not None and not self._complained:
            log.warning(
                "the CRM's database is not listened to (%s); what it changes is seen by the next reading", error
            )
            self._complained = True

    def _heard(self, payloads: list[str]) -> None:
        concern = Concern()
        for payload in payloads:
            said = concern_of(payload)
            if said is None:
                self._look_at_all()
            else:
                concern |= said
        if concern:
            self._look_at(concern)


class _Session:
    """One connection, from its beginning to its end."""

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[list[str]], None],
        connected: Callable[[], None],
    ) -> None:
        self._engine, self._loop, self._heard, self._told_connected = engine, loop, heard, connected
        self._stop, self._stopped = socket.socketpair()
        self.ended = asyncio.Event()
        self.connected = False
        self.error: BaseException | None = None

    def stop(self) -> None:
        with suppress(OSError):
            self._stop.close()

    def run(self) -> None:
        try:
            with closing(self._connection()) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                self.connected = True
                self._tell(self._told_connected)
                self._hear(connection)
        except Exception as error:  # the driver's errors and SQLAlchemy's have no common base
            self.error = _short(error)
        finally:
            self._stopped.close()
            self._tell(self.ended.set)

    def _connection(self) -> Any:
        """A connection of the engine's kind that is no longer the pool's."""
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        connection.autocommit = True
        return connection

    def _hear(self, connection: Any) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            stopped = selector.register(self._stopped, selectors.EVENT_READ)
            while stopped not in (ready := [key for key, _ in selector.select(CHECK_SECONDS)]):
                if not ready:
                    connection.execute("SELECT 1")  # a connection that is gone without a word
                payloads = [one.payload for one in connection.notifies(timeout=0)]
                if payloads:
                    self._tell(self._heard, payloads)

    def _tell(self, function: Callable[..., object], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(function, *args)


def concern_of(payload: str) -> Concern | None:
    """`{"conversation": id}`, `{"lead": id}`, or lists under `conversations` and `leads`. None: everything.

    Whoever may notify is a program of the CRM's owner; what it says that cannot be read concerns everything.
    """
    try:
        said = json.loads(payload)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    conversations = frozenset(_ids(said.get("conversation"), said.get("conversations")))
    leads = frozenset(_ids(said.get("lead"), said.get("leads")))
    return Concern(conversations, leads) if conversations or leads else None


def _ids(one: object, many: object) -> Iterable[str]:
    for id in [one, *(many if isinstance(many, list) else ())]:
        if isinstance(id, str | int) and not isinstance(id, bool) and str(id):
            yield str(id)


def _short(error: Exception) -> Exception:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    return Exception(str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__)
