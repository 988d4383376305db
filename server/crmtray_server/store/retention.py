"""What is too old to be kept, and how it goes: in bounded steps, so that no writer waits long for one of them.

An item goes in two stages. First it is removed through its owner's feed, like any other removal, so that every device
takes it away. Much later its row and the feed's entries about it are deleted, and the feed's floor rises: a client that
slept longer than that starts anew. Everything a feed keeps lies above its floor, because a client that starts anew in
pages goes on from the last number it was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from . import feed
from .feed import Committed, Scope, kept, owned_by
from .tables import (
    changes,
    deliveries,
    feeds,
    mirror_conversations,
    mirror_messages,
    notifications,
    operations,
    sessions,
    suppressed,
)

STEP = 100
"""Items in one transaction; not more than are pushed to sockets one by one."""
ROWS = 1000
"""Rows without an owner's feed in one transaction."""
MONTH = timedelta(days=30)
QUARTER = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Expiry:
    """Which rows of a table are too old."""

    table: sa.Table
    condition: sa.ColumnElement[bool]


# --- stage one: removed through the feed -----------------------------------------------------------------------


def owners_of_old(connection: Connection, before: datetime) -> list[Scope]:
    return _owners(connection, _old(before))


def remove_old(connection: Connection, scope: Scope, before: datetime, now: datetime) -> Committed:
    """Removes some of what came to this person before that moment; nothing that is put off until a later one."""
    query = kept(scope).with_only_columns(notifications.c.id).where(_old(before))
    ids = connection.execute(query.order_by(notifications.c.seq).limit(STEP)).scalars().all()
    return feed.remove(connection, scope, ids, now)


def _old(before: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        notifications.c.removed_at.is_(None),
        notifications.c.snoozed_until.is_(None),
        # What came back from a snooze came then.
        sa.func.coalesce(notifications.c.woken_at, notifications.c.created_at) < before,
    )


# --- stage two: deleted for good -------------------------------------------------------------------------------


def owners_of_removed(connection: Connection, before: datetime) -> list[Scope]:
    return _owners(connection, notifications.c.removed_at < before)


def forget_removed(connection: Connection, scope: Scope, before: datetime) -> tuple[int, Committed]:
    """Deletes some of what was removed before that moment; how many rows, and what else got new numbers for it."""
    gone = sa.select(notifications.c.id, notifications.c.seq).where(
        owned_by(notifications, scope), notifications.c.removed_at < before
    )
    rows = connection.execute(gone.order_by(notifications.c.seq).limit(STEP)).all()
    if not rows:
        return 0, Committed(scope, (), 0)
    floor = rows[-1].seq
    below = kept(scope).with_only_columns(notifications.c.id).where(notifications.c.seq <= floor)
    moved = feed.renumber(connection, scope, connection.execute(below).scalars().all())
    deleted = connection.execute(notifications.delete().where(notifications.c.id.in_([row.id for row in rows])))
    connection.execute(changes.delete().where(owned_by(changes, scope), changes.c.seq <= floor))
    connection.execute(feeds.update().where(owned_by(feeds, scope), feeds.c.floor < floor).values(floor=floor))
    return deleted.rowcount, moved


def _owners(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Scope]:
    query = sa.select(notifications.c.tenant_id, notifications.c.user_id).where(condition).distinct()
    return sorted(Scope(*row) for row in connection.execute(query))


# --- what is in no feed ----------------------------------------------------------------------------------------


def expiries(now: datetime, retention: timedelta) -> Iterator[Expiry]:
    """Episodes are not among them: as long as one is open, what it is about must not alert again."""
    old, month_ago = now - retention, now - MONTH
    # A client may send an operation again for a month; see the outbox.
    yield Expiry(operations, operations.c.created_at < min(old, month_ago))
    yield Expiry(sessions, (sessions.c.expires_at < month_ago) | (sessions.c.revoked_at < month_ago))
    yield Expiry(deliveries, deliveries.c.updated_at < old)
    yield Expiry(suppressed, suppressed.c.created_at < old)
    yield Expiry(mirror_messages, mirror_messages.c.created_at < month_ago)
    closed = mirror_conversations.c.status != "active"
    yield Expiry(mirror_conversations, closed & (mirror_conversations.c.changed_at < now - QUARTER))


def delete_some(connection: Connection, expiry: Expiry) -> int:
    keys: Sequence[sa.Column[Any]] = list(expiry.table.primary_key.columns)
    some = sa.select(*keys).where(expiry.condition).limit(ROWS)
    these = sa.tuple_(*keys).in_(some) if len(keys) > 1 else keys[0].in_(some)
    return connection.execute(expiry.table.delete().where(these)).rowcount
