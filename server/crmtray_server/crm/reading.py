"""How statements are run on the CRM's database, and its rows made into values.

Owns transactions, streams, parameters, the order of buckets, and warnings about rows that cannot be read. Knows no
question; those are source's. Blocking.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import Engine, RowMapping

from .buckets import BucketsDiffer, Digest, bucket_of, checked
from .queries import QUERY_MILLISECONDS, CrmMissing, Statement, check_columns, crm_error, statements
from .reference import Dialect
from .rows import Doubt, Unreadable

log = logging.getLogger(__name__)

ROWS: Final = 1000
"""Rows held at a time while a long answer is read."""
CHUNK: Final = 500
"""Ids in one IN list."""
NAMED: Final = 10
"""Rows of one column that are named in the log: a column of another kind spoils them all."""
NO_SUCH_FUNCTION: Final = "42883"
"""PostgreSQL before 14, or a column of a kind that cannot be hashed."""

T = TypeVar("T")


class BadId(Exception):
    """An id of another form than this CRM's."""


class Reading:
    """One CRM's database. Every method raises CrmError when it cannot; none keeps a transaction open after it."""

    def __init__(self, engine: Engine, mapping: Mapping[str, str] | None = None) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._statements = statements(cast(Dialect, engine.dialect.name), mapping)
        self._warned: set[str] = set()
        self._unread: Counter[str] = Counter()
        self._no_digests: set[str] = set()
        self._differ = False

    def digests(self, name: str, until: datetime | None = None) -> dict[str, Digest] | None:
        """By bucket, what a long answer would hold. None when that is not known: everything is to be read."""
        statement = self._statements[name]
        if self._differ or not statement.digest or name in self._no_digests:
            return None
        parameters = {} if until is None else {"until": until}
        question = replace(statement, text=statement.digest, name=f"{name} (digest)")
        try:
            rows = list(self._run(question, None, **parameters))
        except CrmMissing as error:  # what is really missing, the reading says better
            if getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) == NO_SUCH_FUNCTION:
                log.info("the CRM's database cannot sum up %s (%s): every reading reads them all", name, error)
                self._no_digests.add(name)
            return None
        return {row["bucket"]: (row["held"], int(row["digest"] or 0)) for row in rows if row["bucket"] is not None}

    # --- rows ------------------------------------------------------------------------------------------------------

    def _each(self, shape: Callable[[RowMapping, Doubt], T | None], rows: Iterable[RowMapping]) -> Iterator[T]:
        """A row that cannot be read is left out with a warning; it never stops the others."""
        for row in rows:
            try:
                found = shape(row, self._doubt)
            except Unreadable as error:
                self._doubt(error)
            else:
                if found is not None:
                    yield found

    def _doubt(self, error: Unreadable) -> None:
        about = f"{error.row} {error.column}"
        if about in self._warned:
            return
        self._unread[error.column] += 1
        if self._unread[error.column] <= NAMED:
            self._warn_once(about, str(error))
        elif self._unread[error.column] == NAMED + 1:
            log.warning("%s; no more rows are named for %s: run `crmtray-server check`", error, error.column)

    def _warn_once(self, about: str, sentence: str) -> None:
        if about not in self._warned and len(self._warned) < 10_000:
            self._warned.add(about)
            log.warning("%s", sentence)

    # --- running ---------------------------------------------------------------------------------------------------

    def _in_order(
        self, name: str, parameters: dict[str, Any], buckets: frozenset[str] | None
    ) -> Generator[RowMapping, None, None]:
        statement = self._statements[name]
        if self._differ:
            return self._run(statement, None, **parameters)
        if buckets is None:
            return self._run(replace(statement, text=statement.in_order), None, **parameters)
        return self._run(replace(statement, text=statement.some_in_order), None, buckets=sorted(buckets), **parameters)

    def _ordered(
        self, rows: Iterable[T], id_of: Callable[[T], str], buckets: frozenset[str] | None
    ) -> Generator[T, None, None]:
        if self._differ:
            yield from sorted(rows, key=lambda row: bucket_of(id_of(row)))
            return
        try:
            yield from checked(rows, id_of, buckets)
        except BucketsDiffer:
            log.info("the CRM's database writes its ids in a way of its own: every reading reads all that waits")
            self._differ = True
            raise

    def _rows(self, name: str, parameters: dict[str, Any], ids: Sequence[str] | None) -> Iterator[RowMapping]:
        return self._stream(name, parameters) if ids is None else self._by_ids(name, parameters, ids)

    def _stream(self, name: str, parameters: dict[str, Any]) -> Iterator[RowMapping]:
        return self._run(self._statements[name], None, **parameters)

    def _by_ids(self, name: str, parameters: dict[str, Any], ids: Sequence[str]) -> Iterator[RowMapping]:
        for start in range(0, len(ids), CHUNK):
            yield from self._one_chunk(self._statements[name], parameters, ids[start : start + CHUNK])

    def _one_chunk(self, statement: Statement, parameters: dict[str, Any], ids: Sequence[str]) -> Iterator[RowMapping]:
        """An id that cannot be one of this CRM's (remembered from another database) has no row; the others have."""
        try:
            yield from list(self._run(statement, ids, **parameters))
        except BadId:
            if len(ids) > 1:
                middle = len(ids) // 2
                yield from self._one_chunk(statement, parameters, ids[:middle])
                yield from self._one_chunk(statement, parameters, ids[middle:])

    def _run(self, statement: Statement, by_ids: Sequence[str] | None, **parameters: Any) -> Generator[RowMapping]:
        clause = sa.text(statement.text if by_ids is None else statement.by_ids)
        values = {key: self._parameter(value) for key, value in parameters.items() if f":{key}" in clause.text}
        if by_ids is not None:
            clause = clause.bindparams(sa.bindparam("ids", expanding=True))
            values["ids"] = self._id_values(by_ids)
        if "buckets" in values:
            clause = clause.bindparams(sa.bindparam("buckets", expanding=True))
        try:
            with self._engine.connect() as connection:
                if not self._sqlite:
                    connection.exec_driver_sql(_POSTGRES_SESSION)
                with connection.execution_options(yield_per=ROWS).execute(clause, values) as result:
                    check_columns(statement, set(result.keys()))
                    yield from result.mappings()
        except sa.exc.DataError as error:
            if by_ids is not None:
                raise BadId from error
            raise crm_error(error, statement) from error
        except sa.exc.SQLAlchemyError as error:
            raise crm_error(error, statement) from error

    def _parameter(self, value: Any) -> Any:
        if isinstance(value, datetime) and self._sqlite:
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
        return value

    def _id_values(self, ids: Sequence[str]) -> list[Any]:
        """PostgreSQL makes of a quoted value what the column is; SQLite only where the column declares a type."""
        return [*ids, *(int(id) for id in ids if id and id.isdecimal() and len(id) < 19)] if self._sqlite else list(ids)


# What stands in a column without a time zone is UTC, and no question may hold the CRM's database for long.
_POSTGRES_SESSION: Final = (
    "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true), "
    f"set_config('statement_timeout', '{QUERY_MILLISECONDS}', true)"
)
