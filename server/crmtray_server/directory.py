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
PATIENCE_SECONDS = 2.0
"""How long a look keeps others waiting: a CRM that hangs must not make this server hang."""

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
        self._was_read = load is None
        self._problem = "" if self._was_read else "the CRM's users have not been read yet"
        self._looking: asyncio.Task[None] | None = None
        self._waited_for_until = 0.0
        self._combining = asyncio.Lock()

    @property
    def reads_crm(self) -> bool:
        return self._load is not None

    async def find(self, user_id: str) -> User | None:
        """By id alone, as a token of the CRM's own names its user. None when two tenants use the id.

        Raises CrmUnavailable when the id is not known and the CRM could not be asked.
        """
        await self._be_fresh()
        found = [user for user in self._users.values() if user.user_id == user_id]
        if not found:
            await self._be_fresh(RETRY_SECONDS)
            found = [user for user in self._users.values() if user.user_id == user_id]
        if not found and self._problem:
            raise CrmUnavailable(self._problem)  # not "unknown": a client would forget its login
        return found[0] if len(found) == 1 else None

    async def to_tell(self, tenant_id: str, roles: Sequence[str]) -> list[User]:
        """`with_role`, for those whom an event concerns. Raises CrmUnavailable when the CRM's users were never read:
        an event that is told to nobody is not told again."""
        people = await self.with_role(tenant_id, roles)
        if not self._was_read:
            raise CrmUnavailable(f"whom to tell is not known: {self._problem}")
        return people

    async def with_role(self, tenant_id: str, roles: Sequence[str]) -> list[User]:
        await self._be_fresh()
        return [user for user in self._users.values() if user.tenant_id == tenant_id and user.role in roles]

    async def get(self, scope: Scope) -> User | None:
        await self._be_fresh()
        return self._users.get(scope)

    async def standing(self, scope: Scope, *, again: bool = False) -> Standing:
        """What the last look says about a person. `again`: look once more before saying that nobody knows him."""
        await self._be_fresh()
        if again and self._load and scope not in self._users and scope not in self._left:
            await self._be_fresh(RETRY_SECONDS)
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
        """Looks anew when the last look is older, and waits for it, however long the CRM takes."""
        look, _ = self._look_if_due(max_age)
        if look is not None:
            await asyncio.shield(look)

    async def _be_fresh(self, max_age: float = FRESH_SECONDS) -> None:
        """The same, with little patience: after that, and while somebody else waits, what is known counts on."""
        look, begun = self._look_if_due(max_age)
        if look is None or (not begun and self._was_read):
            return
        seconds = self._waited_for_until - asyncio.get_running_loop().time()
        if seconds > 0:
            await asyncio.wait([look], timeout=seconds)
        if look.done():
            look.result()

    def _look_if_due(self, max_age: float) -> tuple[asyncio.Task[None] | None, bool]:
        """The look under way when the last one is older, and whether it was begun just now."""
        if self._clock() - self._read_at < max_age:
            return None, False
        if self._looking is not None and not self._looking.done():
            return self._looking, False
        loop = asyncio.get_running_loop()
        self._waited_for_until = loop.time() + PATIENCE_SECONDS
        self._looking = loop.create_task(self._look(), name="directory")
        self._looking.add_done_callback(_seen)
        return self._looking, True

    async def _look(self) -> None:
        problem = ""
        try:
            self._from_crm = await asyncio.to_thread(lambda: list(self._load() if self._load else ()))
        except Exception as error:  # the drivers' errors have no common base; the last known users still count
            log.warning("the CRM's users could not be read: %s", error)
            problem = str(error) or type(error).__name__
        await self._combine()
        # Last: whoever looks meanwhile must not take people for absent who are not yet put together.
        self._problem, self._was_read = problem, self._was_read or not problem
        self._read_at = self._clock()

    async def _combine(self) -> None:
        async with self._combining:
            local = await self._store.read(accounts.everyone)
            left = {person for person in self._from_crm if isinstance(person, Scope)}
            users = {Scope(user.tenant_id, user.user_id): user for user in self._from_crm if isinstance(user, User)}
            users |= {account.scope: account.user for account in local}
            self._left = frozenset(left | {account.scope for account in local if not account.active})
            self._users = {scope: user for scope, user in users.items() if scope not in self._left}


def _seen(look: asyncio.Task[None]) -> None:
    """Whoever waited is told what went wrong; when nobody did, the next one looks again."""
    if not look.cancelled():
        look.exception()
