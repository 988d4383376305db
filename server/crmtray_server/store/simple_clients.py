"""What clients without a cursor were sent: each item once for all such clients of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Notification

from .feed import Scope, from_row, kept, owned_by, unread_count
from .tables import feeds, notifications


@dataclass(frozen=True, slots=True)
class Unsent:
    """Items in the order they were made, the last one's number, and the feed's head and unread count with them."""

    notifications: tuple[Notification, ...]
    last: int
    head: int
    unread_count: int


def never_sent(connection: Connection, scope: Scope, after: int, limit: int) -> Unsent:
    """Items that no client without a cursor was sent, made by changes past `after`, oldest first."""
    feed = connection.execute(sa.select(feeds.c.head, feeds.c.simple_sent).where(owned_by(feeds, scope))).first()
    if feed is None:
        return Unsent((), after, 0, 0)
    newer = notifications.c.first_seq > max(after, feed.simple_sent)
    rows = connection.execute(kept(scope).where(newer).order_by(notifications.c.first_seq).limit(limit)).all()
    last = rows[-1].first_seq if rows else after
    items = tuple(from_row(row._mapping) for row in rows)
    return Unsent(items, last, int(feed.head), unread_count(connection, scope))


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
