"""Which pending notifications become a toast on this desktop, and which not, with the reason; which are told again.

Pure: the clock and the moments of recent toasts are arguments. Preferences (kinds, quiet hours, work days) are the
server's to decide and arrive as `silent`; here is only what this desktop alone can know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from .protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED, Notification
from .words import mark, say

MAX_AGE = timedelta(minutes=10)
ABSENCE_MAX_AGE = timedelta(days=7)
"""What came while the machine slept, or while nobody was to be disturbed, is told in one sentence, however long ago."""
BURST = 3
BURST_WINDOW = timedelta(seconds=10)
MOST_ON_SCREEN = 3
MOST_REPEATS = 3

_KIND_WORDS: tuple[tuple[str, str], ...] = (
    (HOT_LEAD, mark("%n leads calientes", "", 2)),
    (UNANSWERED, mark("%n sin responder", "", 2)),
    (FOLLOW_UP, mark("%n seguimientos", "", 2)),
    (PERFORMANCE, mark("%n alertas de rendimiento", "", 2)),
)


@dataclass(frozen=True, slots=True)
class Toast:
    """One thing on the screen: a notification, or a summary of several."""

    kind: Literal["single", "summary"]
    notifications: tuple[Notification, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to show, and by id why the others are not."""

    toasts: list[Toast] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def decide(
    pending: Sequence[Notification],
    *,
    now: datetime,
    catching_up: bool,
    recent: Sequence[datetime],
    room: int = MOST_ON_SCREEN,
    summed_up: Sequence[Notification] = (),
) -> Decision:
    """What came in an absence, or faster than one can read, is one summary.

    `room`: how many more fit on the screen. `summed_up`: of the summary that is on it: another one takes its place.
    """
    max_age = ABSENCE_MAX_AGE if catching_up else MAX_AGE
    reasons = {item.id: reason for item in pending if (reason := why_not(item, now=now, max_age=max_age))}
    wanted = [item for item in pending if item.id not in reasons]
    alone = _alone(wanted, now, catching_up, recent, room)
    toasts = [Toast("single", (item,)) for item in wanted if item.id in alone]
    folded = [item for item in wanted if item.id not in alone]
    if folded:
        toasts.append(Toast("summary", (*summed_up, *folded)))
    return Decision(toasts, reasons)


def _alone(
    wanted: Sequence[Notification], now: datetime, catching_up: bool, recent: Sequence[datetime], room: int
) -> set[str]:
    """Who gets a toast of its own."""
    if catching_up:
        return {item.id for item in wanted} if len(wanted) == 1 and room > 0 else set()
    lately = sum(1 for moment in recent if now - moment < BURST_WINDOW)
    if len(wanted) + lately > BURST:
        return set()
    # A stable sort: among equals the oldest first.
    by_urgency = sorted(wanted, key=lambda item: item.priority != "urgent")
    return {item.id for item in by_urgency[: max(room, 0)]}


def why_not(item: Notification, *, now: datetime, max_age: timedelta = MAX_AGE) -> str | None:
    """The reason for no toast, None when there is to be one."""
    if item.silent:
        return item.reason or "silent"
    if item.read:
        return "read"
    if item.snoozed_until is not None and item.snoozed_until > now:
        return "snoozed"
    return "too_old" if now - (item.snoozed_until or item.created_at) > max_age else None


def waits(item: Notification, now: datetime) -> bool:
    """Whether it is still something to do: what a toast on the screen is for."""
    return not item.read and (item.snoozed_until is None or item.snoozed_until <= now)


@dataclass(frozen=True, slots=True)
class Told:
    """How often an urgent item was told again, and when it was told last."""

    last: datetime
    again: int = 0

    def due(self, now: datetime, every: timedelta) -> bool:
        return not self.over and now - self.last >= every

    @property
    def over(self) -> bool:
        return self.again >= MOST_REPEATS


def summary_text(notifications: Sequence[Notification]) -> str:
    """What a summary says: `3 sin responder, 1 lead caliente`."""
    counts = Counter(item.type for item in notifications)
    parts = [(counts.pop(kind, 0), text) for kind, text in _KIND_WORDS]
    parts.append((sum(counts.values()), mark("%n otras", "", 2)))
    # The most frequent first; a stable sort keeps the order of importance among equals.
    parts.sort(key=lambda part: -part[0])
    return ", ".join(say(text, "", count) for count, text in parts if count)
