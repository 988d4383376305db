"""Writes a sample CRM's rows by the thousand: COPY on PostgreSQL, and indexes when the rows are there.

Owns how, and knows nothing of what the rows say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateTable

from . import schema


def create_tables(connection: Connection) -> None:
    """Those that are not there yet."""
    for table in schema.metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))


def create_indexes(connection: Connection) -> None:
    for table in schema.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection, checkfirst=True)
    if connection.dialect.name == "postgresql":
        for table in schema.metadata.sorted_tables:
            connection.exec_driver_sql(f"ANALYZE {table.name}")  # else the first readings are planned for empty tables


def insert(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows that all have the same columns."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(table.insert(), list(rows))
        return
    columns = list(rows[0])
    cursor: Any = connection.connection.cursor()
    with closing(cursor), cursor.copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[column] for column in columns])


def set_sequences(connection: Connection) -> None:
    """The rows brought their own ids; the next id that PostgreSQL gives must come after them."""
    if connection.dialect.name != "postgresql":
        return
    for table in schema.metadata.sorted_tables:
        last = sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0) + 1).scalar_subquery()
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        connection.execute(sa.select(sa.func.setval(sequence, last, False)))
