"""What clients without a cursor were sent: each item once for all such clients of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Notification

from .feed import Scope, from_row, kept, owned_by, standing
from .tables import feeds, notifications


@dataclass(frozen=True, slots=True)
class Unsent:
    """Items in the order they were made, the last one's number, and the store's epoch, the feed's head and unread count
    with them."""

    notifications: tuple[Notification, ...]
    last: int
    head: int
    unread_count: int
    epoch: str


def never_sent(connection: Connection, scope: Scope, after: int, limit: int) -> Unsent:
    """Items that no client without a cursor was sent, made by changes past `after`, oldest first."""
    now = standing(connection, scope)
    sent = connection.execute(sa.select(feeds.c.simple_sent).where(owned_by(feeds, scope))).scalar() or 0
    newer = notifications.c.first_seq > max(after, sent)
    rows = connection.execute(kept(scope).where(newer).order_by(notifications.c.first_seq).limit(limit)).all()
    last = rows[-1].first_seq if rows else after
    items = tuple(from_row(row._mapping) for row in rows)
    return Unsent(items, last, now.head, now.unread, now.epoch)


def mark_sent(connection: Connection, scope: Scope, ids: Sequence[str]) -> None:
    """These, and all made before them, were sent to a client without a cursor."""
    newest = (
        sa.select(sa.func.max(notifications.c.first_seq))
        .where(owned_by(notifications, scope), notifications.c.id.in_(ids))
        .scalar_subquery()
    )
    connection.execute(
        feeds.update().where(owned_by(feeds, scope), feeds.c.simple_sent < newest).values(simple_sent=newest)
    )
