"""What a person's preferences kept out of the inbox, so that "why was I not told?" has an answer.

Functions on a Connection; `add` belongs into the transaction that stores what was not suppressed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crmtray.protocol import Json, Priority

from .feed import Scope, owned_by
from .tables import suppressed

MOST: Final = 100
"""Entries in one answer."""

Subjects = Mapping[str, str]
"""Values by the field of an item's data, such as `lead_id`."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An item that would have been, and the code of the preference that kept it away."""

    scope: Scope
    dedupe_key: str
    type: str
    priority: Priority
    data: Json
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """One of `about`, with its time."""

    item: Suppressed
    at: datetime


def add(connection: Connection, items: Sequence[Suppressed], now: datetime) -> None:
    """What was suppressed before under the same key is left as it is."""
    rows = [
        {
            "tenant_id": item.scope.tenant_id,
            "user_id": item.scope.user_id,
            "dedupe_key": item.dedupe_key,
            "type": item.type,
            "priority": item.priority,
            "data": item.data,
            "reason": item.reason,
            "created_at": now,
        }
        for item in items
    ]
    if rows:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(suppressed).on_conflict_do_nothing(), rows)


def about(connection: Connection, scope: Scope, subjects: Subjects) -> list[Kept]:
    """This person's newest ones about one of the subjects; without subjects, about anything."""
    query = sa.select(suppressed).where(owned_by(suppressed, scope), mentions(suppressed.c.data, subjects))
    rows = connection.execute(query.order_by(suppressed.c.created_at.desc()).limit(None if subjects else MOST))
    return [
        Kept(Suppressed(scope, row.dedupe_key, row.type, row.priority, row.data, row.reason), row.created_at)
        for row in islice((row for row in rows if names(row.data, subjects)), MOST)
    ]


def mentions(column: sa.ColumnElement[Any], subjects: Subjects) -> sa.ColumnElement[bool]:
    """The database passes over most rows; in which field it stands is looked at afterwards."""
    text = sa.cast(column, sa.Text)
    found = [text.contains(json.dumps(value)[1:-1], autoescape=True) for value in subjects.values()]
    return sa.or_(*found) if found else sa.true()


def names(data: Any, subjects: Subjects) -> bool:
    """Whether one of the fields has its value: as text, because ids are numbers in some CRMs."""
    if not subjects:
        return True
    return isinstance(data, dict) and any(
        field in data and str(data[field]) == value for field, value in subjects.items()
    )
