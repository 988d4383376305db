"""A whole store into another, empty database: from the SQLite file a company began with to PostgreSQL, or back.

Unlike a restore the store goes on: it keeps its epoch, so clients go on from where they are. Therefore the store that
is left must never go on under the same epoch. It is held still while it is copied, and gets a new epoch before the
copy is committed: whatever ends this in between, at most one of the two has the old one.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from . import epoch, migrate
from .backup import BackupError, backup, copy_rows, opened, readable, sqlite_file, url_of
from .tables import duties, meta, metadata

IN_USE = "The store to move from is in use{by}: stop the server first, so that nothing is left behind."


def move(source_url: str, target_url: str) -> dict[str, int]:
    """Rows moved, by table. Raises BackupError; then neither store's contents changed."""
    _refuse_the_same(source_url, target_url)
    _refuse_in_use(source_url)
    with opened(source_url) as source, source.connect().execution_options(writing=True) as held:
        _hold(held)
        with tempfile.TemporaryDirectory(prefix="crmtray-move-") as folder:
            file = Path(folder) / "store.db"
            backup(source_url, file)
            with readable(file) as (copy, _), opened(url_of(copy)) as copied, opened(target_url) as target:
                _refuse_newer(target)
                migrate.upgrade(target)
                return _fill(copied, target, lambda: _leave_behind(held))


def _leave_behind(held: Connection) -> None:
    epoch.renew(held)
    held.commit()


def _fill(copied: Engine, target: Engine, before_commit: Callable[[], None]) -> dict[str, int]:
    with (
        copied.connect() as reading,
        target.connect().execution_options(writing=True) as writing,
        writing.begin(),
    ):
        _hold(writing)
        _refuse_filled(writing)
        counts = {table.name: copy_rows(reading, writing, table) for table in _contents()}
        epoch.take_over(writing, reading, epoch.sidecar(target.url))
        before_commit()
        return counts


def _contents() -> list[sa.Table]:
    """But for what a store says of itself, and of the processes that are at work on it."""
    return [table for table in metadata.sorted_tables if table not in (meta, duties)]


def _hold(connection: Connection) -> None:
    """Until the end of the transaction nobody else writes. On SQLite its beginning is enough."""
    there = [table.name for table in metadata.sorted_tables if sa.inspect(connection).has_table(table.name)]
    if connection.dialect.name == "postgresql" and there:
        connection.execute(sa.text(f"LOCK TABLE {', '.join(there)} IN EXCLUSIVE MODE"))


def _refuse_the_same(source_url: str, target_url: str) -> None:
    here, there = sqlite_file(source_url), sqlite_file(target_url)
    if here is not None and not here.exists():
        raise BackupError(f"There is no store at {here}: nothing to move.")
    same_file = here is not None and there is not None and there.exists() and here.samefile(there)
    if same_file or make_url(source_url) == make_url(target_url):
        raise BackupError("The store to move from is the one that DATABASE_URL names: there is nothing to move.")


def _refuse_in_use(url: str) -> None:
    file = sqlite_file(url)
    if file is not None:
        if _is_open_elsewhere(file):
            raise BackupError(IN_USE.format(by=""))
        return
    with opened(url) as engine, engine.connect() as connection:
        others = connection.execute(sa.text(_OTHER_SESSIONS)).scalar_one()
    if others:
        raise BackupError(IN_USE.format(by=f" by {others} other session{'s' if others > 1 else ''} of its database"))


_OTHER_SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def _is_open_elsewhere(file: Path) -> bool:
    """Every connection in WAL mode holds a shared lock: https://www.sqlite.org/pragma.html#pragma_locking_mode"""
    with closing(sqlite3.connect(file, timeout=0.5, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                return True
            raise BackupError(f"{file} cannot be read: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise BackupError(f"{file} is not a store of crmtray: {error}.") from error
    return False


def _refuse_newer(target: Engine) -> None:
    with target.connect() as connection:
        revision = migrate.revision(connection)
    if revision is not None and not migrate.knows(revision):
        raise BackupError(f"The schema of the target ({revision}) is newer than this program: update crmtray first.")


def _refuse_filled(writing: Connection) -> None:
    for table in _contents():
        rows = writing.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        if rows:
            raise BackupError(
                f"The store that DATABASE_URL names is not empty ({rows} rows in {table.name}): "
                "name an empty database. Nothing was moved."
            )
