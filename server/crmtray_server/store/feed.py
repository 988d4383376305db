"""Notifications and every person's numbered feed of changes to them.

Owns the one rule of the feed: a change of an item, its number and the feed's head are written in one transaction,
with the feed's row locked first. So the numbers of a feed are exactly 1..head, and whoever reads `since` n misses
nothing. A global sequence would not do: it becomes visible out of order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crmtray.protocol import (
    Change,
    ChangesPage,
    Json,
    Notification,
    NotificationAction,
    Priority,
)

from .feed_rows import change_of, to_row
from .feed_rows import from_row as from_row
from .tables import changes, deliveries, feeds, meta, notifications

ID_CHUNK = 500
"""Values in one IN list; SQLite's own limit was 999 for long."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Whose rows: every query of this module takes one, so that none can forget the tenant or the user."""

    tenant_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class NewItem:
    """A notification to be: once per `dedupe_key` and scope."""

    scope: Scope
    dedupe_key: str
    type: str
    title: str
    message: str
    data: Json
    priority: Priority
    audience: str | None = None
    actions: tuple[NotificationAction, ...] = ()
    silent: bool = False
    reason: str | None = None
    email_to: str | None = None
    """Where an e-mail goes when the item is still unread at `email_at`."""
    email_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """Changes of one feed, contiguous in `seq`, and what the feed's owner has unread after them."""

    scope: Scope
    changes: tuple[Change, ...]
    unread_count: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What `GET /notifications` may be narrowed to; None means no narrowing."""

    type: str | None = None
    priority: str | None = None
    unread: bool | None = None
    text: str | None = None


# --- statements ------------------------------------------------------------------------------------------------
# Of the ways that every push takes: to put one together again costs more than to run it.


def _owned(table: sa.Table) -> sa.ColumnElement[bool]:
    return (table.c.tenant_id == sa.bindparam("_tenant")) & (table.c.user_id == sa.bindparam("_user"))


def _owner(scope: Scope) -> dict[str, Any]:
    """What a statement made with `_owned` must be given."""
    return {"_tenant": scope.tenant_id, "_user": scope.user_id}


_LOCKED_HEAD = sa.select(feeds.c.head).where(_owned(feeds)).with_for_update()
_MOVE_HEAD = feeds.update().where(_owned(feeds)).values(head=sa.bindparam("_head"))
_NEW_CHANGES, _NEW_NOTIFICATIONS = changes.insert(), notifications.insert()
_KNOWN_KEYS = sa.select(notifications.c.dedupe_key).where(
    _owned(notifications), notifications.c.dedupe_key.in_(sa.bindparam("_keys", expanding=True))
)
_UNREAD_COUNT = (
    sa.select(sa.func.count())
    .select_from(notifications)
    .where(
        _owned(notifications),
        notifications.c.read_at.is_(None),
        notifications.c.removed_at.is_(None),
        notifications.c.snoozed_until.is_(None),
    )
)


# --- writing ---------------------------------------------------------------------------------------------------


def add(connection: Connection, items: Iterable[NewItem], now: datetime) -> list[Committed]:
    """Stores the items that are new; those whose dedupe key the person already had are left as they are."""
    by_scope: dict[Scope, dict[str, NewItem]] = {}
    for item in items:
        by_scope.setdefault(item.scope, {}).setdefault(item.dedupe_key, item)
    # In one order everywhere, so that two nodes never wait for each other's feeds crosswise.
    committed = [_add_to(connection, scope, by_scope[scope], now) for scope in sorted(by_scope)]
    return [entry for entry in committed if entry.changes]


def _add_to(connection: Connection, scope: Scope, items: dict[str, NewItem], now: datetime) -> Committed:
    head = _lock(connection, scope)
    known = _known_keys(connection, scope, list(items))
    new = [item for key, item in items.items() if key not in known]
    rows = [to_row(item, head + number, now) for number, item in enumerate(new, start=1)]
    if rows:
        connection.execute(_NEW_NOTIFICATIONS, rows)
        _append(connection, scope, head, [row["id"] for row in rows])
        _plan_emails(connection, new, rows, now)
    made = tuple(Change(row["seq"], row["id"], from_row(row), new=True) for row in rows)
    return Committed(scope, made, unread_count(connection, scope) if made else 0)


def _plan_emails(connection: Connection, items: list[NewItem], rows: list[dict[str, Any]], now: datetime) -> None:
    """In the transaction that stores the item: an e-mail that was promised is not forgotten."""
    planned = [
        {
            "notification_id": row["id"],
            "channel": "email",
            "device": item.email_to,
            "tenant_id": item.scope.tenant_id,
            "user_id": item.scope.user_id,
            "state": "waiting",
            "created_at": now,
            "updated_at": now,
            "attempts": 0,
            "due_at": item.email_at or now,
        }
        for item, row in zip(items, rows, strict=True)
        if item.email_to is not None
    ]
    if planned:
        connection.execute(deliveries.insert(), planned)


def mark_read(connection: Connection, scope: Scope, ids: Iterable[str], now: datetime) -> Committed:
    """Ids of nobody, of others, or already read make no change."""
    unread = notifications.c.read_at.is_(None)
    return update_ids(connection, scope, ids, unread, {"read_at": now, "snoozed_until": None})


def mark_all_read(connection: Connection, scope: Scope, now: datetime, up_to: int | None = None) -> Committed:
    """`up_to`: only items made by changes up to that number, so that a late order spares what came after it."""
    where = notifications.c.read_at.is_(None) & notifications.c.snoozed_until.is_(None) & _made_up_to(up_to)
    return _update(connection, scope, where, {"read_at": now})


def mark_unread(connection: Connection, scope: Scope, ids: Iterable[str]) -> Committed:
    return update_ids(connection, scope, ids, notifications.c.read_at.is_not(None), {"read_at": None})


def remove(connection: Connection, scope: Scope, ids: Iterable[str], now: datetime) -> Committed:
    return update_ids(connection, scope, ids, sa.true(), {"removed_at": now})


def clear(connection: Connection, scope: Scope, now: datetime, up_to: int | None = None) -> Committed:
    return _update(connection, scope, _made_up_to(up_to), {"removed_at": now})


def renumber(connection: Connection, scope: Scope, ids: Iterable[str]) -> Committed:
    """A change that changes nothing but the items' numbers: what a feed keeps lies above its floor."""
    return update_ids(connection, scope, ids, sa.true(), {})


