"""Notices what happened elsewhere: logins and accounts that ended, people who left, a store that was restored.

Owns how soon. Whoever may no longer be here loses his sockets; requests are checked one by one anyway (auth). What
other processes wrote into feeds is the hub's sweep.
"""

from __future__ import annotations

import asyncio
import logging

from .auth import Auth
from .directory import Directory
from .hub import Connection, Hub
from .store import revocations
from .store.database import Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""One small read; what another process revokes is cut within a second."""
PEOPLE_SECONDS = 5.0
"""How often the people behind the sockets are looked up; the directory itself is up to 30 s old."""


class Watch:
    """`run` looks at the marks in the store, `run_people` at who still works where; the latter may wait for the CRM."""

    def __init__(self, store: Store, hub: Hub, auth: Auth, directory: Directory) -> None:
        self._store, self._hub, self._auth, self._directory = store, hub, auth, directory
        self._seen: str | None = None

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def run_people(self) -> None:
        while True:
            await self.look_at_people()
            await asyncio.sleep(PEOPLE_SECONDS)

    async def look(self) -> None:
        marks = await self._store.read(revocations.read)
        if marks.epoch is not None and marks.epoch != self._store.epoch:
            log.warning("the store was restored from a copy; all clients start anew")
            self._store.epoch = marks.epoch
            self._hub.start_over()
        if marks.revocations != self._seen:
            await self._cut_ended()
            await self._directory.accounts_changed()
            self._seen = marks.revocations

    async def look_at_people(self) -> None:
        """Cuts those who left, and those whose role is another one by now: they come back with the new one."""
        await self._directory.refresh()
        connections = self._hub.connections()
        current = await self._auth.current([connection.claims for connection in connections])
        for connection, claims in zip(connections, current, strict=True):
            if claims is None or claims.role != connection.claims.role:
                connection.cut()

    async def _cut_ended(self) -> None:
        connections: list[Connection] = self._hub.connections()
        ended = await self._auth.ended({connection.claims for connection in connections})
        for connection in connections:
            if connection.claims in ended:
                connection.cut()
