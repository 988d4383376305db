"""The file behind the cache: its schema, how it is opened, and what happens when it is damaged.

Owns migrations, file modes, the set-aside of a damaged file and the claim that makes one process the writer. It must
not know what the rows mean; `cache` does.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database, Migrations

from .cache_rows import search_words
from .protocol import Notification

log = logging.getLogger(__name__)

migrations = Migrations("crmtray")
BUSY_SECONDS = 5.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

SCHEMA = """
CREATE TABLE items (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  first_seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  true_read INTEGER NOT NULL,
  true_read_at INTEGER,
  true_snoozed_until INTEGER,
  read INTEGER NOT NULL,
  read_at INTEGER,
  snoozed_until INTEGER,
  hidden INTEGER NOT NULL DEFAULT 0,
  toast TEXT NOT NULL,
  alert_at INTEGER NOT NULL,
  stale INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX items_newest ON items (created_at DESC, id DESC) WHERE hidden = 0;
CREATE INDEX items_unread ON items (snoozed_until) WHERE read = 0 AND hidden = 0;
CREATE INDEX items_to_toast ON items (alert_at) WHERE toast = 'pending';
CREATE INDEX items_snoozed ON items (snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE VIRTUAL TABLE items_fts USING fts5(
  title, message, content='items', content_rowid='key', tokenize='unicode61 remove_diacritics 2', prefix='1 2 3'
);
CREATE TRIGGER items_added AFTER INSERT ON items BEGIN
  INSERT INTO items_fts (rowid, title, message) VALUES (new.key, new.title, new.message);
END;
CREATE TRIGGER items_removed AFTER DELETE ON items BEGIN
  INSERT INTO items_fts (items_fts, rowid, title, message) VALUES ('delete', old.key, old.title, old.message);
END;
CREATE TRIGGER items_reworded AFTER UPDATE OF title, message ON items
WHEN old.title <> new.title OR old.message <> new.message BEGIN
  INSERT INTO items_fts (items_fts, rowid, title, message) VALUES ('delete', old.key, old.title, old.message);
  INSERT INTO items_fts (rowid, title, message) VALUES (new.key, new.title, new.message);
END;
CREATE TABLE outbox (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  op_id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  notification_id TEXT,
  args TEXT NOT NULL,
  queued_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  sent INTEGER NOT NULL DEFAULT 0,
  settle_seq INTEGER
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@migrations()
def tables_of_the_first_release(db: Database) -> None:
    db.executescript(SCHEMA)


BEFORE_WORDS = (
    "ALTER TABLE items ADD COLUMN priority TEXT NOT NULL DEFAULT 'medium'",
    "ALTER TABLE items ADD COLUMN words TEXT NOT NULL DEFAULT ''",
    "DROP TRIGGER items_added",
    "DROP TRIGGER items_removed",
    "DROP TRIGGER items_reworded",
    "DROP TABLE items_fts",
    "DROP INDEX items_newest",
)
AFTER_WORDS = (
    # Filters and their counts are answered from an index alone.
    "CREATE INDEX items_newest ON items (created_at DESC, id DESC, type, priority, read, snoozed_until)"
    " WHERE hidden = 0",
    "CREATE INDEX items_counted ON items (type, priority, read, snoozed_until) WHERE hidden = 0",
    """CREATE VIRTUAL TABLE items_fts USING fts5(
      title, message, words, content='items', content_rowid='key', tokenize='unicode61 remove_diacritics 2',
      prefix='1 2 3')""",
    "INSERT INTO items_fts (items_fts) VALUES ('rebuild')",
    """CREATE TRIGGER items_added AFTER INSERT ON items BEGIN
      INSERT INTO items_fts (rowid, title, message, words) VALUES (new.key, new.title, new.message, new.words);
    END""",
    """CREATE TRIGGER items_removed AFTER DELETE ON items BEGIN
      INSERT INTO items_fts (items_fts, rowid, title, message, words)
        VALUES ('delete', old.key, old.title, old.message, old.words);
    END""",
    """CREATE TRIGGER items_reworded AFTER UPDATE OF title, message, words ON items
    WHEN old.title <> new.title OR old.message <> new.message OR old.words <> new.words BEGIN
      INSERT INTO items_fts (items_fts, rowid, title, message, words)
        VALUES ('delete', old.key, old.title, old.message, old.words);
      INSERT INTO items_fts (rowid, title, message, words) VALUES (new.key, new.title, new.message, new.words);
    END""",
)


@migrations()
def words_and_priorities(db: Database) -> None:
    """Search finds what the details say, and rows can be narrowed by priority."""
    for statement in BEFORE_WORDS:
        db.execute(statement)
    rows = [(row[0], json.loads(row[1])) for row in db.execute("SELECT key, body FROM items")]
    db.conn.executemany(
        "UPDATE items SET priority = ?, words = ? WHERE key = ?",
        [(body["priority"], search_words(Notification.from_wire(body)), key) for key, body in rows],
    )
    for statement in AFTER_WORDS:
        db.execute(statement)


class _Damaged(Exception):
    """The file is not a sound database of ours."""


def open_database(path: Path | None, now: datetime) -> tuple[Database, bool]:
    """The database, in memory without a path. True with it when a damaged file had to be set aside."""
    if path is None:
        return _connect(":memory:"), False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return _connect(_private(path)), False
    except _Damaged as damage:
        aside = set_aside(path, now)
        log.warning("the cache was damaged (%s); it is kept as %s and a new one is made", damage, aside.name)
    db = _connect(_private(path))
    _salvage_outbox(aside, db)
    return db, True


def set_aside(path: Path, now: datetime) -> Path:
    """Moves the file and its journals out of the way, under a name that says when."""
    aside = path.with_name(f"{path.name}.corrupt-{now:%Y%m%dT%H%M%SZ}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    return aside


def remove_set_aside(db: Database) -> None:
    """Damaged files hold what the sound one held: who signs out takes them along."""
    [[_, _, name], *_] = db.execute("PRAGMA database_list").fetchall()
    path = Path(name)
    for left in path.parent.glob(f"{path.name}.corrupt-*") if name else ():
        left.unlink(missing_ok=True)


def claim(path: Path) -> int | None:
    """A lock that ends with this process, or None when another process holds it.

    Two writers of one cache would each miss what the other had taken in: the feed's cursor is in the file.
    """
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
    except OSError:
        os.close(handle)
        return None
    return handle


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _private(path: Path) -> str:
    # SQLite gives its journals the mode of the file, so the file must have it from the start.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if sys.platform != "win32":
        path.chmod(0o600)
    return str(path)


def _connect(name: str) -> Database:
    connection = sqlite3.connect(name, timeout=BUSY_SECONDS, check_same_thread=True)
    try:
        return _prepare(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF in _DAMAGED:
            raise _Damaged(str(error)) from None
        raise
    except BaseException:
        connection.close()
        raise


def _prepare(connection: sqlite3.Connection) -> Database:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    # What is deleted, or written over, must not stay readable in the file.
    connection.execute("PRAGMA secure_delete = ON").fetchall()
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _Damaged(verdict)
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    _refuse_newer(db)
    migrations.apply(db)
    return db


def _refuse_newer(db: Database) -> None:
    known = {"tables_of_the_first_release", "words_and_priorities"}
    newer = {migration.name for migration in migrations.applied(db)} - known
    if newer:
        raise _Damaged(f"written by a newer version: {', '.join(sorted(newer))}")


def _salvage_outbox(aside: Path, db: Database) -> None:
    """What the person did while offline is the only thing here that the server does not have too."""
    columns = "op_id, kind, notification_id, args, queued_at, attempts"
    try:
        rows = read_only(aside, f"SELECT {columns} FROM outbox WHERE sent = 0 ORDER BY n")
    except sqlite3.Error:
        log.warning("the actions that were not sent yet could not be read from the damaged cache")
        return
    with db.atomic():
        db.conn.executemany(f"INSERT OR IGNORE INTO outbox ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)


def read_only(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
