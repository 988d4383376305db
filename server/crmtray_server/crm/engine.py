"""How the CRM's database is opened: SQLite or PostgreSQL, for reading only or for writing.

Owns drivers, time-outs and transaction starts. Knows no tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from ..store.database import TIMEOUTS
from .buckets import HASH, hashed

BUSY_SECONDS: Final = 5.0
READ_SECONDS, CHANGE_SECONDS = 30, 5
"""PostgreSQL ends a statement that takes longer: a reading, or a change of one row that somebody waits for."""
POSTGRES: Final = ("postgresql", "postgresql+psycopg")


class CrmDatabaseError(Exception):
    """The administrator's world: one sentence that says what is wrong with the CRM's database and what to do."""


def crm_engine(url: str, read_only: bool = False) -> Engine:
    """An engine for `sqlite:///file` or `postgresql://…`; nothing is connected yet. Raises CrmDatabaseError.

    For reading only, a SQLite file must exist and the database itself refuses every write; PostgreSQL's times are
    then text (ISO 8601 when the session's DateStyle is).
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, read_only)
    return _postgres_engine(parsed, read_only)


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """A transaction that may read first and write later, committed at the end."""
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    if parsed is not None and parsed.drivername in POSTGRES:
        return parsed
    raise CrmDatabaseError(
        "The address of the CRM's database must be sqlite:///path/to/file or postgresql://user:password@host/database."
    )


def _sqlite_engine(url: URL, read_only: bool) -> Engine:
    path = Path(url.database or "").absolute()
    if read_only and not path.is_file():
        raise CrmDatabaseError(
            f"The CRM's database {path} does not exist; correct the address, or create a sample with "
            f"`crmtray-server demo-crm {url.render_as_string()}`."
        )
    if not read_only:
        _make_folder(path.parent)
    mode = "ro" if read_only else "rwc"

    def connect() -> sqlite3.Connection:
        ours = not read_only and not (path.exists() and path.stat().st_size)
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
            # The driver's own transactions start too late, at the first write; _begin starts them.
            isolation_level=None,
        )
        if ours:
            # Readers and the writer do not wait for each other. The file keeps the mode: a CRM's own is left as it is.
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.create_function(HASH, -1, hashed, deterministic=True)
        return connection

    # No pool: the file may be replaced (a restore, a sync), and an open connection would go on reading the old one.
    engine = sa.create_engine(url, creator=connect, poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CrmDatabaseError(f"The folder {folder} cannot be created: {error.strerror}.") from None


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later is refused at once when another wrote meanwhile, whatever the
    # time-out (https://www.sqlite.org/rescode.html#busy_snapshot); so writers say so from the start.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _postgres_engine(url: URL, read_only: bool) -> Engine:
    url = url.set(drivername="postgresql+psycopg")
    url = url.update_query_dict({name: value for name, value in TIMEOUTS.items() if name not in url.query})
    options: dict[str, Any] = {"postgresql_readonly": True} if read_only else {}
    try:
        engine = sa.create_engine(url, pool_pre_ping=True, execution_options=options)
    except ModuleNotFoundError:
        raise CrmDatabaseError(
            "PostgreSQL needs its driver; install it with `pip install 'crmtray[postgres]'`."
        ) from None
    if read_only:
        sa.event.listen(engine, "connect", _times_as_text)
        sa.event.listen(engine, "begin", partial(be_brief, seconds=READ_SECONDS))
    return engine


def be_brief(connection: Connection, seconds: float = CHANGE_SECONDS) -> None:
    """For this transaction alone: the connection may be the CRM's own, lent by a pooler. SQLite has a time-out."""
    if connection.dialect.name != "sqlite":
        with closing(connection.connection.cursor()) as cursor:  # the driver's: a streaming connection's takes no SET
            cursor.execute(f"SET LOCAL statement_timeout = '{seconds:g}s'")


def _times_as_text(connection: Any, _record: Any) -> None:
    """Times that Python does not know ("infinity", before Christ) would end the whole answer, not spoil their row."""
    from psycopg.types.string import TextLoader

    for name in ("date", "timestamp", "timestamptz"):
        connection.adapters.register_loader(name, TextLoader)
