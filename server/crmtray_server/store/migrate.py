"""Brings the store's schema up to date with Alembic, also while servers of the version before go on with it.

Migrations only ever go forward, and only add: what an older program reads and writes stays as it is. On PostgreSQL
each is a transaction of its own, and none waits long for a lock, because everybody else waits behind whoever waits for
one. Of several processes that start at once one migrates, and the others find it done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK_KEY: Final = int.from_bytes(b"crmtray")
LOCK_TIMEOUT: Final = "2s"
TRIES: Final = 30
PAUSE_SECONDS: Final = 0.5
"""Between two tries for a lock on a table: the server's own transactions are over by then."""
PATIENCE_SECONDS: Final = 600.0
"""So long may another process migrate."""
REFUSED, LOCKED, DEADLOCK = "42501", "55P03", "40P01"


class SchemaError(Exception):
    """What whoever runs the command can mend: one sentence."""


def upgrade(engine: Engine, to: str = "head", scripts: Path = MIGRATIONS) -> None:
    """Applies what is missing. Does nothing when there is nothing to do, or when a newer program has migrated."""
    try:
        with engine.connect() as connection:
            found = revision(connection)
        if found == newest(scripts):
            return
        if found is not None and not knows(found, scripts):
            log.warning("the store's schema (%s) is of a newer version of this program, which only adds", found)
        elif engine.dialect.name == "sqlite":
            _upgrade_at_once(engine, to, scripts)
        else:
            with _alone(engine):
                _with_patience(engine, to, scripts)
    except sa.exc.DBAPIError as error:
        if _state(error) != REFUSED:
            raise
        raise SchemaError(
            f"The store's schema must be brought up to date and this database role may not ({_reason(error)}): run "
            "`crmtray-server migrate` with one that owns the tables."
        ) from error


def is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        return revision(connection) == newest()


def revision(connection: Connection) -> str | None:
    """What schema a store has; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def knows(revision: str, scripts: Path = MIGRATIONS) -> bool:
    """False for the schema of a newer program."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config(scripts)).walk_revisions()}


def newest(scripts: Path = MIGRATIONS) -> str | None:
    return ScriptDirectory.from_config(_config(scripts)).get_current_head()


def add_index(name: str, table: str, columns: list[str], **where: Any) -> None:
    """For migrations: an index of a table that is in use. On PostgreSQL nobody waits while it is built, and what a try
    that was broken off has left is built anew. `where`: `sqlite_where` and `postgresql_where`."""
    if op.get_context().dialect.name == "sqlite":
        op.create_index(name, table, columns, **where)
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for transactions that began before; nobody waits for it
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, **where)
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def _upgrade_at_once(engine: Engine, to: str, scripts: Path) -> None:
    """SQLite has one writer: whoever comes second waits, and finds it done."""
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        _run(connection, to, scripts)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """No other process migrates meanwhile. Asked again and again instead of waiting: a statement that waits has a
    snapshot, and an index that is built concurrently waits for all snapshots to end, also for this one."""
    last_try = time.monotonic() + PATIENCE_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(LOCK_KEY))).scalar():
            if time.monotonic() > last_try:
                raise SchemaError("Another process has been migrating the store for long: see whether it hangs.")
            time.sleep(PAUSE_SECONDS / 2)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(LOCK_KEY)))


def _with_patience(engine: Engine, to: str, scripts: Path) -> None:
    """Whoever does not get a lock on a table steps back, so that those behind him are served, and tries again."""
    for attempt in range(1, TRIES + 1):
        try:
            _step_by_step(engine, to, scripts)
            return
        except sa.exc.DBAPIError as error:
            if _state(error) not in (LOCKED, DEADLOCK) or attempt == TRIES:
                raise
            log.info("a table of the store is in use, trying again: %s", _reason(error))
            time.sleep(PAUSE_SECONDS)


def _step_by_step(engine: Engine, to: str, scripts: Path) -> None:
    with engine.connect() as connection:
        try:
            connection.execute(sa.text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.commit()
            _run(connection, to, scripts)
        finally:
            connection.invalidate()  # what was set here is for nobody else


def _run(connection: Connection, to: str, scripts: Path) -> None:
    config = _config(scripts)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    return config


def _state(error: sa.exc.DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


def _reason(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
