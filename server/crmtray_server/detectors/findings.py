"""What every detector works with: the shape of a finding, and marks of episodes.

Owns no rule of its own; each kind's rule is in the module of that name.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from crmtray.protocol import Kind, WireError, format_time, parse_time

from ..events import Detected, Episode

LIMIT: Final = 5000
"""Events of one kind in one look: a CRM with a long backlog is told in parts, each in its own transaction."""

NEVER: Final = "never"

Ref = tuple[str, str]
"""Tenant and subject."""
Open = dict[Ref, Episode]


class OpenEpisodes(Protocol):
    """Reads a kind's open episodes from the store."""

    def __call__(self, kind: Kind, subjects: Collection[str] | None, /) -> Open:
        """With subjects only those about one of them."""

    def after(self, kind: Kind, ref: Ref, limit: int, /) -> Open:
        """The next in the order of tenants and subjects."""

    def suffixes(self, kind: Kind, length: int, /) -> set[str]:
        """With which characters their subjects end."""

    def in_order(self, kind: Kind, length: int, some: Collection[str] | None, /) -> Generator[Episode, None, None]:
        """By the last characters of their subjects, all or some."""


@dataclass(slots=True)
class Found(Detected):
    """What one detector found. `later`: subjects to look at again, each at its moment. `room`: for so many events."""

    later: list[tuple[datetime, str]] = field(default_factory=list)
    room: int = LIMIT

    def takes_more(self) -> bool:
        """Whether another event may be added. What does not fit is found again by the next look."""
        self.more = self.more or len(self.events) >= self.room
        return not self.more

    def rest(self) -> Found:
        """For a part of the same look: what it finds is then taken."""
        return Found(room=self.room - len(self.events))

    def take(self, part: Found) -> None:
        self.add(part)
        self.later += part.later

    def concerned(self) -> set[str]:
        """Subjects of which something is to be stored."""
        return {episode.subject for episode in (*self.opened, *self.closed)}


@dataclass(frozen=True, slots=True)
class Mark:
    """What an episode remembers: when its fact began, who was told, and whether the CEO was told too."""

    at: datetime | None
    seller_id: str | None
    escalated: bool = False

    def __str__(self) -> str:
        return f"{stamp(self.at)}|{int(self.escalated)}|{self.seller_id or ''}"

    @classmethod
    def of(cls, episode: Episode) -> Mark:
        """A mark of another form (another version's) reads as one that knows when the episode was opened, no more."""
        try:
            at, escalated, seller = episode.mark.split("|", 2)
            return cls(None if at == NEVER else parse_time(at), seller or None, escalated == "1")
        except (ValueError, WireError):
            return cls(episode.opened_at, None)


def stamp(moment: datetime | None) -> str:
    """A moment as part of a key."""
    return NEVER if moment is None else format_time(moment)
