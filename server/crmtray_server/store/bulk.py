"""Many rows into a table as one statement.

PostgreSQL takes them as one JSON document: one parameter and one plan whatever their number, a third of the work of a
statement for each row. SQLite, which is no network away, is given row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect


def insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """All rows have the same columns. Texts of a JSON document may not hold U+0000, as PostgreSQL's texts may not."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(_each(table), rows)
    else:
        document = orjson.dumps(rows).decode()
        connection.execute(_all(table, tuple(rows[0]), connection.dialect), {"rows": document})


@cache
def _each(table: sa.Table) -> sa.Insert:
    return table.insert()


@cache
def _all(table: sa.Table, names: tuple[str, ...], dialect: Dialect) -> sa.TextClause:
    quote = dialect.identifier_preparer.quote
    columns = ", ".join(map(quote, names))
    types = ", ".join(f"{quote(name)} {table.c[name].type.compile(dialect)}" for name in names)
    source = f"json_to_recordset(CAST(:rows AS json)) AS item({types})"
    return sa.text(f"INSERT INTO {quote(table.name)} ({columns}) SELECT {columns} FROM {source}")
