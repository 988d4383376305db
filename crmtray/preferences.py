"""How the signed-in person wants to be told, as the server keeps it for all devices.

Owns the names and shapes of `/notifications/settings` on this side, and what a refusal of it is about. It must not
talk to a server (api does) nor decide what a preference does: that is the server's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from .protocol import Json

KINDS: Final = ("unanswered", "hot_lead", "follow_up", "performance")
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FIELDS: Final = (
    "notification_types",
    "push_notifications",
    "email_notifications",
    "email_address",
    "quiet_hours",
    "work_days",
    "min_priority",
    "timezone",
    "locale",
)
_REFUSAL = re.compile(r"(?:\d{3} )?([a-z_]+)[.\w]*: (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Preferences:
    """All of them, as they count."""

    notification_types: tuple[str, ...]
    push_notifications: bool
    email_notifications: bool
    email_address: str | None
    """None: the one in the CRM."""
    quiet_hours: tuple[str, str] | None
    """Such as 22:00 and 08:00."""
    work_days: tuple[str, ...]
    min_priority: str
    timezone: str | None
    """None: the company's."""
    locale: str

    @classmethod
    def from_wire(cls, data: Any) -> Preferences:
        """Raises KeyError, TypeError or ValueError for what is no such document."""
        hours = data["quiet_hours"]
        return cls(
            notification_types=_strings(data["notification_types"]),
            push_notifications=bool(data["push_notifications"]),
            email_notifications=bool(data["email_notifications"]),
            email_address=_string_or_none(data["email_address"]),
            quiet_hours=None if hours is None else (str(hours["start"]), str(hours["end"])),
            work_days=_strings(data["work_days"]),
            min_priority=str(data["min_priority"]),
            timezone=_string_or_none(data["timezone"]),
            locale=str(data["locale"]),
        )

    def to_wire(self) -> Json:
        return {field: self.value(field) for field in FIELDS}

    def value(self, field: str) -> Any:
        """One of them, in the form in which it travels."""
        value = getattr(self, field)
        if field == "quiet_hours" and value is not None:
            return {"start": value[0], "end": value[1]}
        return list(value) if isinstance(value, tuple) else value


def refused_field(detail: str, sent: str) -> tuple[str, str]:
    """Which field a server's sentence is about, and the sentence; `sent` when it does not name one."""
    found = _REFUSAL.fullmatch(detail.strip())
    if found is None or found[1] not in FIELDS:
        return sent, detail
    return found[1], found[2]


def _strings(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("expected a list")
    return tuple(str(value) for value in values)


def _string_or_none(value: Any) -> str | None:
    return None if value is None else str(value)
