"""What a CRM has pushed: its conversations, leads and messages, in the shape of the reference tables.

Owns how pushes become rows, whatever their order and however often they come: each column keeps what the newest event
said of it, and a message is stored once by its id. Functions on a Connection. Knows nothing of alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from crmtray.protocol import format_time, parse_time

from .database import StoreUnavailable
from .tables import mirror_conversations, mirror_leads, mirror_messages

T = TypeVar("T")
Ref = tuple[str, str]
"""Tenant and id."""

CHUNK: Final = 500
"""Values in one IN list, rows in one statement."""
LAST_MESSAGE: Final = ("last_message_time", "last_message_from_customer")


@dataclass(frozen=True, slots=True)
class Said:
    """What one event says of a conversation or a lead: these columns have these values since `at`."""

    id: str
    values: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    conversation_id: str
    from_customer: bool
    body: str
    created_at: datetime
    at: datetime
    """When the event occurred that told of it."""


@dataclass(slots=True)
class Pushed:
    """Events of one tenant, taken apart, in the order in which they were given."""

    tenant_id: str
    conversations: list[Said] = field(default_factory=list)
    leads: list[Said] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """A row of the mirror; only the columns that an event has told of, each with the moment since when it is so."""

    values: Mapping[str, Any]
    since: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Recent:
    """What was pushed lately, of all tenants."""

    conversations: Mapping[Ref, Known] = field(default_factory=dict)
    leads: Mapping[Ref, Known] = field(default_factory=dict)
    messages: Sequence[tuple[str, Message]] = ()
    """With their tenants, oldest first."""


_HOLDS = sa.select(
    sa.or_(
        *(
            sa.exists(sa.select(table.c.id).where(table.c.tenant_id == sa.bindparam("_tenant")))
            for table in (mirror_conversations, mirror_leads)
        )
    )
)


# --- writing ---------------------------------------------------------------------------------------------------


def save(connection: Connection, pushed: Pushed) -> None:
    """Safe to repeat, and the same whatever the order in which events arrive."""
    _add_messages(connection, pushed.tenant_id, pushed.messages)
    _merge(connection, mirror_conversations, pushed.tenant_id, [*pushed.conversations, *_heard(pushed.messages)])
    _merge(connection, mirror_leads, pushed.tenant_id, pushed.leads)


def forget(connection: Connection, before: datetime) -> None:
    """Removes what no event since then has told of."""
    for table in (mirror_messages, mirror_conversations, mirror_leads):
        connection.execute(table.delete().where(table.c.changed_at < before))


def _heard(messages: Iterable[Message]) -> Iterator[Said]:
    """A message is also the news that its conversation has a last one."""
    for message in messages:
        values = {"last_message_time": message.created_at, "last_message_from_customer": message.from_customer}
        yield Said(message.conversation_id, values, message.at)


def _add_messages(connection: Connection, tenant_id: str, messages: Sequence[Message]) -> None:
    once = {message.id: message for message in reversed(messages)}
    rows = [
        {
            "tenant_id": tenant_id,
            "id": message.id,
            "conversation_id": message.conversation_id,
            "from_customer": message.from_customer,
            "body": message.body,
            "created_at": message.created_at,
            "changed_at": message.at,
        }
        for message in once.values()
    ]
    for chunk in _chunks(sorted(rows, key=lambda row: str(row["id"]))):
        connection.execute(_insert(connection, mirror_messages), chunk)


def _merge(connection: Connection, table: sa.Table, tenant_id: str, said: Sequence[Said]) -> None:
    news: dict[str, list[Said]] = {}
    for one in said:
        news.setdefault(one.id, []).append(one)
    # In one order everywhere, so that two nodes never wait for each other's rows crosswise.
    for ids in _chunks(sorted(news)):
        rows = _locked(connection, table, tenant_id, {id: news[id][0].at for id in ids})
        merged = [_merged(dict(row._mapping), news[row.id]) for row in rows]
        connection.execute(_update(table), merged)


def _locked(connection: Connection, table: sa.Table, tenant_id: str, ids: Mapping[str, datetime]) -> Sequence[Any]:
    """These rows, made where there were none, nobody else's to change until the transaction ends."""
    blank = [{"tenant_id": tenant_id, "id": id, "said": {}, "changed_at": at} for id, at in ids.items()]
    connection.execute(_insert(connection, table), blank)
    these = (table.c.tenant_id == tenant_id) & table.c.id.in_(list(ids))
    return connection.execute(sa.select(table).where(these).order_by(table.c.id).with_for_update()).all()


