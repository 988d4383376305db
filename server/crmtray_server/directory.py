"""Who works where, in which role: the CRM's users and this server's accounts, read together and kept for a moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from crmtray.protocol import User

from .crm.writer import CrmUnavailable
from .store import accounts
from .store.database import Store
from .store.feed import Scope

log = logging.getLogger(__name__)

FRESH_SECONDS = 30.0
RETRY_SECONDS = 5.0
"""How soon an unknown user may cause another look: anyone can send an unknown id."""


class Directory:
    """Active users. `load` reads the CRM's (blocking; raises when it cannot), or is None when there is no CRM."""

    def __init__(self, store: Store, load: Callable[[], Iterable[User]] | None) -> None:
        self._store = store
        self._load = load
        self._users: dict[Scope, User] = {}
        self._read_at = float("-inf")
        self._problem = ""
        self._reading = asyncio.Lock()

    async def find(self, user_id: str) -> User | None:
        """By id alone, as a token of the CRM's own names its user. None when two tenants use the id.

        Raises CrmUnavailable when the id is not known and the CRM could not be asked.
        """
        await self._refresh(FRESH_SECONDS)
        found = [user for user in self._users.values() if user.user_id == user_id]
        if not found:
            await self._refresh(RETRY_SECONDS)
            found = [user for user in self._users.values() if user.user_id == user_id]
        if not found and self._problem:
            raise CrmUnavailable(self._problem)  # not "unknown": a client would forget its login
        return found[0] if len(found) == 1 else None

    async def with_role(self, tenant_id: str, roles: Sequence[str]) -> list[User]:
        await self._refresh(FRESH_SECONDS)
        return [user for user in self._users.values() if user.tenant_id == tenant_id and user.role in roles]

    async def get(self, scope: Scope) -> User | None:
        await self._refresh(FRESH_SECONDS)
        return self._users.get(scope)

    async def _refresh(self, max_age: float) -> None:
        async with self._reading:
            if time.monotonic() - self._read_at < max_age:
                return
            users: dict[Scope, User] = {}
            try:
                from_crm = await asyncio.to_thread(self._load) if self._load else ()
                users = {Scope(user.tenant_id, user.user_id): user for user in from_crm}
                self._problem = ""
            except Exception as error:  # the drivers' errors have no common base; the last known users still count
                log.warning("the CRM's users could not be read: %s", error)
                users = dict(self._users)
                self._problem = str(error)
            local = await self._store.read(accounts.everyone)
            users |= {account.scope: account.user for account in local if account.active}
            for account in local:
                if not account.active:
                    users.pop(account.scope, None)
            self._users, self._read_at = users, time.monotonic()
