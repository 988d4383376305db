"""The people notifications are for, as they want to be told: preferences, time zone, language, e-mail address.

Owns putting these together from the store, the directory and the CRM's tenants, for many people with one read. What
follows from them is policy's. Always read anew, so that a change counts from the next notification on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crmtray.protocol import Priority, User

from . import policy
from .config import Settings
from .directory import Directory
from .policy import Decision, Preferences
from .store import preferences as stored_preferences
from .store.database import Store
from .store.feed import Scope
from .texts import Locale, locale_of

log = logging.getLogger(__name__)

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Reader:
    """`user` is None for somebody whom neither the CRM nor this server's accounts know. `chosen`: not the preset."""

    scope: Scope
    user: User | None
    preferences: Preferences
    zone: ZoneInfo
    chosen: bool

    @property
    def locale(self) -> Locale:
        return locale_of(self.preferences.locale)

    @property
    def email(self) -> str | None:
        """Where e-mail goes, None when it is off or there is no address."""
        if not self.preferences.email_notifications:
            return None
        return self.preferences.email_address or (self.user.email if self.user else None) or None

    def decide(self, type: str, priority: Priority, now: datetime) -> Decision:
        return policy.decide(type, priority, self.preferences, now, self.zone)


class Readers:
    """`zone_of`: the name of a tenant's time zone, or None."""

    def __init__(
        self, store: Store, directory: Directory, settings: Settings, zone_of: Callable[[str], str | None]
    ) -> None:
        self._store, self._directory, self._settings, self._zone_of = store, directory, settings, zone_of

    async def load(self, scopes: Collection[Scope]) -> dict[Scope, Reader]:
        """Everybody asked for, with one read of the store. Raises StoreUnavailable."""
        wanted = sorted(set(scopes))
        stored = await self._store.read(stored_preferences.load, wanted) if wanted else {}
        return {scope: self._reader(scope, await self._directory.get(scope), stored.get(scope)) for scope in wanted}

    async def one(self, scope: Scope, role: str) -> Reader:
        """`role`: the signed-in person's, for one whom the directory does not know."""
        stored = await self._store.read(stored_preferences.load, [scope])
        return self._reader(scope, await self._directory.get(scope), stored.get(scope), role)

    def preset(self, reader: Reader, role: str) -> Preferences:
        """What this person would have without a choice."""
        return policy.preset(reader.user.role if reader.user else role, self._settings)

    def _reader(self, scope: Scope, user: User | None, stored: Preferences | None, role: str = "") -> Reader:
        preferences = stored or policy.preset(user.role if user else role, self._settings)
        zone = _zone(preferences.timezone) or _zone(self._zone_of(scope.tenant_id)) or UTC
        return Reader(scope, user, preferences, zone, stored is not None)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        log.warning("there is no time zone %r; the next one that is known is used", name)
        return None
