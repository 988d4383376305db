"""Notifications and every person's numbered feed of changes to them.

Owns the one rule of the feed: a change of an item, its number and the feed's head are written in one transaction,
with the feed's row locked first. So the numbers of a feed are exactly 1..head, and whoever reads `since` n misses
nothing. A global sequence would not do: it becomes visible out of order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

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

from . import bulk
from .among import Among, Keys
from .feed_rows import change_of, to_row
from .feed_rows import from_row as from_row
from .scopes import Scope as Scope
from .scopes import of_people, owned, owner, people
from .scopes import owned_by as owned_by
from .tables import changes, deliveries, feeds, meta, notifications

ID_CHUNK = 500
"""Values in one IN list; SQLite's own limit was 999 for long."""
Key = tuple[str, str, str]
"""Tenant, user and dedupe key."""


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


class Standing(NamedTuple):
    """The store's epoch, and a feed's newest number, the last that is no longer kept, and how much is unread."""

    epoch: str
    head: int
    floor: int
    unread: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What `GET /notifications` may be narrowed to; None means no narrowing."""

    type: str | None = None
    priority: str | None = None
    unread: bool | None = None
    text: str | None = None


# --- statements ------------------------------------------------------------------------------------------------
# Of the ways that every push takes: to put one together again costs more than to run it.


def key_of(scope: Scope, dedupe_key: str) -> Key:
    return scope.tenant_id, scope.user_id, dedupe_key


def these_keys(wanted: Iterable[Key]) -> dict[str, Any]:
    """What a statement made with `with_keys` must be given."""
    return {"_keys": list(wanted)}


_LOCKED_HEADS = (  # sorted before they are locked, and so in one order everywhere
    sa.select(feeds.c.tenant_id, feeds.c.user_id, feeds.c.head)
    .where(of_people(feeds))
    .order_by(feeds.c.tenant_id, feeds.c.user_id)
    .with_for_update()
)
_HEADS = sa.select(feeds.c.tenant_id, feeds.c.user_id, feeds.c.head).where(of_people(feeds))
_MOVE_HEAD = feeds.update().where(owned(feeds)).values(head=sa.bindparam("_head"))
_KEY = (notifications.c.tenant_id, notifications.c.user_id, notifications.c.dedupe_key)
with_keys = Among(*_KEY, sa.bindparam("_keys", type_=Keys))
_KNOWN_KEYS = sa.select(*_KEY).where(with_keys)
_UNREAD = (
    notifications.c.read_at.is_(None) & notifications.c.removed_at.is_(None) & notifications.c.snoozed_until.is_(None)
)
_UNREAD_COUNT = sa.select(sa.func.count()).select_from(notifications).where(owned(notifications), _UNREAD)
_UNREAD_COUNTS = (
    sa.select(notifications.c.tenant_id, notifications.c.user_id, sa.func.count())
    .where(of_people(notifications), _UNREAD)
    .group_by(notifications.c.tenant_id, notifications.c.user_id)
)


_STANDING = (
    sa.select(
        meta.c.value,
        sa.func.coalesce(feeds.c.head, 0),
        sa.func.coalesce(feeds.c.floor, 0),
        _UNREAD_COUNT.scalar_subquery(),
    )
    .select_from(meta.outerjoin(feeds, owned(feeds)))
    .where(meta.c.key == "epoch")
)
_CHANGES = (
    sa.select(changes.c.seq.label("change_seq"), notifications)
    .select_from(changes.join(notifications, notifications.c.id == changes.c.notification_id))
    .where(owned(changes), changes.c.seq > sa.bindparam("_since"))
    .order_by(changes.c.seq)
    .limit(sa.bindparam("_limit"))
)
_KEPT = (
    sa.select(notifications)
    .where(owned(notifications), notifications.c.removed_at.is_(None))
    .order_by(notifications.c.seq)
    .limit(sa.bindparam("_limit"))
)


# --- writing ---------------------------------------------------------------------------------------------------


def add(connection: Connection, items: Iterable[NewItem], now: datetime) -> list[Committed]:
    """Stores the items that are new; those whose dedupe key the person already had are left as they are."""
    first: dict[Key, NewItem] = {}
    for item in items:
        first.setdefault(key_of(item.scope, item.dedupe_key), item)
    return _add(connection, first, now) if first else []


def _add(connection: Connection, items: dict[Key, NewItem], now: datetime) -> list[Committed]:
    """For all people together: it takes as many statements as for one."""
    scopes = sorted({item.scope for item in items.values()})
    heads_now = _lock_all(connection, scopes)
    known = _known_keys(connection, items)
    new = [item for key, item in items.items() if key not in known]
    if not new:
        return []
    rows: dict[Scope, list[dict[str, Any]]] = {}
    for item in new:
        made = rows.setdefault(item.scope, [])
        made.append(to_row(item, heads_now[item.scope] + len(made) + 1, now))
    bulk.insert(connection, notifications, [row for made in rows.values() for row in made])
    _append(connection, {scope: [(row["seq"], row["id"]) for row in made] for scope, made in rows.items()})
    _plan_emails(connection, new, {(scope, row["dedupe_key"]): row["id"] for scope in rows for row in rows[scope]}, now)
    unread = _unread_counts(connection, list(rows))
    return [Committed(scope, tuple(map(_made, rows[scope])), unread[scope]) for scope in scopes if scope in rows]


def _made(row: dict[str, Any]) -> Change:
    return Change(row["seq"], row["id"], from_row(row), new=True)


def _plan_emails(
    connection: Connection, items: Sequence[NewItem], ids: dict[tuple[Scope, str], str], now: datetime
) -> None:
    """In the transaction that stores the item: an e-mail that was promised is not forgotten."""
    planned = [
        {
            "notification_id": ids[item.scope, item.dedupe_key],
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
        for item in items
        if item.email_to is not None
    ]
    bulk.insert(connection, deliveries, planned)


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
    head = _lock_all(connection, [scope])[scope]
    rows = connection.execute(kept(scope).where(where).order_by(notifications.c.first_seq)).all()
    if not rows:
        return Committed(scope, (), unread_count(connection, scope))
    numbered = [{"_id": row.id, "_seq": head + number} for number, row in enumerate(rows, start=1)]
    by_id = notifications.update().where(notifications.c.id == sa.bindparam("_id"))
    connection.execute(by_id.values({"seq": sa.bindparam("_seq"), **values}), numbered)
    _append(connection, {scope: [(mark["_seq"], mark["_id"]) for mark in numbered]})
    made = tuple(
        change_of(dict(row._mapping) | values | {"seq": mark["_seq"]}) for row, mark in zip(rows, numbered, strict=True)
    )
    return Committed(scope, made, unread_count(connection, scope))


def _lock_all(connection: Connection, scopes: Sequence[Scope]) -> dict[Scope, int]:
    """The heads, with their rows locked until the transaction ends (SQLite has locked the file already)."""
    heads_now = _heads_of(connection.execute(_LOCKED_HEADS, people(scopes)))
    missing = [scope for scope in scopes if scope not in heads_now]
    if missing:
        _insert_feeds(connection, missing)
        heads_now |= _heads_of(connection.execute(_LOCKED_HEADS, people(missing)))
    return heads_now


def _insert_feeds(connection: Connection, scopes: Sequence[Scope]) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [{"tenant_id": scope.tenant_id, "user_id": scope.user_id, "head": 0} for scope in scopes]
    connection.execute(insert(feeds).on_conflict_do_nothing(), rows)


def _append(connection: Connection, made: dict[Scope, list[tuple[int, str]]]) -> None:
    """Numbers and items, by feed, whose rows are locked."""
    entries = [
        {"tenant_id": scope.tenant_id, "user_id": scope.user_id, "seq": seq, "notification_id": id}
        for scope, numbered in made.items()
        for seq, id in numbered
    ]
    bulk.insert(connection, changes, entries)
    connection.execute(_MOVE_HEAD, [{**owner(scope), "_head": numbered[-1][0]} for scope, numbered in made.items()])


def _known_keys(connection: Connection, wanted: Iterable[Key]) -> set[Key]:
    rows = connection.execute(_KNOWN_KEYS, these_keys(wanted))
    return {(tenant_id, user_id, key) for tenant_id, user_id, key in rows}


# --- reading ---------------------------------------------------------------------------------------------------


def changes_since(
    connection: Connection, scope: Scope, client_epoch: str | None, since: int | None, limit: int
) -> ChangesPage:
    """What came after `since`, at most `limit` entries; everything kept when the client's cursor means nothing here.

    The epoch is read with the rows: another process may have restored the store since this one learned it.
    """
    now = standing(connection, scope)
    if client_epoch != now.epoch or since is None or not now.floor <= since <= now.head:
        rows = connection.execute(_KEPT, {**owner(scope), "_limit": limit + 1})
        return _page(now, [change_of(row._mapping) for row in rows], limit, reset=True)
    if since == now.head:
        return _page(now, [], limit, reset=False)
    rows = connection.execute(_CHANGES, {**owner(scope), "_since": since, "_limit": limit + 1})
    return _page(now, [change_of(row._mapping, row.change_seq) for row in rows], limit, reset=False)


def standing(connection: Connection, scope: Scope) -> Standing:
    return Standing(*connection.execute(_STANDING, owner(scope)).one())


def _page(now: Standing, entries: list[Change], limit: int, *, reset: bool) -> ChangesPage:
    has_more = len(entries) > limit
    shown = tuple(entries[:limit])
    seq = shown[-1].seq if has_more else now.head
    return ChangesPage(now.epoch, seq, shown, has_more, reset, now.unread)


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
    return int(connection.execute(_UNREAD_COUNT, owner(scope)).scalar_one())


def _unread_counts(connection: Connection, scopes: Sequence[Scope]) -> dict[Scope, int]:
    rows = connection.execute(_UNREAD_COUNTS, people(scopes))
    counts = _heads_of(rows)
    return {scope: counts.get(scope, 0) for scope in scopes}


def cursor(connection: Connection, scope: Scope) -> int:
    return int(connection.execute(sa.select(feeds.c.head).where(owned_by(feeds, scope))).scalar() or 0)


def heads(connection: Connection, scopes: Sequence[Scope]) -> dict[Scope, int]:
    """The heads of those of these feeds that have any change."""
    return _heads_of(connection.execute(_HEADS, people(scopes)))


def _heads_of(rows: Iterable[Any]) -> dict[Scope, int]:
    return {Scope(tenant_id, user_id): int(head) for tenant_id, user_id, head in rows}


# --- rows ------------------------------------------------------------------------------------------------------


def kept(scope: Scope) -> sa.Select[Any]:
    return sa.select(notifications).where(owned_by(notifications, scope), notifications.c.removed_at.is_(None))


def _made_up_to(seq: int | None) -> sa.ColumnElement[bool]:
    return sa.true() if seq is None else notifications.c.first_seq <= seq
