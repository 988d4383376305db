"""A consistent copy of the store while it runs, and the way back.

A backup is always one SQLite file with the store's own schema, whichever database the store is in; so what was backed
up from SQLite can be restored into PostgreSQL. A restore is one transaction with a new epoch in it: whoever reads sees
the old store or the restored one, never a mixture, and no cursor of before is taken for one of after.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from . import epoch, migrate
from .database import make_engine
from .tables import accounts, feeds, meta, metadata, notifications

CHUNK = 500
"""Rows held in memory at a time."""
TRIES = 5
DEADLOCK = "40P01"
MAGIC = b"SQLite format 3\0"


class BackupError(Exception):
    """What whoever runs the command can mend: one sentence."""


@dataclass(frozen=True, slots=True)
class Contents:
    """How much a copy holds."""

    notifications: int
    feeds: int
    accounts: int
    bytes: int

    def __str__(self) -> str:
        size = f"{self.bytes / 1e6:.1f} MB" if self.bytes >= 1e6 else f"{self.bytes / 1e3:.0f} kB"
        return f"{self.notifications} notifications in {self.feeds} feeds, {self.accounts} accounts, {size}"


# --- there -----------------------------------------------------------------------------------------------------


def backup(url: str, file: Path) -> Contents:
    """Copies the store at `url` into a new file. Raises BackupError; then there is no file, not half of one."""
    if file.exists():
        raise BackupError(f"{file} exists already: give another name, or remove it first.")
    partial = _new_file(file)
    try:
        _copy_out(url, partial)
        contents = _checked(partial, "The store")
        _publish(partial, file)
        return contents
    except (sqlite3.Error, OSError) as error:
        raise _unwritten(file, error) from error
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise _unwritten(file, error.orig) from error
        raise
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _unwritten(file: Path, error: Exception) -> BackupError:
    return BackupError(f"{file} could not be written: {_reason(error)}. Nothing was left behind.")


def _new_file(file: Path) -> Path:
    """Beside the file it becomes, and from the start for nobody else to read: it holds password hashes."""
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {_reason(error)}.") from error
    return partial


def _copy_out(url: str, partial: Path) -> None:
    live = sqlite_file(url)
    if live is None:
        _copy_out_of_postgresql(url, partial)
        return
    if not live.exists():
        raise BackupError(f"There is no store at {live} yet: nothing to back up.")
    with closing(_open(live, "rw")) as source, closing(sqlite3.connect(partial)) as target:
        # In one step: with several, each write of the running server would start the copy anew.
        source.backup(target, pages=-1)
        # One file that needs no other beside it.
        target.execute("PRAGMA journal_mode=DELETE")


def _copy_out_of_postgresql(url: str, partial: Path) -> None:
    with opened(url) as source, opened(url_of(partial)) as target:
        snapshot = source.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with snapshot.connect() as reading, reading.begin():
            revision = migrate.revision(reading)
            if revision is None:
                raise BackupError("There is no store in this database yet: nothing to back up.")
            _refuse_newer(revision, "the store")
            migrate.upgrade(target, revision)
            with target.connect().execution_options(writing=True) as writing, writing.begin():
                for table in metadata.sorted_tables:
                    copy_rows(reading, writing, table)
    with closing(sqlite3.connect(partial)) as copied:
        copied.execute("PRAGMA journal_mode=DELETE")


def _publish(partial: Path, file: Path) -> None:
    """On the disk before it has its name, and the name on the disk before it is announced."""
    _sync(partial)
    if file.exists():
        raise BackupError(f"{file} has been made by somebody else meanwhile: give another name.")
    partial.rename(file)
    if os.name != "nt":  # Windows cannot open folders
        _sync(file.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- and back --------------------------------------------------------------------------------------------------


def restore(file: Path, url: str) -> Contents:
    """Puts what a backup holds in place of what the store at `url` holds. Raises BackupError; then nothing changed."""
    live = sqlite_file(url)
    if live is not None and live.exists() and file.exists() and live.samefile(file):
        raise BackupError(f"{file} is the store itself: there is nothing to restore.")
    with readable(file) as (checked, contents), opened(url_of(checked)) as source, opened(url) as target:
        with target.connect() as connection:
            _refuse_newer(migrate.revision(connection), "the store")
        migrate.upgrade(target)
        _with_patience(lambda: _replace(source, target))
        return contents


@contextmanager
def readable(file: Path) -> Iterator[tuple[Path, Contents]]:
    """A private copy of the backup, checked and with the newest schema: the backup itself is never touched."""
    with tempfile.TemporaryDirectory(prefix="crmtray-restore-") as folder:
        copy = Path(folder) / "backup.db"
        try:
            _refuse_other_files(file)
            with closing(_open(file, "ro")) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target, pages=-1)
            contents = _checked(copy, str(file))
        except sqlite3.DatabaseError as error:
            raise BackupError(f"{file} cannot be restored: {_reason(error)}.") from error
        with opened(url_of(copy)) as engine:
            with engine.connect() as connection:
                _refuse_newer(migrate.revision(connection), str(file))
            migrate.upgrade(engine)
        yield copy, contents


def _refuse_other_files(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            beginning = opened.read(len(MAGIC))
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {_reason(error)}.") from error
    if beginning != MAGIC:
        raise BackupError(f"{file} is not a backup of crmtray.")


def _replace(source: Engine, target: Engine) -> None:
    with (
        source.connect() as reading,
        reading.begin(),
        target.connect().execution_options(writing=True) as writing,
        writing.begin(),
    ):
        if target.dialect.name == "postgresql":
            # Writers wait until it is done; readers go on with what was.
            names = ", ".join(table.name for table in metadata.sorted_tables)
            writing.execute(sa.text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        for table in metadata.sorted_tables:
            if table is not meta:
                # Not TRUNCATE: on PostgreSQL readers that began before would find the table empty.
                writing.execute(table.delete())
                copy_rows(reading, writing, table)
        _copy_meta(reading, writing)
        epoch.renew(writing)


def _copy_meta(reading: Connection, writing: Connection) -> None:
    """What the running store says of itself (how often it was opened, …) does not go back in time."""
    kept = set(writing.execute(sa.select(meta.c.key)).scalars())
    rows = [dict(row._mapping) for row in reading.execute(sa.select(meta)) if row.key not in kept]
    if rows:
        writing.execute(meta.insert(), rows)


def _with_patience(work: Callable[[], None]) -> None:
    """A running server's writer and the restore may each wait for the other; the database then ends one of them."""
    for attempt in range(TRIES):
        try:
            work()
            return
        except sa.exc.OperationalError as error:
            if attempt + 1 == TRIES or getattr(error.orig, "sqlstate", None) != DEADLOCK:
                raise
            time.sleep(0.1 * 2**attempt)


