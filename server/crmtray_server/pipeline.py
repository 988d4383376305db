"""From what detection found to people's inboxes: who is told, in which words, with which buttons.

Owns recipients and the assembly of items; store and sockets are the inbox's. Everything of one look at the CRM,
episodes included, goes into one transaction: an episode kept without its notification would never be told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crmtray.protocol import LINK_ACTIONS, Json, NotificationAction

from . import texts
from .directory import Directory
from .events import Detected, Event
from .inbox import Clock, Inbox, utc_now
from .store import episodes
from .store.feed import Committed, NewItem, Scope

log = logging.getLogger(__name__)

LOCALE: texts.Locale = "es"
UTC = ZoneInfo("UTC")


class Pipeline:
    """`links`: address templates by action. `zone_of`: the name of a tenant's time zone, or None."""

    def __init__(
        self,
        inbox: Inbox,
        directory: Directory,
        links: Mapping[str, str],
        zone_of: Callable[[str], str | None],
        clock: Clock = utc_now,
    ) -> None:
        self._inbox, self._directory, self._links = inbox, directory, links
        self._zone_of, self._clock = zone_of, clock

    async def ingest(self, detected: Detected) -> list[Committed]:
        """Stores and publishes; what was told before makes nothing. Raises StoreUnavailable, with nothing stored."""
        items = await self.assemble(detected)
        return await self._inbox.add(items, partial(episodes.save, opened=detected.opened, closed=detected.closed))

    async def assemble(self, detected: Detected) -> list[NewItem]:
        """The items for everyone who is to be told; nothing is stored."""
        return [self._item(event, scope) for event in detected.events for scope in await self._recipients(event)]

    async def _recipients(self, event: Event) -> list[Scope]:
        people = await self._directory.with_role(event.tenant_id, event.roles) if event.roles else []
        found = {Scope(event.tenant_id, person.user_id) for person in people}
        if event.user_id is not None:
            found.add(Scope(event.tenant_id, event.user_id))
        if not found:
            log.warning("nobody to tell: %s (tenant %s has no active %s)", event.key, event.tenant_id, event.roles)
        return sorted(found)

    def _item(self, event: Event, scope: Scope) -> NewItem:
        zone = _zone(self._zone_of(event.tenant_id))
        text = texts.render(event.kind, event.data, locale=LOCALE, timezone=zone, now=self._clock())
        return NewItem(
            scope=scope,
            dedupe_key=event.key,
            type=event.kind,
            title=text.title,
            message=text.message,
            data=text.data,
            priority=event.priority,
            audience=event.audience,
            actions=tuple(
                NotificationAction(text.labels[name], name, params, self._link(name, params))
                for name, params in event.action_names
            ),
        )

    def _link(self, action: str, params: Json) -> str | None:
        template = self._links.get(action)
        if template is None or action not in LINK_ACTIONS:
            return None
        try:
            return template.format_map(_Quoted(params))
        except (KeyError, ValueError, IndexError):
            log.warning("CRM_WEB_URL: %r names something that %s does not have: %s", template, action, sorted(params))
            return None


class _Quoted(dict[str, Any]):
    """Values as they may stand in an address."""

    def __getitem__(self, key: str) -> str:
        return quote(str(super().__getitem__(key)), safe="")


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        log.warning("the CRM names a time zone that does not exist: %r; UTC is used", name)
        return UTC
