"""From what detection found to people's inboxes: who is told, in which words, how loudly, with which buttons.

Owns recipients, the assembly of items, and the one way by which new items get in: through the policy. Store and
sockets are the inbox's. Everything of one look at the CRM, episodes included, goes into one transaction: an episode
kept without its notification would never be told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from crmtray.protocol import LINK_ACTIONS, Json, NotificationAction

from . import texts
from .directory import Directory
from .events import Detected, Event
from .inbox import Clock, Inbox, utc_now
from .readers import Reader, Readers
from .store import episodes, suppressed
from .store.feed import Committed, NewItem, Scope
from .store.suppressed import Suppressed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Items as their readers' preferences make them (silent or not, with or without e-mail), and those kept away."""

    items: list[NewItem]
    suppressed: list[Suppressed]


class Pipeline:
    """`links`: address templates by action. `email_after`: when an unread item is mailed; None when mail is off.

    `suppressed_as` is told the reason of each that was kept away.
    """

    def __init__(
        self,
        inbox: Inbox,
        readers: Readers,
        directory: Directory,
        links: Mapping[str, str],
        email_after: timedelta | None = None,
        clock: Clock = utc_now,
        suppressed_as: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._inbox, self._readers, self._directory, self._links = inbox, readers, directory, links
        self._email_after, self._clock, self._suppressed_as = email_after, clock, suppressed_as

    async def tell(self, items: Sequence[NewItem], also: Callable[..., None] | None = None) -> list[Committed]:
        """The way for ready-made items, of whatever origin: applies each reader's preferences, stores, publishes.

        Sets `silent`, `reason`, `email_to` and `email_at` of each item itself. What preferences suppress is written
        down as such and makes no item; nor does a dedupe key the person already had. All of it, and `also(connection)`,
        in one transaction. Returns what was made. Raises StoreUnavailable, with nothing stored.
        """
        return await self.store(await self.plan(items), also)

    async def plan(self, items: Sequence[NewItem]) -> Plan:
        """What `tell` would store now; for whoever must say what became of each."""
        readers = await self._readers.load({item.scope for item in items})
        return self._plan(items, readers)

    async def store(self, plan: Plan, also: Callable[..., None] | None = None) -> list[Committed]:
        now = self._clock()

        def write(connection: Any) -> None:
            suppressed.add(connection, plan.suppressed, now)
            if also is not None:
                also(connection)

        committed = await self._inbox.add(plan.items, write)
        for item in plan.suppressed:
            self._suppressed_as(item.reason)
        return committed

    async def ingest(self, detected: Detected) -> list[Committed]:
        """Stores and publishes; what was told before makes nothing.

        Raises StoreUnavailable or CrmUnavailable (nobody knows yet whom to tell), with nothing stored.
        """
        plan = await self.assemble(detected)
        return await self.store(plan, partial(episodes.save, opened=detected.opened, closed=detected.closed))

    async def assemble(self, detected: Detected) -> Plan:
        """The items for everyone who is to be told; nothing is stored."""
        addressed = [(event, scope) for event in detected.events for scope in await self._recipients(event)]
        readers = await self._readers.load({scope for _, scope in addressed})
        return self._plan([self._item(event, readers[scope]) for event, scope in addressed], readers)

    async def _recipients(self, event: Event) -> list[Scope]:
        people = await self._directory.to_tell(event.tenant_id, event.roles) if event.roles else []
        found = {Scope(event.tenant_id, person.user_id) for person in people}
        if event.user_id is not None:
            found.add(Scope(event.tenant_id, event.user_id))
        if not found:
            log.warning("nobody to tell: %s (tenant %s has no active %s)", event.key, event.tenant_id, event.roles)
        return sorted(found)

    def _plan(self, items: Sequence[NewItem], readers: Mapping[Scope, Reader]) -> Plan:
        plan, now = Plan([], []), self._clock()
        for item in items:
            reader = readers[item.scope]
            decision = reader.decide(item.type, item.priority, now)
            if decision.outcome == "suppressed":
                reason = str(decision.reason)
                key, data = item.dedupe_key, item.data
                plan.suppressed.append(Suppressed(item.scope, key, item.type, item.priority, data, reason))
            else:
                silent = decision.outcome == "silent"
                plan.items.append(replace(item, silent=silent, reason=decision.reason, **self._mail(reader, now)))
        return plan

    def _mail(self, reader: Reader, now: datetime) -> dict[str, Any]:
        """Quiet hours do not hold e-mail back: it makes no sound, and is what is read in the morning."""
        if self._email_after is None or reader.email is None:
            return {"email_to": None, "email_at": None}
        return {"email_to": reader.email, "email_at": now + self._email_after}

    def _item(self, event: Event, reader: Reader) -> NewItem:
        text = texts.render(event.kind, event.data, locale=reader.locale, timezone=reader.zone, now=self._clock())
        return NewItem(
            scope=reader.scope,
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
