"""Items that are put off, and how they come back: unread, and as loud as their reader wants at that moment.

Functions on a Connection; each change goes through the feed. Decides nothing: how loud is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Priority

from .feed import Committed, Scope, update_ids
from .tables import notifications


@dataclass(frozen=True, slots=True)
class Loudness:
    """Whether an item that comes back is without a sound, and why."""

    silent: bool
    reason: str | None


HowLoud = Callable[[Scope, str, Priority], Loudness | None]
"""Of a person's item of this type and priority. None: it is not to come back yet."""


def snooze(
    connection: Connection, scope: Scope, ids: Iterable[str], until: datetime, then: Loudness | None = None
) -> Committed:
    """`then`: how loud it is going to be; without, as it was."""
    changed = notifications.c.snoozed_until.is_distinct_from(until)
    return update_ids(connection, scope, ids, changed, {"snoozed_until": until, **_values(then)})


def wake(connection: Connection, now: datetime, how_loud: HowLoud | None = None) -> list[Committed]:
    """Brings back every item whose snooze is over; without `how_loud` as loud as it was."""
    groups: dict[Scope, dict[Loudness, list[str]]] = {}
    for row in connection.execute(sa.select(notifications).where(_over(now)).order_by(notifications.c.first_seq)):
        scope = Scope(row.tenant_id, row.user_id)
        loudness = how_loud(scope, row.type, row.priority) if how_loud else Loudness(row.silent, row.reason)
        if loudness is not None:
            groups.setdefault(scope, {}).setdefault(loudness, []).append(row.id)
    back: dict[str, Any] = {"snoozed_until": None, "read_at": None, "woken_at": now}
    return [
        update_ids(connection, scope, ids, _over(now), back | _values(loudness))
        for scope in sorted(groups)
        for loudness, ids in groups[scope].items()
    ]


def sleepers(connection: Connection, now: datetime) -> list[Scope]:
    """Whose items are to come back."""
    query = sa.select(notifications.c.tenant_id, notifications.c.user_id).where(_over(now)).distinct()
    return sorted(Scope(*row) for row in connection.execute(query))


def next_wake(connection: Connection) -> datetime | None:
    query = sa.select(sa.func.min(notifications.c.snoozed_until)).where(notifications.c.removed_at.is_(None))
    moment: datetime | None = connection.execute(query).scalar()
    return moment


def _over(now: datetime) -> sa.ColumnElement[bool]:
    return (notifications.c.snoozed_until <= now) & notifications.c.removed_at.is_(None)


def _values(loudness: Loudness | None) -> dict[str, Any]:
    return {} if loudness is None else {"silent": loudness.silent, "reason": loudness.reason}
