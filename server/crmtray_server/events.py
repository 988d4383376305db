"""What detection finds: events, episodes, and the result of one look at the CRM.

Owns these shapes only. An event says that something became true in the CRM; who is told, how loudly and in which
language is decided later (pipeline, policy, texts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from crmtray.protocol import Json, Kind, Priority


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that is true in the CRM now and was told: from when it became true until it no longer is.

    `mark` is the detector's own memory of it (last message time, seller who was told, …); nobody else reads it.
    """

    kind: Kind
    tenant_id: str
    subject: str
    key: str
    opened_at: datetime
    mark: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something became true in the CRM.

    `key` names the episode: the same key never makes a second notification for the same user. `user_id` is told
    personally (None when nobody is assigned), and so is everyone active of the tenant with one of `roles`.
    `action_names` are the offered actions with their params; their labels come from the texts, by locale.
    """

    kind: Kind
    tenant_id: str
    key: str
    user_id: str | None
    roles: tuple[str, ...]
    priority: Priority
    data: Json
    action_names: tuple[tuple[str, Json], ...]
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """What the CRM said it changed: ids of conversations and of leads, to be looked at now."""

    conversations: frozenset[str] = frozenset()
    leads: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.conversations or self.leads)

    def __or__(self, other: Concern) -> Concern:
        return Concern(self.conversations | other.conversations, self.leads | other.leads)


@dataclass(slots=True)
class Detected:
    """One look at the CRM. `failures`: a sentence for each kind that could not be read, and how to mend it.

    `more`: there was more than one look takes at a time; look again when this is stored.
    Events, `opened` and `closed` belong into one transaction: an episode that is saved without its notification
    would never be told.
    """

    events: list[Event] = field(default_factory=list)
    opened: list[Episode] = field(default_factory=list)
    closed: list[Episode] = field(default_factory=list)
    failures: dict[Kind, str] = field(default_factory=dict)
    more: bool = False

    @property
    def empty(self) -> bool:
        """Nothing to store; failures are not stored."""
        return not (self.events or self.opened or self.closed)

    def add(self, other: Detected) -> None:
        self.events += other.events
        self.opened += other.opened
        self.closed += other.closed
        self.failures |= other.failures
        self.more = self.more or other.more
