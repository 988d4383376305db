"""How people want to be told, one row a person; who has no row has the preset of the role (policy).

Owns the rows and the tolerance for what may stand in them: a row that makes no sense counts as none and is logged
once, because a damaged preference must never stop an alert. Decides nothing.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crmtray.protocol import PRIORITIES, Priority

from ..config import PREFERENCE_TYPES
from .scopes import Scope, of_people, owned_by, people
from .tables import notification_settings as table

log = logging.getLogger(__name__)

WORK_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""In the order of `date.weekday()`."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """`notification_types` and `min_priority` say whether a person is told, the rest how loudly.

    `quiet_hours`: start and end, the end is the first loud moment. `email_address` None: the directory's.
    `timezone` None: the tenant's.
    """

    notification_types: tuple[str, ...]
    push_notifications: bool
    email_notifications: bool
    email_address: str | None
    quiet_hours: tuple[time, time] | None
    work_days: tuple[str, ...]
    min_priority: Priority
    timezone: str | None
    locale: str


def load(connection: Connection, scopes: Sequence[Scope]) -> dict[Scope, Preferences]:
    """Of those of these people who have chosen; one query for all."""
    found: dict[Scope, Preferences] = {}
    for row in connection.execute(_QUERY, people(scopes)):
        scope = Scope(row.tenant_id, row.user_id)
        try:
            found[scope] = _read(row)
        except (ValueError, TypeError) as error:
            _report(scope, error)
    return found


def save(connection: Connection, scope: Scope, wanted: Preferences, now: datetime) -> None:
    """In place of what was there; `created_at` stays."""
    start, end = wanted.quiet_hours or (None, None)
    values = {
        "notification_types": list(wanted.notification_types),
        "push_notifications": wanted.push_notifications,
        "email_notifications": wanted.email_notifications,
        "email_address": wanted.email_address,
        "quiet_hours_start": start,
        "quiet_hours_end": end,
        "work_days": list(wanted.work_days),
        "min_priority": wanted.min_priority,
        "timezone": wanted.timezone,
        "locale": wanted.locale,
        "updated_at": now,
    }
    row = {"id": str(uuid.uuid4()), "tenant_id": scope.tenant_id, "user_id": scope.user_id, "created_at": now, **values}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "user_id"], set_=values))


def changed_at(connection: Connection, scope: Scope) -> datetime | None:
    """When this person last chose; None when never."""
    moment: datetime | None = connection.execute(sa.select(table.c.updated_at).where(owned_by(table, scope))).scalar()
    return moment


_TEXTS = ("notification_types", "work_days", "quiet_hours_start", "quiet_hours_end")
# As text, and read here: a column type that cannot read one damaged value would raise for everybody's rows.
_QUERY: Final = sa.select(
    *(column for column in table.c if column.name not in _TEXTS),
    *(sa.cast(table.c[name], sa.Text).label(name) for name in _TEXTS),
).where(of_people(table))


def _read(row: Any) -> Preferences:
    """Raises ValueError or TypeError when it makes no sense."""
    if row.min_priority not in PRIORITIES:
        raise ValueError(f"min_priority {row.min_priority!r}")
    return Preferences(
        notification_types=_names(row.notification_types, PREFERENCE_TYPES),
        push_notifications=bool(row.push_notifications),
        email_notifications=bool(row.email_notifications),
        email_address=row.email_address,
        quiet_hours=_hours(row.quiet_hours_start, row.quiet_hours_end),
        work_days=_names(row.work_days, WORK_DAYS),
        min_priority=cast(Priority, row.min_priority),
        timezone=row.timezone,
        locale=row.locale,
    )


def _names(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Those that are known, in their usual order; a newer version's are passed over."""
    names = json.loads(text)
    if not isinstance(names, list):
        raise ValueError(f"not a list: {text[:80]!r}")
    return tuple(name for name in known if name in names)


def _hours(start: str | None, end: str | None) -> tuple[time, time] | None:
    return None if start is None or end is None else (time.fromisoformat(start), time.fromisoformat(end))


_reported: set[Scope] = set()


def _report(scope: Scope, error: Exception) -> None:
    if scope not in _reported and len(_reported) < 10_000:
        _reported.add(scope)
        log.warning(
            "the preferences of user %s (tenant %s) cannot be read, the role's are used until they are saved anew: %s",
            scope.user_id,
            scope.tenant_id,
            error,
        )
