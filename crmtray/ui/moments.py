"""The moments a form or a menu offers: in one hour, tomorrow at nine, Monday at nine. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from ..region import hour
from ..words import say

MORNING = time(9, 0)


@dataclass(frozen=True, slots=True)
class Moment:
    label: str
    at: datetime


def choices(now: datetime, zone: tzinfo | None = None) -> tuple[Moment, ...]:
    """In `zone`, the machine's own by default; nine o'clock is nine on the wall, also across a clock change."""
    local = now.astimezone(zone)
    return (
        Moment(say("En 1 hora"), (local + timedelta(hours=1)).replace(second=0, microsecond=0)),
        Moment(say("Mañana {}").format(hour(MORNING)), _morning(local, 1, zone)),
        Moment(say("Lunes {}").format(hour(MORNING)), _morning(local, 7 - local.weekday(), zone)),
    )


def _morning(local: datetime, days: int, zone: tzinfo | None) -> datetime:
    wall = datetime.combine(local.date() + timedelta(days=days), MORNING)
    # Not `local.tzinfo`: that is today's offset, which may be another one then.
    return wall.astimezone() if zone is None else wall.replace(tzinfo=zone)
