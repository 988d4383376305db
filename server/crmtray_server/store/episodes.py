"""Open episodes: what is true in the CRM now and was already told.

Functions on a Connection. `save` belongs into the transaction that stores the notifications of the same events. Knows
nothing of what a mark means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from crmtray.protocol import Kind

from ..events import Episode
from .database import StoreUnavailable
from .tables import episodes

T = TypeVar("T")
CHUNK = 500
"""Values in one IN list, rows in one statement."""

Open = dict[tuple[str, str], Episode]
"""By tenant and subject."""


def open_episodes(connection: Connection, kind: Kind, subjects: Collection[str] | None = None) -> Open:
    """The open episodes of a kind; with `subjects` only those about one of them (of any tenant)."""
    statement = sa.select(episodes).where(episodes.c.kind == kind)
    if subjects is None:
        return dict(_read(connection, kind, statement))
    found: Open = {}
    for chunk in _chunks(sorted(subjects)):
        found.update(_read(connection, kind, statement.where(episodes.c.subject.in_(chunk))))
    return found


def save(connection: Connection, opened: Iterable[Episode], closed: Iterable[Episode]) -> None:
    """Removes what is closed, then writes what is opened; an opened one takes the place of its predecessor."""
    for episode in closed:
        # By key, so that a late close does not remove the episode that came after.
        connection.execute(episodes.delete().where(_is(episode), episodes.c.key == episode.key))
    newest = {(episode.tenant_id, episode.kind, episode.subject): episode for episode in opened}
    for chunk in _chunks(list(newest.values())):
        connection.execute(_upsert(connection.dialect.name), [_row(episode) for episode in chunk])


def _read(
    connection: Connection, kind: Kind, statement: sa.Select[tuple[object, ...]]
) -> Iterator[tuple[tuple[str, str], Episode]]:
    for row in connection.execute(statement):
        yield (
            (row.tenant_id, row.subject),
            Episode(kind, row.tenant_id, row.subject, row.key, row.opened_at, row.mark),
        )


def _is(episode: Episode) -> sa.ColumnElement[bool]:
    return sa.and_(
        episodes.c.tenant_id == episode.tenant_id,
        episodes.c.kind == episode.kind,
        episodes.c.subject == episode.subject,
    )


def _row(episode: Episode) -> dict[str, object]:
    return {
        "tenant_id": episode.tenant_id,
        "kind": episode.kind,
        "subject": episode.subject,
        "key": episode.key,
        "opened_at": episode.opened_at,
        "mark": episode.mark,
    }


def _upsert(dialect: str) -> sa.Insert:
    insert = sqlite.insert(episodes) if dialect == "sqlite" else postgresql.insert(episodes)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[episodes.c.tenant_id, episodes.c.kind, episodes.c.subject],
        set_={"key": new.key, "opened_at": new.opened_at, "mark": new.mark},
    )


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def reader(engine: Engine) -> Callable[[Kind, Collection[str] | None], Open]:
    """`open_episodes` for a thread of its own, each time in a transaction of its own. Raises StoreUnavailable."""

    def read(kind: Kind, subjects: Collection[str] | None = None) -> Open:
        try:
            with engine.connect() as connection, connection.begin():
                return open_episodes(connection, kind, subjects)
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise StoreUnavailable(str(getattr(error, "orig", None) or error).strip().splitlines()[0]) from error

    return read
