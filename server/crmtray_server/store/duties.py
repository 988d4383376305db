"""Who is on duty for which work: one row a work, held for a few seconds at a time.

Functions on a Connection. Moments are the database's, so that nodes whose clocks differ agree. Knows nothing of what
the works are, nor of how a holder counts its own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from crmtray.protocol import Json

from .tables import duties


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` is a process, `report` what it says of its work."""

    holder: str
    until: datetime
    report: Json | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants it, and for how long from now."""

    holder: str
    node: str
    now: datetime
    length: timedelta

    @property
    def until(self) -> datetime:
        return self.now + self.length

    def may_take(self, lease: Lease | None) -> bool:
        """It is ours, or nobody's. One that ends later than any can was given by a clock that has been put back."""
        return lease is None or lease.holder == self.holder or not self.now < lease.until <= self.until


def database_clock(connection: Connection) -> datetime:
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)  # a file's processes share its machine, and so its clock
    moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)


def leases(connection: Connection) -> dict[str, Lease]:
    query = sa.select(duties.c.work, duties.c.holder, duties.c.until, duties.c.report)
    return {row.work: Lease(row.holder, row.until, row.report) for row in connection.execute(query)}


def take(connection: Connection, claim: Claim, works: Mapping[str, Json | None]) -> set[str]:
    """Takes or keeps those of these works that are free or ours, each with its report; which they are.

    One statement, so that nobody who is stopped in the middle of it keeps a row locked.
    """
    rows = [_row(claim, work, report) for work, report in sorted(works.items())]
    if not rows:
        return set()
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(duties).values(rows)
    new, ours = statement.excluded, duties.c.holder == claim.holder
    free = (duties.c.until <= claim.now) | (duties.c.until > claim.until)
    taken = statement.on_conflict_do_update(
        index_elements=[duties.c.work],
        set_={
            "since": sa.case((ours, duties.c.since), else_=new.since),
            "holder": new.holder,
            "node": new.node,
            "until": new.until,
            "report": new.report,
        },
        where=ours | free,
    ).returning(duties.c.work)
    return set(connection.execute(taken).scalars())


def give_up(connection: Connection, holder: str) -> None:
    """Whoever wants them need not wait."""
    connection.execute(duties.delete().where(duties.c.holder == holder))


def _row(claim: Claim, work: str, report: Json | None) -> dict[str, Any]:
    return {
        "work": work,
        "holder": claim.holder,
        "node": claim.node,
        "since": claim.now,
        "until": claim.until,
        "report": report,
    }
