"""How long ago, in a seller's words. Pure; the clock and the time zone are arguments."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

from . import region
from .words import mark, say

_MONTHS = (
    mark("ene"),
    mark("feb"),
    mark("mar"),
    mark("abr"),
    mark("may"),
    mark("jun"),
    mark("jul"),
    mark("ago"),
    mark("sep"),
    mark("oct"),
    mark("nov"),
    mark("dic"),
)
_LONG_MONTHS = (
    mark("enero"),
    mark("febrero"),
    mark("marzo"),
    mark("abril"),
    mark("mayo"),
    mark("junio"),
    mark("julio"),
    mark("agosto"),
    mark("septiembre"),
    mark("octubre"),
    mark("noviembre"),
    mark("diciembre"),
)
_WEEKDAYS = (
    mark("lunes"),
    mark("martes"),
    mark("miércoles"),
    mark("jueves"),
    mark("viernes"),
    mark("sábado"),
    mark("domingo"),
)


def relative(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """`Ahora mismo`, `Hace 5 min`, `Hace 2 h`; after a day the date, with the year when it is another one.

    The date is that of `zone`, the machine's own by default. A moment a little ahead of this clock is now.
    """
    age = now - moment
    if age < timedelta(minutes=1):
        return say("Ahora mismo")
    if age < timedelta(hours=1):
        return say("Hace {} min").format(age // timedelta(minutes=1))
    if age < timedelta(days=1):
        return say("Hace {} h").format(age // timedelta(hours=1))
    local, today = moment.astimezone(zone), now.astimezone(zone)
    date = day_month(local)
    return date if local.year == today.year else _with_year(date, local)


def day_heading(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """The day as a heading: `Hoy`, `Ayer`, within the last week `Lunes`, before `3 de marzo` with another year's."""
    local, today = moment.astimezone(zone).date(), now.astimezone(zone).date()
    days = (today - local).days
    if days <= 0:
        return say("Hoy") if days == 0 else _long(local, today)
    if days == 1:
        return say("Ayer")
    return weekday(local).capitalize() if days < 7 else _long(local, today)


def clock_time(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """`hoy 15:04`, `mañana 9:00`, `lunes 9:00`, `3 de marzo, 9:00`; where it is written so, `March 3, 9:00 AM`."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    hour, days = region.hour(local), (local.date() - today).days
    near = {0: say("hoy"), 1: say("mañana"), -1: say("ayer")}.get(days)
    if near is None and 1 < days < 7:
        near = weekday(local)
    return f"{near} {hour}" if near is not None else f"{_long(local.date(), today)}, {hour}"


def _long(day: date, today: date) -> str:
    month = say(_LONG_MONTHS[day.month - 1])
    if region.current().month_first:
        text = f"{month} {day.day}"
        return text if day.year == today.year else _with_year(text, day)
    text = say("{} de {}").format(day.day, month)
    return text if day.year == today.year else say("{} de {}").format(text, day.year)


def _with_year(text: str, day: date) -> str:
    return f"{text}, {day.year}" if region.current().month_first else f"{text} {day.year}"


def day_month(day: date) -> str:
    """`3 mar`, or `Mar 3`: in no language can day and month be taken for each other."""
    month = say(_MONTHS[day.month - 1])
    return f"{month} {day.day}" if region.current().month_first else f"{day.day} {month}"


def weekday(day: date) -> str:
    return say(_WEEKDAYS[day.weekday()])