def _merged(row: dict[str, Any], news: Iterable[Said]) -> dict[str, Any]:
    said = dict(row["said"])
    for one in news:
        for column, value in one.values.items():
            at = format_time(_clock(one, column))
            # Of two at the same moment the one that came last counts: a CRM's clock may know seconds only.
            if column not in said or parse_time(at) >= parse_time(said[column]):
                row[column], said[column] = value, at
        row["changed_at"] = max(row["changed_at"], one.at)
    return {f"_{name}": value for name, value in (row | {"said": said}).items()}


def _clock(said: Said, column: str) -> datetime:
    """Since when it is so. A last message is the last one by its own time, not by when an event mentioned it."""
    last: datetime | None = said.values.get("last_message_time")
    return last if column in LAST_MESSAGE and last is not None else said.at


def _update(table: sa.Table) -> sa.Update:
    values: dict[str, Any] = {
        column.name: sa.bindparam(f"_{column.name}") for column in table.c if not column.primary_key
    }
    these = (table.c.tenant_id == sa.bindparam("_tenant_id")) & (table.c.id == sa.bindparam("_id"))
    return table.update().where(these).values(values)


def _insert(connection: Connection, table: sa.Table) -> sa.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


# --- reading ---------------------------------------------------------------------------------------------------


def holds(connection: Connection, tenant_id: str) -> bool:
    """Whether this tenant's CRM has pushed anything that is kept."""
    return bool(connection.execute(_HOLDS, {"_tenant": tenant_id}).scalar())


def tenants(connection: Connection) -> list[str]:
    """All that have pushed."""
    query = sa.union(*(sa.select(table.c.tenant_id) for table in (mirror_conversations, mirror_leads)))
    return sorted(connection.execute(query).scalars())


def recent(connection: Connection, since: datetime) -> Recent:
    """What events that occurred since then have told."""
    messages = sa.select(mirror_messages).where(mirror_messages.c.changed_at >= since)
    rows = connection.execute(messages.order_by(mirror_messages.c.created_at, mirror_messages.c.id)).all()
    return Recent(
        conversations=_known(connection, mirror_conversations, since),
        leads=_known(connection, mirror_leads, since),
        messages=[
            (
                row.tenant_id,
                Message(row.id, row.conversation_id, row.from_customer, row.body, row.created_at, row.changed_at),
            )
            for row in rows
        ],
    )


def ask(engine: Engine, function: Callable[..., T], *args: Any) -> T:
    """`function(connection, *args)` from a thread that is not the store's. Blocking. Raises StoreUnavailable."""
    try:
        with engine.connect() as connection, connection.begin():
            return function(connection, *args)
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise StoreUnavailable(reason(error)) from error


def reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _known(connection: Connection, table: sa.Table, since: datetime) -> dict[Ref, Known]:
    found: dict[Ref, Known] = {}
    for row in connection.execute(sa.select(table).where(table.c.changed_at >= since)):
        moments = {column: parse_time(at) for column, at in row.said.items()}
        # A last message may have been written long before an event told of it.
        known = {column: at for column, at in moments.items() if at >= since or column in LAST_MESSAGE}
        found[row.tenant_id, row.id] = Known({column: row._mapping[column] for column in known}, known)
    return found


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