def update_ids(
    connection: Connection,
    scope: Scope,
    ids: Iterable[str],
    where: sa.ColumnElement[bool],
    values: dict[str, Any],
) -> Committed:
    wanted = list(dict.fromkeys(ids))
    return _update(connection, scope, where & notifications.c.id.in_(wanted), values)


def _update(connection: Connection, scope: Scope, where: sa.ColumnElement[bool], values: dict[str, Any]) -> Committed:
    head = _lock(connection, scope)
    rows = connection.execute(kept(scope).where(where).order_by(notifications.c.first_seq)).all()
    if not rows:
        return Committed(scope, (), unread_count(connection, scope))
    numbered = [{"_id": row.id, "_seq": head + number} for number, row in enumerate(rows, start=1)]
    by_id = notifications.update().where(notifications.c.id == sa.bindparam("_id"))
    connection.execute(by_id.values({"seq": sa.bindparam("_seq"), **values}), numbered)
    _append(connection, scope, head, [row.id for row in rows])
    made = tuple(
        change_of(dict(row._mapping) | values | {"seq": mark["_seq"]}) for row, mark in zip(rows, numbered, strict=True)
    )
    return Committed(scope, made, unread_count(connection, scope))


def _lock(connection: Connection, scope: Scope) -> int:
    """The feed's head, with its row locked until the transaction ends (SQLite has locked the file already)."""
    head = connection.execute(_LOCKED_HEAD, _owner(scope)).scalar()
    if head is None:
        _insert_feed(connection, scope)
        head = connection.execute(_LOCKED_HEAD, _owner(scope)).scalar_one()
    return int(head)


def _insert_feed(connection: Connection, scope: Scope) -> None:
    row = {"tenant_id": scope.tenant_id, "user_id": scope.user_id, "head": 0}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(insert(feeds).values(row).on_conflict_do_nothing())


def _append(connection: Connection, scope: Scope, head: int, ids: Sequence[str]) -> None:
    entries = [
        {"tenant_id": scope.tenant_id, "user_id": scope.user_id, "seq": head + number, "notification_id": id}
        for number, id in enumerate(ids, start=1)
    ]
    connection.execute(_NEW_CHANGES, entries)
    connection.execute(_MOVE_HEAD, {**_owner(scope), "_head": head + len(ids)})


def _known_keys(connection: Connection, scope: Scope, keys: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(keys), ID_CHUNK):
        part = {**_owner(scope), "_keys": keys[start : start + ID_CHUNK]}
        known.update(connection.execute(_KNOWN_KEYS, part).scalars())
    return known


# --- reading ---------------------------------------------------------------------------------------------------


