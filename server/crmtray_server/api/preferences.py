"""How the signed-in person wants to be told: `/notifications/settings`.

Owns what may be written there. A change counts from the next notification on.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import time
from email.headerregistry import Address
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from aiohttp import web
from pydantic import AfterValidator, Field, WithJsonSchema
from sqlalchemy.engine import Connection

from crmtray.protocol import Priority

from ..config import PREFERENCE_TYPES
from ..policy import WORK_DAYS, Preferences, to_wire
from ..readers import Readers
from ..store import preferences as store
from ..store.feed import Scope
from .operation import Body, Operations
from .schemas import Answer
from .web import answer, claims, services

READERS = web.AppKey("readers", Readers)
LONGEST_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3, without the brackets."""

_ATOM, _LABEL = "[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+", "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*"
"""The plain form only: no names, lists, comments, quotes or encoded words, so nothing can be slipped into a header."""
LOCALE = "(es|en)(-([A-Z]{2}|[0-9]{3}))?"
CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
ZONES = frozenset(available_timezones()) - {"Factory", "localtime", "posixrules"}
"""Without what is the machine's own affair, and no place."""

operations = Operations("Preferences")


def _one_address(text: str) -> str:
    try:
        good = re.fullmatch(ADDRESS, text) is not None and len(text) <= LONGEST_ADDRESS and _parses(text)
    except Exception:  # the parser's errors for odd input have no common base
        good = False
    if not good:
        raise ValueError("expected one e-mail address such as ana@example.com")
    return text


def _parses(address: str) -> bool:
    parsed = Address(addr_spec=address)
    return f"{parsed.username}@{parsed.domain}" == address


def _zone_name(text: str) -> str:
    if text not in ZONES:
        raise ValueError("expected the name of a time zone such as America/Argentina/Buenos_Aires")
    return text


def _locale(text: str) -> str:
    if not re.fullmatch(LOCALE, text):
        raise ValueError("expected es or en, or a regional form such as es-AR")
    return text


def _clock(text: str) -> str:
    if not re.fullmatch(CLOCK, text):
        raise ValueError("expected a time such as 22:00")
    return text


def _text(**schema: Any) -> WithJsonSchema:
    """How the OpenAPI document says what the validator beside it checks."""
    return WithJsonSchema({"type": "string", **schema})


TypeName = Literal["unanswered", "hot_lead", "follow_up", "performance"]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Clock = Annotated[str, AfterValidator(_clock), _text(pattern=f"^{CLOCK}$")]
EmailAddress = Annotated[str, AfterValidator(_one_address), _text(pattern=f"^{ADDRESS}$", maxLength=LONGEST_ADDRESS)]
Zone = Annotated[str, AfterValidator(_zone_name), _text(enum=sorted(ZONES))]
LocaleName = Annotated[str, AfterValidator(_locale), _text(pattern=f"^{LOCALE}$")]


class QuietHours(Body):
    """From `start` until just before `end`, over midnight when the end is the earlier one; equal times: never."""

    start: Clock
    end: Clock


class Wanted(Body):
    """Fields that are left out: with PUT they become the role's preset, with PATCH they stay."""

    notification_types: list[TypeName] = Field(default_factory=list)
    push_notifications: bool = Field(default_factory=bool)
    email_notifications: bool = Field(default_factory=bool)
    email_address: EmailAddress | None = None
    quiet_hours: QuietHours | None = None
    work_days: list[Day] = Field(default_factory=list)
    min_priority: Priority = Field(default_factory=lambda: "low")
    timezone: Zone | None = None
    locale: LocaleName = Field(default_factory=lambda: "es")

    def given(self) -> dict[str, Any]:
        """What was sent, as Preferences has it."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        for name, order in (("notification_types", PREFERENCE_TYPES), ("work_days", WORK_DAYS)):
            if name in values:
                values[name] = tuple(one for one in order if one in values[name])
        if (hours := values.get("quiet_hours")) is not None:
            values["quiet_hours"] = (time.fromisoformat(hours.start), time.fromisoformat(hours.end))
        return values


class QuietHoursOut(Answer):
    start: str
    end: str


class PreferencesOut(Answer):
    """All of them, as they count. `email_address` null: the address in the CRM; `timezone` null: the company's."""

    notification_types: list[TypeName]
    push_notifications: bool
    email_notifications: bool
    email_address: str | None
    quiet_hours: QuietHoursOut | None
    work_days: list[Day]
    min_priority: Priority
    timezone: str | None
    locale: str


@operations.get("/notifications/settings", answers=PreferencesOut)
async def preferences(request: web.Request) -> web.Response:
    """One's own preferences; the role's preset for who has chosen nothing."""
    reader = await request.app[READERS].one(claims(request).scope, claims(request).role)
    return answer(to_wire(reader.preferences))


@operations.put("/notifications/settings", answers=PreferencesOut)
async def set_preferences(request: web.Request, body: Wanted) -> web.Response:
    """Sets all of them; a field that is left out becomes the role's preset."""
    return await _save(request, body, whole=True)


@operations.patch("/notifications/settings", answers=PreferencesOut)
async def change_preferences(request: web.Request, body: Wanted) -> web.Response:
    """Changes the given ones."""
    return await _save(request, body, whole=False)


async def _save(request: web.Request, body: Wanted, *, whole: bool) -> web.Response:
    readers, scope, made = request.app[READERS], claims(request).scope, services(request)
    preset = readers.preset(await readers.one(scope, claims(request).role), claims(request).role)
    given = body.given()

    def write(connection: Connection) -> Preferences:
        before = preset if whole else _current(connection, scope, preset)
        wanted = replace(before, **given)
        if whole or given:
            store.save(connection, scope, wanted, made.clock())
        return wanted

    return answer(to_wire(await made.store.write(write)))


def _current(connection: Connection, scope: Scope, preset: Preferences) -> Preferences:
    return store.load(connection, [scope]).get(scope, preset)
