"""Rows in buckets: how a reading asks which part of a long answer has changed, and reads that part alone, in order.

Owns what a bucket is (the last characters of an id), the same in Python, SQLite and PostgreSQL, and the SQL round a
query that counts, sums up or orders its rows by bucket. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from .reference import Dialect

Row = TypeVar("Row")
LENGTH: Final = 3
"""Of whole numbers that makes a thousand buckets, of UUIDs four thousand."""
HASH: Final = "crmtray_hash"
"""A function that our connections to SQLite have; PostgreSQL has its own."""

Digest = tuple[int, int]
"""How many rows a bucket holds, and the sum of their hashes."""


class BucketsDiffer(Exception):
    """This database writes its ids in another way than Python does (5.00 for 5): its buckets are not ours."""


def bucket_of(id: str) -> str:
    return id[-LENGTH:]


def hashed(*values: object) -> int:
    """For SQLite. Short enough that a sum of many stays a whole number there; means nothing in another process."""
    return hash(values) & 0xFFF_FFFF_FFFF


def digest(dialect: Dialect, text: str, id: str, columns: tuple[str, ...]) -> str:
    """How many rows each bucket of a query's answer holds, and the sum of hashes over these columns (empty: all)."""
    if dialect == "sqlite":
        what = f"{HASH}({', '.join(f'told.{column}' for column in columns)})"
    else:
        row = f"ROW({', '.join(f'told.{column}' for column in columns)})" if columns else "told"
        what = f"hash_record_extended({row}, 0)"
    return (
        f"SELECT {_bucket(dialect, f'told.{id}')} AS bucket, COUNT(*) AS held, SUM({what}) AS digest\n"
        f"FROM (\n{text}\n) AS told GROUP BY 1"
    )


def in_order(dialect: Dialect, text: str, id: str, *, some: bool) -> str:
    """A query's rows by bucket; with `some` only those of `:buckets`."""
    bucket = _bucket(dialect, f"told.{id}")
    which = f" WHERE {bucket} IN :buckets" if some else ""
    # By code point, as Python compares.
    return f"SELECT * FROM (\n{text}\n) AS told{which} ORDER BY {bucket}{_collation(dialect)}"


def checked(rows: Iterable[Row], id_of: Callable[[Row], str], buckets: frozenset[str] | None) -> Iterator[Row]:
    """The same rows. Raises BucketsDiffer when they are not in the order that was asked for, or not those."""
    last = ""
    for row in rows:
        bucket = bucket_of(id_of(row))
        if bucket < last or (buckets is not None and bucket not in buckets):
            raise BucketsDiffer
        last = bucket
        yield row


def _bucket(dialect: Dialect, column: str) -> str:
    if dialect == "sqlite":
        return f"substr(CAST({column} AS TEXT), -{LENGTH})"
    return f"right(CAST({column} AS text), {LENGTH})"


def _collation(dialect: Dialect) -> str:
    return "" if dialect == "sqlite" else ' COLLATE "C"'
