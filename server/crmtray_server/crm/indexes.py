"""The indexes that make reading a big CRM cheap, and whether the CRM has such ones.

Owns their shapes, for the reference tables; packaging/crm has the same as scripts for the CRM's owner. An index counts
by what it is of, not by its name. Reads the database's catalogue only; never makes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from .reference import Dialect

State = Literal["missing", "invalid"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """`where`: of which rows; `needs`: the part of it without which the index would not be small."""

    name: str
    table: str
    columns: tuple[str, ...]
    include: tuple[str, ...] = ()
    where: str = ""
    needs: str = ""

    def sql(self, dialect: Dialect) -> str:
        """What the CRM's owner runs."""
        postgresql = dialect == "postgresql"
        return " ".join(
            [
                f"CREATE INDEX {'CONCURRENTLY ' if postgresql else ''}IF NOT EXISTS {self.name}",
                f"ON {self.table} ({', '.join(self.columns)})",
                *([f"INCLUDE ({', '.join(self.include)})"] if self.include and postgresql else ()),
                *([f"WHERE {self.where}"] if self.where else ()),
            ]
        )


WANTED: Final = (
    Wanted(
        "conversations_waiting",
        "conversations",
        ("last_message_time",),
        ("id", "tenant_id", "assigned_seller_id"),
        "status = 'active' AND last_message_from_customer AND assigned_seller_id IS NOT NULL",
        "last_message_from_customer",
    ),
    Wanted("conversations_recent", "conversations", ("last_message_time",), ("lead_id",)),
    Wanted("conversations_by_lead", "conversations", ("lead_id", "last_message_time")),
    Wanted(
        "leads_planned",
        "leads",
        ("next_follow_up",),
        ("id", "tenant_id", "assigned_seller_id"),
        "next_follow_up IS NOT NULL AND status IN ('interested', 'negotiation') AND assigned_seller_id IS NOT NULL",
    ),
    Wanted("messages_by_conversation", "messages", ("conversation_id", "created_at")),
    Wanted("messages_by_time", "messages", ("created_at",)),
)


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    columns: tuple[str, ...]
    where: str
    valid: bool


def lacking(engine: Engine) -> list[tuple[Wanted, State, str]]:
    """Those that the CRM does not have, or has in a state of no use; with that one's name. A table may be away."""
    with engine.connect() as connection:
        return list(_lacking(connection))


def _lacking(connection: Connection) -> Iterator[tuple[Wanted, State, str]]:
    read = _of_sqlite if connection.dialect.name == "sqlite" else _of_postgresql
    for wanted in WANTED:
        fitting = [index for index in read(connection, wanted.table) if _fits(index, wanted)]
        if not fitting:
            yield wanted, "missing", ""
        elif not any(index.valid for index in fitting):
            yield wanted, "invalid", fitting[0].name


def _fits(index: _Index, wanted: Wanted) -> bool:
    """It begins with these columns and has at least the wanted rows: what it demands of them, the question does too."""
    demanded, asked = _terms(index.where), _terms(wanted.where)
    begins = index.columns[: len(wanted.columns)] == wanted.columns
    return begins and demanded <= asked and _terms(wanted.needs) <= demanded


def _terms(where: str) -> frozenset[str]:
    """The terms of a condition, however a database writes them."""
    text = re.sub(r"::(text|character varying|varchar|bpchar)(\(\d+\))?(\[\])?", "", where.lower())
    text = re.sub(r"[()\[\]\"]", " ", text)
    text = re.sub(r"= any\s+array", "in", text)
    text = re.sub(r"\s*=\s*(true|1)\b", "", text)
    text = re.sub(r"\s*([=,])\s*", r"\1", re.sub(r"\s+", " ", text))
    return frozenset(filter(None, (term.strip() for term in text.split(" and "))))


def _of_postgresql(connection: Connection, table: str) -> list[_Index]:
    rows = connection.execute(_POSTGRESQL, {"table": table})
    return [_Index(row.name, tuple(row.keys), row.predicate or "", row.valid) for row in rows]


_POSTGRESQL: Final = sa.text("""
SELECT made.relname AS name, pg_index.indisvalid AND pg_index.indisready AS valid,
       pg_get_expr(pg_index.indpred, pg_index.indrelid) AS predicate,
       ARRAY(SELECT pg_get_indexdef(pg_index.indexrelid, place, true)
             FROM generate_series(1, pg_index.indnkeyatts) AS place ORDER BY place) AS keys
FROM pg_index JOIN pg_class AS made ON made.oid = pg_index.indexrelid JOIN pg_am ON pg_am.oid = made.relam
WHERE pg_index.indrelid = to_regclass(:table) AND pg_am.amname = 'btree'
ORDER BY made.relname
""")


def _of_sqlite(connection: Connection, table: str) -> list[_Index]:
    made = connection.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table"), {"table": table}
    ).all()
    return [_Index(name, _keys(connection, name), _where(sql or ""), True) for name, sql in made]


def _keys(connection: Connection, index: str) -> tuple[str, ...]:
    rows = connection.execute(sa.text("SELECT name FROM pragma_index_info(:index) ORDER BY seqno"), {"index": index})
    return tuple(str(name).lower() for name in rows.scalars())


def _where(sql: str) -> str:
    found = re.search(r"\)\s*where\s+(.*)", sql, re.IGNORECASE | re.DOTALL)
    return found[1] if found else ""
