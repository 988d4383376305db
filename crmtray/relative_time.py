"""How long ago, in a seller's words. Pure; the clock and the time zone are arguments."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

_MONTHS = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")
_LONG_MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
    "diciembre",
)  # fmt: skip
_WEEKDAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")


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


def day_heading(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """The day as a heading: `Hoy`, `Ayer`, within the last week `Lunes`, before `3 de marzo` with another year's."""
    local, today = moment.astimezone(zone).date(), now.astimezone(zone).date()
    days = (today - local).days
    if days <= 0:
        return "Hoy" if days == 0 else _long(local, today)
    if days == 1:
        return "Ayer"
    return _WEEKDAYS[local.weekday()].capitalize() if days < 7 else _long(local, today)


def clock_time(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """`hoy 15:04`, `mañana 9:00`, `lunes 9:00`, `3 de marzo, 9:00`."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    hour, days = f"{local.hour}:{local.minute:02}", (local.date() - today).days
    near = {0: "hoy", 1: "mañana", -1: "ayer"}.get(days)
    if near is None and 1 < days < 7:
        near = _WEEKDAYS[local.weekday()]
    return f"{near} {hour}" if near is not None else f"{_long(local.date(), today)}, {hour}"


def _long(day: date, today: date) -> str:
    text = f"{day.day} de {_LONG_MONTHS[day.month - 1]}"
    return text if day.year == today.year else f"{text} de {day.year}"
