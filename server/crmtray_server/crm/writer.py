"""What an action changes in the CRM, by SQL on the reference tables.

Owns the few updates we make in a database that belongs to others: one row by its id, only named columns, always
within the tenant, and for a seller only what is assigned to him. Each can be repeated without further effect, so
that an action whose answer was lost may be sent again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from crmtray.protocol import parse_time

from . import engine as database
from .orders import CrmUnavailable, Order, TargetGone
from .rows import parse_moment

__all__ = ["Actor", "CrmUnavailable", "CrmWriter", "TargetGone"]

CHANGED = {
    "conversations": ("id", "tenant_id", "assigned_seller_id"),
    "leads": ("id", "tenant_id", "assigned_seller_id", "next_follow_up", "last_contacted_at"),
}
"""What is read to find a row, and what is written into it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts; `owner` is set for those who may only touch what is assigned to them."""

    tenant_id: str
    owner: str | None


class CrmWriter:
    """`apply` is what actions call; the methods for each change block."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tables: dict[str, sa.Table] = {}

    async def apply(self, order: Order) -> None:
        await asyncio.to_thread(self._apply, order)

    def _apply(self, order: Order) -> None:
        actor, params = Actor(order.user.tenant_id, order.owner), order.params
        match order.action:
            case "reassign":
                self.reassign_conversation(actor, str(order.target["conversation_id"]), params["seller_id"])
            case "assign_lead":
                self.assign_lead(actor, str(order.target["lead_id"]), params["seller_id"])
            case "schedule_call" | "reschedule":
                self.set_follow_up(actor, str(order.target["lead_id"]), parse_time(params["at"]))
            case "mark_contacted":
                planned = params["follow_up"]
                about = None if planned is None else parse_time(planned)
                self.mark_contacted(actor, str(order.target["lead_id"]), order.at, about)
            case _:
                raise ValueError(f"no change of the CRM belongs to {order.action!r}")

    def reassign_conversation(self, actor: Actor, conversation_id: str, seller_id: str) -> None:
        self._hand_on("conversations", actor, conversation_id, seller_id)

    def assign_lead(self, actor: Actor, lead_id: str, seller_id: str) -> None:
        self._hand_on("leads", actor, lead_id, seller_id)

    def set_follow_up(self, actor: Actor, lead_id: str, at: datetime) -> None:
        with self._change("leads") as (connection, leads):
            _update(connection, leads, _row(leads, actor, lead_id), {"next_follow_up": at})

    def mark_contacted(self, actor: Actor, lead_id: str, now: datetime, follow_up: datetime | None) -> None:
        """Notes the contact; ends the follow-up it was about, but not another one that was set meanwhile."""
        with self._change("leads") as (connection, leads):
            row = _row(leads, actor, lead_id)
            _update(connection, leads, row, {"last_contacted_at": now})
            if follow_up is not None and _is_planned_for(connection, leads, row, follow_up):
                _update(connection, leads, row, {"next_follow_up": None})

    def missing_columns(self) -> list[str]:
        """Those of the columns above that this CRM does not have, as `table.column`. Raises SQLAlchemyError."""
        found = sa.inspect(self._engine)
        missing = []
        for table, columns in CHANGED.items():
            has = {column["name"] for column in found.get_columns(table)} if found.has_table(table) else set()
            missing += [f"{table}.{column}" for column in columns if column not in has]
        return missing

    def _hand_on(self, table: str, actor: Actor, id: str, seller_id: str) -> None:
        with self._change(table) as (connection, rows):
            # Handing a row on makes it another's: the same order once more must still find it.
            row = _row(rows, actor, id, also=seller_id)
            _update(connection, rows, row, {"assigned_seller_id": seller_id})

    @contextmanager
    def _change(self, name: str) -> Iterator[tuple[Connection, sa.Table]]:
        """A transaction and the table as the CRM has it: its ids may be numbers, UUIDs or text."""
        try:
            if name not in self._tables:
                self._tables[name] = sa.Table(name, sa.MetaData(), autoload_with=self._engine, resolve_fks=False)
            with database.write(self._engine) as connection:
                database.be_brief(connection)
                yield connection, self._tables[name]
        except KeyError as error:
            raise CrmUnavailable(f"The CRM's table {name} has no column {error}.") from error
        except sa.exc.NoSuchTableError as error:
            raise CrmUnavailable(f"The CRM has no table {error}.") from error
        except sa.exc.SQLAlchemyError as error:
            raise CrmUnavailable(str(getattr(error, "orig", error)).strip().splitlines()[0]) from error


def _row(table: sa.Table, actor: Actor, id: str, also: str | None = None) -> sa.ColumnElement[bool]:
    row = _equals(table.c["id"], id) & _equals(table.c["tenant_id"], actor.tenant_id)
    if actor.owner is None:
        return row
    owners = [owner for owner in (actor.owner, also) if owner is not None]
    return row & sa.or_(*[_equals(table.c["assigned_seller_id"], owner) for owner in owners])


def _update(connection: Connection, table: sa.Table, row: sa.ColumnElement[bool], values: Mapping[str, Any]) -> None:
    changed = {name: _value(table.c[name], value) for name, value in values.items()}
    if connection.execute(table.update().where(row).values(changed)).rowcount == 0:
        raise TargetGone


def _is_planned_for(connection: Connection, leads: sa.Table, row: sa.ColumnElement[bool], moment: datetime) -> bool:
    """Compared as moments, to the second: SQLite keeps times as text of whatever form the CRM writes."""
    column = leads.c["next_follow_up"]
    raw = sa.type_coerce(column, sa.String()) if connection.dialect.name == "sqlite" else column
    planned = connection.execute(sa.select(raw).where(row)).scalar()
    try:
        return planned is not None and abs(parse_moment(planned) - moment) < timedelta(seconds=1)
    except ValueError:
        return False


def _equals(column: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[bool]:
    try:
        wanted = _value(column, value)
    except ValueError:
        return sa.false()
    return column.op("=", is_comparison=True)(wanted)


def _value(column: sa.ColumnElement[Any], value: Any) -> Any:
    """A value in the column's own type. Raises ValueError when it cannot be one."""
    if isinstance(value, datetime):
        return _time(column, value)
    if value is None:
        return None
    if isinstance(column.type, sa.Integer):
        return int(value)
    if isinstance(column.type, sa.Uuid):
        return uuid.UUID(value)
    return value


def _time(column: sa.ColumnElement[Any], moment: datetime) -> Any:
    moment = moment.astimezone(UTC)
    if not isinstance(column.type, sa.DateTime):
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    return moment if column.type.timezone else moment.replace(tzinfo=None)
