"""Open episodes: what is true in the CRM now and was already told.

Functions on a Connection. `save` belongs into the transaction that stores the notifications of the same events. Knows
nothing of what a mark means.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from crmtray.protocol import HOT_LEAD, UNANSWERED, Kind

from ..events import Episode
from .database import StoreUnavailable
from .tables import episodes

T = TypeVar("T")
TOLD_UNTIL_CLOSED = (UNANSWERED, HOT_LEAD)
"""Kinds whose key is of the message with which it began: of two processes that look at once, each may see another one.
The keys of the others are of what stands in the CRM."""
CHUNK = 500
"""Values in one IN list, rows in one statement."""

_NAMES = ("tenant_id", "kind", "subject", "key")
_CLOSE = episodes.delete().where(*(episodes.c[name] == sa.bindparam(f"_{name}") for name in _NAMES))

Open = dict[tuple[str, str], Episode]
"""By tenant and subject."""


class Overtaken(Exception):
    """Another process has told it since this one looked: look again."""


def open_episodes(connection: Connection, kind: Kind, subjects: Collection[str] | None = None) -> Open:
    """The open episodes of a kind; with `subjects` only those about one of them (of any tenant)."""
    statement = sa.select(episodes).where(episodes.c.kind == kind)
    if subjects is None:
        return dict(_read(connection, kind, statement))
    found: Open = {}
    for chunk in _chunks(sorted(subjects)):
        found.update(_read(connection, kind, statement.where(episodes.c.subject.in_(chunk))))
    return found


def in_order(connection: Connection, kind: Kind, length: int, some: Collection[str] | None = None) -> Iterator[Episode]:
    """A kind's open episodes by the last `length` characters of their subjects, with `some` only these; streamed."""
    suffix = _suffix(connection, length)
    statement = sa.select(episodes).where(episodes.c.kind == kind)
    if some is not None:
        statement = statement.where(suffix.in_(sorted(some)))
    statement = statement.order_by(sa.collate(suffix, _by_code_point(connection)))
    rows = connection.execution_options(yield_per=CHUNK).execute(statement)
    return (Episode(kind, row.tenant_id, row.subject, row.key, row.opened_at, row.mark) for row in rows)


def suffixes(connection: Connection, kind: Kind, length: int) -> set[str]:
    """The last `length` characters of the subjects of a kind's open episodes."""
    statement = sa.select(_suffix(connection, length)).where(episodes.c.kind == kind).distinct()
    return set(connection.execute(statement).scalars())


def after(connection: Connection, kind: Kind, ref: tuple[str, str], limit: int) -> Open:
    """The next open episodes of a kind, in the order of tenants and subjects."""
    behind = sa.tuple_(episodes.c.tenant_id, episodes.c.subject) > sa.tuple_(*map(sa.literal, ref))
    statement = sa.select(episodes).where(episodes.c.kind == kind, behind)
    return dict(_read(connection, kind, statement.order_by(episodes.c.tenant_id, episodes.c.subject).limit(limit)))


def _suffix(connection: Connection, length: int) -> sa.ColumnElement[str]:
    if connection.dialect.name == "sqlite":
        return sa.func.substr(episodes.c.subject, -length, type_=sa.String)
    return sa.func.right(episodes.c.subject, length, type_=sa.String)


def _by_code_point(connection: Connection) -> str:
    return "BINARY" if connection.dialect.name == "sqlite" else "C"


def save(connection: Connection, opened: Iterable[Episode], closed: Iterable[Episode]) -> None:
    """Removes what is closed, then writes what is opened; an opened one takes the place of its predecessor.

    Raises Overtaken when another process has opened one about the same meanwhile: nothing of the look may be stored.
    """
    # By key, so that a late close does not remove the episode that came after.
    for chunk in _chunks(list(closed)):
        connection.execute(_CLOSE, [{f"_{name}": getattr(episode, name) for name in _NAMES} for episode in chunk])
    newest = {(episode.tenant_id, episode.kind, episode.subject): episode for episode in opened}
    for chunk in _chunks([newest[ref] for ref in sorted(newest)]):  # in one order, so that nobody waits for the other
        connection.execute(_upsert(connection.dialect.name), [_row(episode) for episode in chunk])
    for kind in TOLD_UNTIL_CLOSED:
        _refuse_others(
            connection, kind, {(tenant, subject): one for (tenant, of, subject), one in newest.items() if of == kind}
        )


def _refuse_others(connection: Connection, kind: Kind, opened: Open) -> None:
    found = open_episodes(connection, kind, {subject for _, subject in opened}) if opened else {}
    for ref, episode in opened.items():
        if found[ref].key != episode.key:
            raise Overtaken(f"another process has opened {found[ref].key} meanwhile")


def _read(
    connection: Connection, kind: Kind, statement: sa.Select[tuple[object, ...]]
) -> Iterator[tuple[tuple[str, str], Episode]]:
    for row in connection.execute(statement):
        yield (
            (row.tenant_id, row.subject),
            Episode(kind, row.tenant_id, row.subject, row.key, row.opened_at, row.mark),
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
        # Waits for whoever writes the same row, and then sees what he wrote.
        where=sa.and_(*(episodes.c.kind != kind for kind in TOLD_UNTIL_CLOSED)) | (episodes.c.key == new.key),
    )


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


class Reader:
    """For a thread of its own, each answer in a transaction of its own. Raises StoreUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, kind: Kind, subjects: Collection[str] | None) -> Open:
        """The open episodes of a kind, with `subjects` those about one of them."""
        with self._reading() as connection:
            return open_episodes(connection, kind, subjects)

    def after(self, kind: Kind, ref: tuple[str, str], limit: int) -> Open:
        with self._reading() as connection:
            return after(connection, kind, ref, limit)

    def suffixes(self, kind: Kind, length: int) -> set[str]:
        with self._reading() as connection:
            return suffixes(connection, kind, length)

    def in_order(self, kind: Kind, length: int, some: Collection[str] | None) -> Generator[Episode, None, None]:
        with self._reading() as connection:
            yield from in_order(connection, kind, length, some)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection, connection.begin():
                yield connection
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise StoreUnavailable(str(getattr(error, "orig", None) or error).strip().splitlines()[0]) from error
