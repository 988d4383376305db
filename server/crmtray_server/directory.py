"""Who works where, in which role: the CRM's users and this server's accounts, read together and kept for a moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from crmtray.protocol import User

from .crm.orders import CrmUnavailable
from .store import accounts
from .store.database import Store
from .store.feed import Scope

log = logging.getLogger(__name__)

FRESH_SECONDS = 30.0
RETRY_SECONDS = 5.0
"""How soon an unknown user may cause another look: anyone can send an unknown id."""

Standing = Literal["active", "left", "absent", "unreadable", "no_crm"]
"""`left`: the CRM lists the person as inactive, or the account is disabled. `absent`: nobody lists the person."""


class Directory:
    """Active users. `load` reads the CRM's (blocking; raises when it cannot), or is None when there is no CRM.

    It gives a bare Scope for somebody whom the CRM lists as inactive: such a person may have an account here.
    """

    def __init__(
        self,
        store: Store,
        load: Callable[[], Iterable[User | Scope]] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._load, self._clock = store, load, clock
        self._from_crm: list[User | Scope] = []
        self._users: dict[Scope, User] = {}
        self._left: frozenset[Scope] = frozenset()
        self._read_at = float("-inf")
        self._problem = ""
        self._reading = asyncio.Lock()
        self._combining = asyncio.Lock()

    @property
    def reads_crm(self) -> bool:
        return self._load is not None

    async def find(self, user_id: str) -> User | None:
        """By id alone, as a token of the CRM's own names its user. None when two tenants use the id.

        Raises CrmUnavailable when the id is not known and the CRM could not be asked.
        """
        await self.refresh()
        found = [user for user in self._users.values() if user.user_id == user_id]
        if not found:
            await self.refresh(RETRY_SECONDS)
            found = [user for user in self._users.values() if user.user_id == user_id]
        if not found and self._problem:
            raise CrmUnavailable(self._problem)  # not "unknown": a client would forget its login
        return found[0] if len(found) == 1 else None

    async def with_role(self, tenant_id: str, roles: Sequence[str]) -> list[User]:
        await self.refresh()
        return [user for user in self._users.values() if user.tenant_id == tenant_id and user.role in roles]

    async def get(self, scope: Scope) -> User | None:
        await self.refresh()
        return self._users.get(scope)

    async def standing(self, scope: Scope, *, again: bool = False) -> Standing:
        """What the last look says about a person. `again`: look once more before saying that nobody knows him."""
        await self.refresh()
        if again and self._load and scope not in self._users and scope not in self._left:
            await self.refresh(RETRY_SECONDS)
        if scope in self._users:
            return "active"
        if scope in self._left:
            return "left"
        if self._load is None:
            return "no_crm"
        return "unreadable" if self._problem else "absent"

    async def accounts_changed(self) -> None:
        """Takes the accounts of this server anew; the CRM is left alone."""
        await self._combine()

    async def refresh(self, max_age: float = FRESH_SECONDS) -> None:
        """Looks anew when the last look is older. While somebody looks, others take what is known, if it is not old."""
        age = self._clock() - self._read_at
        if age < max_age or (self._reading.locked() and age < 2 * FRESH_SECONDS):
            return
        async with self._reading:
            if self._clock() - self._read_at >= max_age:
                await self._look()

    async def _look(self) -> None:
        try:
            self._from_crm = await asyncio.to_thread(lambda: list(self._load() if self._load else ()))
            self._problem = ""
        except Exception as error:  # the drivers' errors have no common base; the last known users still count
            log.warning("the CRM's users could not be read: %s", error)
            self._problem = str(error) or type(error).__name__
        await self._combine()
        self._read_at = self._clock()

    async def _combine(self) -> None:
        async with self._combining:
            local = await self._store.read(accounts.everyone)
            left = {person for person in self._from_crm if isinstance(person, Scope)}
            users = {Scope(user.tenant_id, user.user_id): user for user in self._from_crm if isinstance(user, User)}
            users |= {account.scope: account.user for account in local}
            self._left = frozenset(left | {account.scope for account in local if not account.active})
            self._users = {scope: user for scope, user in users.items() if scope not in self._left}