def changes_since(
    connection: Connection, scope: Scope, client_epoch: str | None, since: int | None, limit: int
) -> ChangesPage:
    """What came after `since`, at most `limit` entries; everything kept when the client's cursor means nothing here.

    The epoch is read with the rows: another process may have restored the store since this one learned it.
    """
    epoch, head, floor = position(connection, scope)
    unread = unread_count(connection, scope)
    if client_epoch != epoch or since is None or not floor <= since <= head:
        rows = connection.execute(kept(scope).order_by(notifications.c.seq).limit(limit + 1)).all()
        entries = [change_of(row._mapping) for row in rows]
        return _page(epoch, head, entries, limit, reset=True, unread=unread)
    joined = changes.join(notifications, notifications.c.id == changes.c.notification_id)
    query = (
        sa.select(changes.c.seq.label("change_seq"), notifications)
        .select_from(joined)
        .where(owned_by(changes, scope), changes.c.seq > since)
        .order_by(changes.c.seq)
        .limit(limit + 1)
    )
    entries = [change_of(row._mapping, row.change_seq) for row in connection.execute(query)]
    return _page(epoch, head, entries, limit, reset=False, unread=unread)


def position(connection: Connection, scope: Scope) -> tuple[str, int, int]:
    """The store's epoch, the feed's head and its floor."""
    joined = meta.outerjoin(feeds, owned_by(feeds, scope))
    query = sa.select(meta.c.value, feeds.c.head, feeds.c.floor).select_from(joined).where(meta.c.key == "epoch")
    row = connection.execute(query).one()
    return str(row.value), int(row.head or 0), int(row.floor or 0)


def _page(epoch: str, head: int, entries: list[Change], limit: int, *, reset: bool, unread: int) -> ChangesPage:
    has_more = len(entries) > limit
    shown = tuple(entries[:limit])
    seq = shown[-1].seq if has_more else head
    return ChangesPage(epoch, seq, shown, has_more, reset, unread)


def search(
    connection: Connection, scope: Scope, wanted: Filter, limit: int, offset: int
) -> tuple[list[Notification], int]:
    """A page, newest first, and how many there are in all."""
    query = _filtered(kept(scope), wanted)
    total = connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    newest = query.order_by(notifications.c.created_at.desc(), notifications.c.first_seq.desc())
    rows = connection.execute(newest.limit(limit).offset(offset)).all()
    return [from_row(row._mapping) for row in rows], int(total)


def _filtered(query: sa.Select[Any], wanted: Filter) -> sa.Select[Any]:
    if wanted.type is not None:
        query = query.where(notifications.c.type == wanted.type)
    if wanted.priority is not None:
        query = query.where(notifications.c.priority == wanted.priority)
    if wanted.unread is not None:
        unread = notifications.c.read_at.is_(None) & notifications.c.snoozed_until.is_(None)
        query = query.where(unread if wanted.unread else ~unread)
    if wanted.text:
        found = [c.icontains(wanted.text, autoescape=True) for c in (notifications.c.title, notifications.c.message)]
        query = query.where(sa.or_(*found))
    return query


def get(connection: Connection, scope: Scope, id: str) -> Notification | None:
    row = connection.execute(kept(scope).where(notifications.c.id == id)).first()
    return None if row is None else from_row(row._mapping)


def unread_count(connection: Connection, scope: Scope) -> int:
    """Unread items that are neither removed nor snoozed."""
    return int(connection.execute(_UNREAD_COUNT, _owner(scope)).scalar_one())


def cursor(connection: Connection, scope: Scope) -> int:
    return int(connection.execute(sa.select(feeds.c.head).where(owned_by(feeds, scope))).scalar() or 0)


def heads(connection: Connection, scopes: Sequence[Scope]) -> dict[Scope, int]:
    """The heads of those of these feeds that have any change."""
    found: dict[Scope, int] = {}
    for start in range(0, len(scopes), ID_CHUNK):
        pairs = [(scope.tenant_id, scope.user_id) for scope in scopes[start : start + ID_CHUNK]]
        query = sa.select(feeds.c.tenant_id, feeds.c.user_id, feeds.c.head).where(
            sa.tuple_(feeds.c.tenant_id, feeds.c.user_id).in_(pairs)
        )
        found.update({Scope(row.tenant_id, row.user_id): int(row.head) for row in connection.execute(query)})
    return found


# --- rows ------------------------------------------------------------------------------------------------------


def owned_by(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    return (table.c.tenant_id == scope.tenant_id) & (table.c.user_id == scope.user_id)


def kept(scope: Scope) -> sa.Select[Any]:
    return sa.select(notifications).where(owned_by(notifications, scope), notifications.c.removed_at.is_(None))


def _made_up_to(seq: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if seq is None else notifications.c.first_seq <= seq
