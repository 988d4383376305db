"""What a CRM pushes: kept first, then looked at.

Owns the order of the two: what was accepted is in the store, so neither a crash nor a CRM that is away loses it.
Knows nothing of HTTP, and decides nothing about alerts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.engine import Connection

from .events import Concern
from .store import mirror
from .store.database import Store
from .store.mirror import Pushed

EVERY = timedelta(minutes=1)
"""How often what no longer matters is removed."""


class CrmEvents:
    """`look` is told what to look at. `keep`: how long a push matters; None when it is all that is known of the CRM."""

    def __init__(self, store: Store, look: Callable[[Concern], None], keep: timedelta | None) -> None:
        self._store, self._look, self._keep = store, look, keep
        self._forgot = datetime.min.replace(tzinfo=UTC)

    async def accept(self, pushed: Pushed, now: datetime) -> None:
        """All of it or, with StoreUnavailable, nothing. Safe to repeat."""
        await self._store.write(partial(self._save, pushed=pushed, now=now))
        conversations = {said.id for said in pushed.conversations}
        conversations |= {message.conversation_id for message in pushed.messages}
        self._look(Concern(frozenset(conversations), frozenset(said.id for said in pushed.leads)))

    async def is_used_by(self, tenant_id: str) -> bool:
        """Whether what is known of this tenant's CRM is what it pushed."""
        return self._keep is None and await self._store.read(mirror.holds, tenant_id)

    def _save(self, connection: Connection, *, pushed: Pushed, now: datetime) -> None:
        mirror.save(connection, pushed)
        if self._keep is not None and not self._forgot <= now < self._forgot + EVERY:
            mirror.forget(connection, now - self._keep)
            self._forgot = now
