"""An invitation to a meeting, as calendars read it (RFC 5545). Pure: everything is given."""

from __future__ import annotations

from datetime import datetime, timedelta
from unicodedata import category

from icalendar import Alarm, Calendar, vCalAddress, vText
from icalendar import Event as CalendarEvent

from crmtray.protocol import User

LENGTH = timedelta(minutes=30)
REMIND = timedelta(minutes=-10)


def invitation(
    *, uid: str, organizer: User, seller: User, at: datetime, description: str, locale: str, now: datetime
) -> str:
    """`uid` is the order's: opened twice, it is one meeting. What the CRM's texts hold cannot add lines."""
    summary = f"{'Meeting with' if locale.startswith('en') else 'Reunión con'} {_line(seller.name)}"
    event = CalendarEvent()
    event.add("uid", f"{uid}@crmtray")
    event.add("dtstamp", now)
    event.add("dtstart", at)
    event.add("dtend", at + LENGTH)
    event.add("summary", summary)
    event.add("description", plain(description))
    if _is_address(organizer.email):
        event["organizer"] = _address(organizer)
    if _is_address(seller.email):
        event.add("attendee", _address(seller))
    event.add_component(_alarm(summary))
    return _calendar(event)


def _alarm(summary: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", summary)
    alarm.add("trigger", REMIND)
    return alarm


def _calendar(event: CalendarEvent) -> str:
    calendar = Calendar()
    calendar.add("prodid", "-//crmtray//ES")
    calendar.add("version", "2.0")
    calendar.add("method", "REQUEST")
    calendar.add_component(event)
    return str(calendar.to_ical().decode())


def _address(user: User) -> vCalAddress:
    address = vCalAddress(f"mailto:{user.email}")
    address.params["cn"] = vText(_line(user.name).replace('"', "'"))
    return address


def _is_address(email: str) -> bool:
    """What else a CRM may hold in that column cannot be invited."""
    return "@" in email and email.isprintable() and " " not in email


def _line(text: str) -> str:
    return " ".join(plain(text).split())


def plain(text: str) -> str:
    """Without control characters and halves of characters, which neither calendars nor databases take."""
    return "".join(letter for letter in text if letter == "\n" or category(letter) not in ("Cc", "Cs"))
