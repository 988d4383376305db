"""How long ago, in a seller's words. Pure; the clock and the time zone are arguments."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

_MONTHS = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")


def relative(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """`Ahora mismo`, `Hace 5 min`, `Hace 2 h`; after a day the date, with the year when it is another one.

    The date is that of `zone`, the machine's own by default. A moment a little ahead of this clock is now.
    """
    age = now - moment
    if age < timedelta(minutes=1):
        return "Ahora mismo"
    if age < timedelta(hours=1):
        return f"Hace {age // timedelta(minutes=1)} min"
    if age < timedelta(days=1):
        return f"Hace {age // timedelta(hours=1)} h"
    local, today = moment.astimezone(zone), now.astimezone(zone)
    date = f"{local.day} {_MONTHS[local.month - 1]}"
    return date if local.year == today.year else f"{date} {local.year}"
