"""What a person was told, for those who ask why. Reads only; always one person's own rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Notification

from .feed import Scope, from_row, kept, owned_by
from .suppressed import MOST, Subjects, mentions, names
from .tables import notifications


@dataclass(frozen=True, slots=True)
class Told:
    """An item. `decided_at`: when it was made or came back from a snooze, and its loudness was decided."""

    notification: Notification
    decided_at: datetime
    removed: bool


def one(connection: Connection, scope: Scope, id: str) -> Told | None:
    row = connection.execute(kept(scope).where(notifications.c.id == id)).first()
    return None if row is None else _told(row)


def told_about(connection: Connection, scope: Scope, subjects: Subjects) -> list[Told]:
    """The newest items about one of the subjects, or about anything; removed ones too, as long as they are kept."""
    query = sa.select(notifications).where(owned_by(notifications, scope), mentions(notifications.c.data, subjects))
    newest = query.order_by(notifications.c.created_at.desc(), notifications.c.first_seq.desc())
    rows = connection.execute(newest.limit(None if subjects else MOST))
    return [_told(row) for row in islice((row for row in rows if names(row.data, subjects)), MOST)]


def _told(row: Any) -> Told:
    return Told(from_row(row._mapping), row.woken_at or row.created_at, row.removed_at is not None)
