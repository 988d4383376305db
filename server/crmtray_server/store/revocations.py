"""A mark that changes whenever somebody's right to be here may have ended, so that every process can notice soon.

Owns the row `revocations` of `meta`. It is raised in the transaction that revokes; whoever sees another mark than
before looks at the sessions and accounts themselves.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from .tables import meta

MARK, EPOCH = "revocations", "epoch"


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells a running server that another process changed something: None where there is no such row yet."""

    epoch: str | None
    revocations: str | None


def note(connection: Connection) -> None:
    """Another mark. It only has to differ, so nothing is read first."""
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(meta)
    value = uuid.uuid4().hex
    connection.execute(
        insert.values(key=MARK, value=value).on_conflict_do_update(index_elements=["key"], set_={"value": value})
    )


def read(connection: Connection) -> Marks:
    query = sa.select(meta.c.key, meta.c.value).where(meta.c.key.in_((MARK, EPOCH)))
    found = {row.key: row.value for row in connection.execute(query)}
    return Marks(found.get(EPOCH), found.get(MARK))
