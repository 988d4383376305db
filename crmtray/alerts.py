"""Which pending notifications become a toast on this desktop, and which not, with the reason.

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

MAX_AGE = timedelta(minutes=10)
BURST = 3
BURST_WINDOW = timedelta(seconds=10)

_KIND_WORDS: tuple[tuple[str, str, str], ...] = (
    (HOT_LEAD, "lead caliente", "leads calientes"),
    (UNANSWERED, "sin responder", "sin responder"),
    (FOLLOW_UP, "seguimiento", "seguimientos"),
    (PERFORMANCE, "alerta de rendimiento", "alertas de rendimiento"),
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
    quiet: bool = False,
) -> Decision:
    """More than three after an absence, or within ten seconds, fold into one summary."""
    reasons = {item.id: reason for item in pending if (reason := why_not(item, now=now, quiet=quiet))}
    wanted = tuple(item for item in pending if item.id not in reasons)
    if not wanted:
        return Decision([], reasons)
    lately = 0 if catching_up else sum(1 for moment in recent if now - moment < BURST_WINDOW)
    if len(wanted) > 1 and len(wanted) + lately > BURST:
        return Decision([Toast("summary", wanted)], reasons)
    return Decision([Toast("single", (item,)) for item in wanted], reasons)


def why_not(item: Notification, *, now: datetime, quiet: bool) -> str | None:
    """The reason for no toast, None when there is to be one."""
    if item.silent:
        return item.reason or "silent"
    if item.read:
        return "read"
    if item.snoozed_until is not None and item.snoozed_until > now:
        return "snoozed"
    if now - (item.snoozed_until or item.created_at) > MAX_AGE:
        return "too_old"
    return "quiet" if quiet else None


def summary_text(notifications: Sequence[Notification]) -> str:
    """What a summary says: `3 sin responder, 1 lead caliente`."""
    counts = Counter(item.type for item in notifications)
    parts = [(counts.pop(kind, 0), one, many) for kind, one, many in _KIND_WORDS]
    parts.append((sum(counts.values()), "otra", "otras"))
    # The most frequent first; a stable sort keeps the order of importance among equals.
    parts.sort(key=lambda part: -part[0])
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in parts if count)
