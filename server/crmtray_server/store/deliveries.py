"""E-mails that are due: who takes which to send it, and what became of it.

Owns the e-mail rows of `deliveries`. An e-mail is taken by a conditional update with a lease, so that of several
workers one sends it, and another may when that one was killed. Who took it may record the outcome only as long as
nobody took it after. The queries that look for work are the worker's own and see everybody's rows; what they find
is read and changed within one person's scope.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Notification

from .feed import ID_CHUNK, Scope, from_row, kept, owned_by
from .tables import deliveries, notifications

Outcome = Literal["waiting", "sent", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What goes into one message: the rows of one person and address that were due together."""

    scope: Scope
    address: str
    due: dict[str, datetime]
    """By notification, when it was due before it was taken."""
    attempts: int
    """This one included."""
    lease: datetime
    """Until then nobody else takes them; also says whose they are."""


def claim(connection: Connection, now: datetime, lease: timedelta) -> Claimed | None:
    """Takes what has been due longest, with all that goes to the same person and address. None: nothing is due."""
    while (first := _longest_due(connection, now)) is not None:
        rows = _lock_group(connection, first, now)
        if rows:  # else another worker has taken them since; look again
            return _take(connection, rows, now, now + lease)
    return None


def still_there(connection: Connection, claimed: Claimed) -> dict[str, Notification]:
    """The claimed items as they are now, without those that were removed."""
    found: dict[str, Notification] = {}
    ids = list(claimed.due)
    for start in range(0, len(ids), ID_CHUNK):
        query = kept(claimed.scope).where(notifications.c.id.in_(ids[start : start + ID_CHUNK]))
        found |= {row.id: from_row(row._mapping) for row in connection.execute(query)}
    return found


def settle(
    connection: Connection,
    claimed: Claimed,
    ids: Iterable[str],
    outcome: Outcome,
    detail: str | None,
    now: datetime,
    due_at: datetime | None = None,
) -> int:
    """Records what became of these; `due_at` is when one that waits is tried again. How many were still ours."""
    values = {"state": outcome, "detail": detail, "updated_at": now, "due_at": due_at}
    return sum(_update_claimed(connection, claimed, id, values) for id in ids)


def give_back(connection: Connection, claimed: Claimed, detail: str, now: datetime) -> None:
    """As if it had not been taken: it was not tried, because no mail server was there."""
    for id, due_at in claimed.due.items():
        values = {"state": "waiting", "detail": detail, "updated_at": now, "due_at": due_at}
        _update_claimed(connection, claimed, id, values | {"attempts": claimed.attempts - 1})


def let_go(connection: Connection, due_before: datetime, outcome: Outcome, detail: str, now: datetime) -> int:
    """Ends what has been due for too long; how many. The last failure, if any, is kept behind `detail`."""
    last = sa.func.coalesce(sa.literal(": ") + deliveries.c.detail, "")
    values = {"state": outcome, "detail": sa.literal(detail) + last, "updated_at": now, "due_at": None}
    result = connection.execute(deliveries.update().where(_due(due_before)).values(values))
    return int(result.rowcount)


def next_due(connection: Connection) -> datetime | None:
    """When there is something to send, or to take over from a worker that was killed."""
    query = sa.select(sa.func.min(deliveries.c.due_at)).where(_owed())
    moment: datetime | None = connection.execute(query).scalar()
    return moment


def _owed() -> sa.ColumnElement[bool]:
    of_email = (deliveries.c.channel == "email") & deliveries.c.state.in_(("waiting", "sending"))
    return of_email & deliveries.c.due_at.is_not(None)


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return _owed() & (deliveries.c.due_at <= now)


def _longest_due(connection: Connection, now: datetime) -> sa.Row[Any] | None:
    return connection.execute(sa.select(deliveries).where(_due(now)).order_by(deliveries.c.due_at).limit(1)).first()


def _lock_group(connection: Connection, first: sa.Row[Any], now: datetime) -> list[sa.Row[Any]]:
    """The rows of one message, locked in one order. What was tried before stays together, so that the message that
    is sent again is the same and has the same Message-ID; it shares its moment."""
    tried = deliveries.c.due_at == first.due_at if first.attempts else sa.true()
    query = (
        sa.select(deliveries)
        .where(
            owned_by(deliveries, Scope(first.tenant_id, first.user_id)),
            deliveries.c.device == first.device,
            deliveries.c.attempts == first.attempts,
            tried,
            _due(now),
        )
        .order_by(deliveries.c.notification_id)
        .with_for_update()
    )
    return list(connection.execute(query))


def _take(connection: Connection, rows: list[sa.Row[Any]], now: datetime, until: datetime) -> Claimed:
    first = rows[0]
    scope = Scope(first.tenant_id, first.user_id)
    this = deliveries.c.notification_id == sa.bindparam("_id")
    update = deliveries.update().where(owned_by(deliveries, scope), _email(first.device), this)
    taken = {"state": "sending", "due_at": until, "updated_at": now, "attempts": first.attempts + 1}
    connection.execute(update.values(taken), [{"_id": row.notification_id} for row in rows])
    due = {row.notification_id: row.due_at for row in rows}
    return Claimed(scope, first.device, due, first.attempts + 1, until)


def _email(address: str) -> sa.ColumnElement[bool]:
    return (deliveries.c.channel == "email") & (deliveries.c.device == address)


def _update_claimed(connection: Connection, claimed: Claimed, id: str, values: dict[str, Any]) -> int:
    ours = (deliveries.c.state == "sending") & (deliveries.c.due_at == claimed.lease)
    update = deliveries.update().where(
        owned_by(deliveries, claimed.scope), _email(claimed.address), deliveries.c.notification_id == id, ours
    )
    return int(connection.execute(update.values(values)).rowcount)
