"""Whether a person is told of something, and how loudly: pure decisions, each with its reason.

Owns the presets of the roles and the rule. The moment and the zone are arguments. How the reasons are said is in texts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, tzinfo
from typing import Final, Literal

from crmtray.protocol import (
    FOLLOW_UP,
    HOT_LEAD,
    PERFORMANCE,
    PRIORITIES,
    TEAM_MESSAGE,
    UNANSWERED,
    Json,
    Priority,
)

from .config import PREFERENCE_TYPES, Settings
from .store.preferences import WORK_DAYS, Preferences

__all__ = ["WORK_DAYS", "Decision", "Preferences", "Reason", "decide", "preset", "to_wire"]

Outcome = Literal["loud", "silent", "suppressed"]
Reason = Literal["type_off", "below_min_priority", "push_off", "day_off", "quiet_hours"]

PREFERENCE_OF: Final[dict[str, str]] = {
    UNANSWERED: "unanswered",
    HOT_LEAD: "hot_lead",
    FOLLOW_UP: "follow_up",
    PERFORMANCE: "performance",
}
"""What preferences call the kinds. Other types (a manager's message, another program's) cannot be switched off."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` says why not loud; None when it is."""

    outcome: Outcome
    reason: Reason | None = None


def decide(type: str, priority: Priority, preferences: Preferences, now: datetime, zone: tzinfo) -> Decision:
    """`zone` is the person's. Switched off and unimportant comes before quiet: it is not even stored."""
    name = PREFERENCE_OF.get(type)
    if name is not None and name not in preferences.notification_types:
        return Decision("suppressed", "type_off")
    # Whoever wrote to a colleague relies on its being there.
    if type != TEAM_MESSAGE and PRIORITIES.index(priority) < PRIORITIES.index(preferences.min_priority):
        return Decision("suppressed", "below_min_priority")
    reason = _why_quiet(preferences, now.astimezone(zone))
    return Decision("loud") if reason is None else Decision("silent", reason)


def _why_quiet(preferences: Preferences, local: datetime) -> Reason | None:
    if not preferences.push_notifications:
        return "push_off"
    if WORK_DAYS[local.weekday()] not in preferences.work_days:
        return "day_off"
    if preferences.quiet_hours is not None and _within(local.time(), *preferences.quiet_hours):
        return "quiet_hours"
    return None


def _within(clock: time, start: time, end: time) -> bool:
    """[start, end), over midnight when the end is the earlier one; from a time to the same time is never."""
    # By what the clock on the wall says: an hour that comes twice is quiet both times, a skipped one never comes.
    return start <= clock < end if start <= end else clock >= start or clock < end


def to_wire(preferences: Preferences) -> Json:
    hours = preferences.quiet_hours
    return {
        "notification_types": list(preferences.notification_types),
        "push_notifications": preferences.push_notifications,
        "email_notifications": preferences.email_notifications,
        "email_address": preferences.email_address,
        "quiet_hours": None if hours is None else {"start": f"{hours[0]:%H:%M}", "end": f"{hours[1]:%H:%M}"},
        "work_days": list(preferences.work_days),
        "min_priority": preferences.min_priority,
        "timezone": preferences.timezone,
        "locale": preferences.locale,
    }


def preset(role: str, settings: Settings) -> Preferences:
    """What a person has who chose nothing. A role without a preset of its own has the settings' defaults."""
    preferences = _PRESETS.get(role, _OTHER)
    allowed = settings.default_notification_types
    return replace(
        preferences,
        notification_types=tuple(name for name in preferences.notification_types if name in allowed),
        push_notifications=preferences.push_notifications and settings.default_push_notifications,
        email_notifications=preferences.email_notifications or settings.default_email_notifications,
    )


_OTHER: Final = Preferences(
    notification_types=PREFERENCE_TYPES,
    push_notifications=True,
    email_notifications=False,
    email_address=None,
    quiet_hours=None,
    work_days=WORK_DAYS,
    min_priority="low",
    timezone=None,
    locale="es",
)
_MONDAY_TO_FRIDAY: Final = WORK_DAYS[:5]
_PRESETS: Final[dict[str, Preferences]] = {
    "ceo": replace(_OTHER, email_notifications=True),
    "seller": replace(
        _OTHER,
        notification_types=("unanswered", "hot_lead", "follow_up"),
        min_priority="medium",
        quiet_hours=(time(22), time(8)),
        work_days=_MONDAY_TO_FRIDAY,
    ),
    "secretary": replace(_OTHER, notification_types=("unanswered",), min_priority="high", work_days=_MONDAY_TO_FRIDAY),
}
