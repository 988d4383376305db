"""The store's epoch: the name under which its feeds' numbers are good.

It is new whenever the store went back in time: clients then forget what they have, because the same numbers mean other
changes. A restore says so itself. A SQLite file that somebody replaced by an older copy is told by its generation: the
store counts how often it was opened, and a small file beside it holds the same number.
"""

from __future__ import annotations

import logging
import os
import uuid
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection

from .tables import meta

log = logging.getLogger(__name__)

EPOCH, GENERATION = "epoch", "generation"


def current(connection: Connection) -> str | None:
    return _get(connection, EPOCH)


def renew(connection: Connection) -> str:
    """From now on, in this transaction, all cursors are of the past."""
    epoch = uuid.uuid4().hex
    _set(connection, EPOCH, epoch)
    return epoch


def take_over(connection: Connection, source: Connection, beside: Path | None) -> None:
    """The store that moved here goes on under its own name; no file of a former store may say that it went back."""
    _set(connection, EPOCH, current(source) or uuid.uuid4().hex)
    opened = max(_whole(_get(source, GENERATION)), _remembered(beside) if beside else 0)
    _set(connection, GENERATION, str(opened))


def at_open(connection: Connection, beside: Path | None) -> tuple[str, int]:
    """The epoch, and the number to `remember` when this transaction is committed.

    The file is read inside the transaction, so that nobody else can have opened the store in between.
    """
    made = _insert(connection, EPOCH, uuid.uuid4().hex)
    _insert(connection, GENERATION, "0")
    generation = _whole(_get(connection, GENERATION, lock=True))
    remembered = 0 if beside is None else _remembered(beside)
    epoch = str(current(connection))
    if generation < remembered and not made:
        epoch = renew(connection)
        log.warning("the store was replaced by an older copy (%s says so): all clients load anew", beside)
    opened = max(generation, remembered) + 1
    _set(connection, GENERATION, str(opened))
    return epoch, opened


def sidecar(url: URL) -> Path | None:
    """The file beside a SQLite store."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(f"{url.database}.generation")


def remember(beside: Path | None, generation: int) -> None:
    """Never keeps a server from starting: without the file an exchanged store is not noticed, nothing else."""
    if beside is None:
        return
    written = beside.with_name(f"{beside.name}.{os.getpid()}")
    try:
        written.write_text(f"{generation}\n", encoding="ascii")
        written.replace(beside)
    except OSError as error:
        log.debug("%s cannot be written: %s", beside, error)
        with suppress(OSError):
            written.unlink(missing_ok=True)


def _remembered(beside: Path) -> int:
    try:
        return _whole(beside.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        return 0


def _whole(text: str | None) -> int:
    try:
        return max(0, int(text or 0))
    except ValueError:
        return 0


def _get(connection: Connection, key: str, *, lock: bool = False) -> str | None:
    query = sa.select(meta.c.value).where(meta.c.key == key)
    value: str | None = connection.execute(query.with_for_update() if lock else query).scalar()
    return value


def _set(connection: Connection, key: str, value: str) -> None:
    if not _insert(connection, key, value):
        connection.execute(meta.update().where(meta.c.key == key).values(value=value))


def _insert(connection: Connection, key: str, value: str) -> bool:
    """Whether there was no such row; two processes that open a new store at once agree on one."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(meta).values(key=key, value=value).on_conflict_do_nothing()
    return connection.execute(statement).rowcount > 0