# --- both ------------------------------------------------------------------------------------------------------


def copy_rows(reading: Connection, writing: Connection, table: sa.Table) -> int:
    """How many: all rows, through the columns' types, so that times, flags and JSON are the same on both databases."""
    inspector = sa.inspect(reading)
    if not inspector.has_table(table.name):
        return 0  # an older schema
    there = {column["name"] for column in inspector.get_columns(table.name)}
    query = sa.select(*[column for column in table.columns if column.name in there])
    found = reading.execute(query, execution_options={"yield_per": CHUNK})
    copied = 0
    for rows in found.partitions():
        writing.execute(table.insert(), [dict(row._mapping) for row in rows])
        copied += len(rows)
    return copied


def _checked(file: Path, what: str) -> Contents:
    """Raises BackupError when it is no store, or a damaged one: a backup that cannot be restored is none."""
    with closing(_open(file, "rw")) as connection:
        [(verdict,), *_] = connection.execute("PRAGMA integrity_check(1)").fetchall()
        if verdict != "ok":
            raise BackupError(f"{what} is damaged: {str(verdict).splitlines()[-1]}.")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"alembic_version", meta.name, feeds.name, notifications.name, accounts.name} <= tables:
            raise BackupError(f"{what} is a database, but not a store of crmtray.")
        kept, of, signing_in = (connection.execute(query).fetchone()[0] for query in _COUNTS)
    return Contents(kept, of, signing_in, file.stat().st_size)


_COUNTS = (
    "SELECT count(*) FROM notifications WHERE removed_at IS NULL",
    "SELECT count(*) FROM feeds",
    "SELECT count(*) FROM accounts",
)


def _refuse_newer(revision: str | None, what: str) -> None:
    if revision is not None and not migrate.knows(revision):
        raise BackupError(f"The schema of {what} ({revision}) is newer than this program: update crmtray first.")


def sqlite_file(url: str) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def url_of(file: Path) -> URL:
    """Whatever characters its name has."""
    return URL.create("sqlite", database=str(file))


def _open(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True)


@contextmanager
def opened(url: str | URL) -> Iterator[Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return reason[:1].lower() + reason[1:]
