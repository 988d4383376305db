"""A copy of the store while it runs, and back: every row as it was, a new epoch, and clients that load anew."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials
from crmtray.protocol import NotificationAction, User
from crmtray.session import Session
from crmtray_server.store import accounts, backup, epoch, feed, migrate, sessions, snoozes, tables
from crmtray_server.store.backup import BackupError
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from tests.client.support import Recorder, wait_until
from tests.harness.server import SECRET, ServerProcess, sign

NOW = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
ANA, BRUNO = Scope("1", "ana"), Scope("2", "bruno")


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """All there is, as the program reads it, but for what a store says of itself."""
    with engine_of(url) as engine, engine.connect() as connection:
        return {
            table.name: sorted((dict(row._mapping) for row in connection.execute(sa.select(table))), key=repr)
            for table in tables.metadata.sorted_tables
            if table is not tables.meta
        }


def epoch_of(url: str) -> str | None:
    with engine_of(url) as engine, engine.connect() as connection:
        return epoch.current(connection)


def item(key: str, scope: Scope = ANA, **more: Any) -> NewItem:
    action = NotificationAction("Llamar «ya»", "schedule_call", {"lead_id": "7", "n": 0.1, "no": None})
    return NewItem(scope, key, "hot_lead", key, "🔥 línea\nlínea", DATA, "high", None, (action,), **more)


def fill(connection: Any) -> None:
    """Two people with something made, read, put off and removed, and a login."""
    made = feed.add(connection, [item("a"), item("b", silent=True, reason="quiet"), item("c", BRUNO)], NOW)
    ids = [change.id for entry in made for change in entry.changes]
    feed.mark_read(connection, ANA, ids[:1], NOW + timedelta(seconds=1))
    snoozes.snooze(connection, ANA, ids[1:2], NOW + timedelta(days=400, microseconds=1))
    feed.remove(connection, BRUNO, ids[2:], NOW)
    accounts.add(connection, [(User("ana", "1", "Ana Ñ", "ana@demo.example", "seller"), "hash")], NOW)
    sessions.start(connection, ANA, NOW)


DATA = {"área": "Núñez", "p": 0.30000000000000004, "big": 2**53 + 1, "list": [True, None, {"x": "\u2028"}]}
SAMPLES: list[tuple[type[Any], Any]] = [
    (tables.UtcTime, NOW),
    (sa.JSON, DATA),
    (sa.Boolean, True),
    (sa.BigInteger, 2**40 + 1),
    (sa.Integer, 7),
    (sa.Float, 0.1 + 0.2),
    (sa.Time, time(22, 30)),
    (sa.String, "Ñandú 🔥"),
]


def sample(column: sa.Column[Any], number: int) -> Any:
    """A value that databases may keep differently; in the second row nothing, where that is allowed."""
    if number and column.nullable:
        return None
    value = next(value for kind, value in SAMPLES if isinstance(column.type, kind))
    return f"{number}{value}" if isinstance(value, str) else value


def fill_all(connection: Any) -> None:
    for table in tables.metadata.sorted_tables:
        if table is not tables.meta:
            full = [{column.name: sample(column, number) for column in table.columns} for number in range(2)]
            connection.execute(table.insert(), full)


@contextmanager
def opened(url: str) -> Iterator[Store]:
    engine = make_engine(url)
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    with opened(store_url) as store:
        await store.write(fill)
        yield store


def test_every_row_comes_back_over_both_databases(tmp_path: Path, postgres_url: str) -> None:
    first, last = f"sqlite:///{tmp_path / 'first.db'}", f"sqlite:///{tmp_path / 'last.db'}"
    with opened(first) as store:
        asyncio.run(store.write(fill))
        asyncio.run(store.write(fill_all))
    backup.backup(first, tmp_path / "one")
    backup.restore(tmp_path / "one", postgres_url)
    backup.backup(postgres_url, tmp_path / "two")
    backup.restore(tmp_path / "two", last)
    given = rows(first)
    assert all(len(found) >= 2 for found in given.values())
    assert rows(postgres_url) == given and rows(last) == given
    assert len({epoch_of(first), epoch_of(postgres_url), epoch_of(last)}) == 3


async def test_a_backup_is_one_whole_private_file(store: Store, store_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    file = folder / "crm tray?.db"
    contents = await asyncio.to_thread(backup.backup, store_url, file)
    assert (contents.notifications, contents.feeds, contents.accounts) == (2, 2, 1)
    assert [path.name for path in folder.iterdir()] == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600 and contents.bytes == file.stat().st_size
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.newest(),)


async def test_a_backup_under_writers_is_of_one_moment(store: Store, store_url: str, tmp_path: Path) -> None:
    """Each write makes one item for both people, so in any copy of one moment both have as many."""
    stop = asyncio.Event()

    async def write() -> int:
        made = 0
        while not stop.is_set():
            await store.write(feed.add, [item(f"k{made}"), item(f"k{made}", BRUNO)], NOW)
            made += 1
        return made

    writing = asyncio.create_task(write())
    counts = []
    for number in range(4):
        file = tmp_path / f"copy{number}"
        await asyncio.to_thread(backup.backup, store_url, file)
        with closing(sqlite3.connect(file)) as connection:
            counts.append(connection.execute("SELECT head FROM feeds ORDER BY user_id").fetchall())
            [(entries,)] = connection.execute("SELECT count(*) FROM changes").fetchall()
        assert entries == sum(head for (head,) in counts[-1])
    stop.set()
    made = await writing
    # Before the first write ana's feed had four changes and bruno's two.
    assert all(ana - 4 == bruno - 2 for ((ana,), (bruno,)) in counts) and counts[-1][0][0] <= made + 4


async def test_a_restore_under_a_running_store_is_another_epoch(store: Store, store_url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(backup.backup, store_url, tmp_path / "copy")
    before = await store.read(feed.changes_since, ANA, store.epoch, 0, 100)
    await store.write(feed.clear, ANA, NOW)
    await store.write(feed.add, [item("later")], NOW)
    kept = await store.read(lambda connection: epoch.current(connection))

    await asyncio.to_thread(backup.restore, tmp_path / "copy", store_url)
    after = await store.read(feed.changes_since, ANA, kept, 4, 100)
    assert after.reset and after.epoch not in (store.epoch, before.epoch)
    assert {change.id for change in after.changes} == {change.id for change in before.changes}
    assert after.seq == 4 and after.unread_count == before.unread_count
    assert not (await store.read(feed.changes_since, ANA, after.epoch, 4, 100)).reset
    [entry] = await store.write(feed.add, [item("later")], NOW)
    assert entry.changes[0].seq == 5


async def test_a_restore_between_writers_keeps_the_feed_whole(store: Store, store_url: str, tmp_path: Path) -> None:
    """Whatever a writer and the restore do to each other, both come through and numbers stay 1..head."""
    await asyncio.to_thread(backup.backup, store_url, tmp_path / "copy")
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await store.write(feed.add, [item(f"k{number}"), item(f"k{number}", BRUNO)], NOW)

    writing = asyncio.create_task(write())
    for _ in range(3):
        await asyncio.to_thread(backup.restore, tmp_path / "copy", store_url)
    stop.set()
    await writing
    for scope in (ANA, BRUNO):
        page = await store.read(feed.changes_since, scope, epoch_of(store_url), 0, 10_000)
        assert not page.reset and [change.seq for change in page.changes] == list(range(1, page.seq + 1))


def test_an_older_backup_is_brought_up_to_date(tmp_path: Path, store_url: str) -> None:
    old = tmp_path / "old.db"
    with engine_of(f"sqlite:///{old}") as engine:
        migrate.upgrade(engine, "0001")
        with engine.begin() as connection:
            columns = tables.notifications.columns.keys()
            assert "woken_at" in columns
            connection.execute(sa.text("INSERT INTO meta VALUES ('epoch', 'old')"))
            connection.execute(sa.text("INSERT INTO feeds VALUES ('1', 'ana', 3, 0, 0)"))
    content = old.read_bytes()
    backup.restore(old, store_url)
    assert old.read_bytes() == content
    assert [row["head"] for row in rows(store_url)["feeds"]] == [3] and epoch_of(store_url) not in (None, "old")
    with engine_of(store_url) as engine:
        assert migrate.is_current(engine)


def test_an_older_store_can_be_backed_up_before_it_is_migrated(tmp_path: Path, store_url: str) -> None:
    with engine_of(store_url) as engine:
        migrate.upgrade(engine, "0001")
        with engine.connect().execution_options(writing=True) as connection, connection.begin():
            connection.execute(sa.text("INSERT INTO feeds VALUES ('1', 'ana', 3, 0, 0)"))
    backup.backup(store_url, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert copy.execute("SELECT head FROM feeds").fetchone() == (3,)


def damage(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        [(page,)] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'notifications_newest'"
        ).fetchall()
        [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xff" * size)


async def test_what_cannot_be_restored_changes_nothing(store: Store, store_url: str, tmp_path: Path) -> None:
    good = tmp_path / "good"
    await asyncio.to_thread(backup.backup, store_url, good)
    text, empty, other, broken, newer = (tmp_path / name for name in ("text", "empty", "other", "broken", "newer"))
    text.write_text("not a database")
    empty.write_bytes(b"")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    for copy in (broken, newer):
        copy.write_bytes(good.read_bytes())
    damage(broken)
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = rows(store_url), epoch_of(store_url)
    for file, sentence in (
        (tmp_path / "none", "cannot be read: no such file"),
        (tmp_path, "cannot be read: is a directory"),
        (text, "is not a backup of crmtray"),
        (empty, "is not a backup of crmtray"),
        (other, "not a store of crmtray"),
        (broken, "is damaged|malformed"),
        (newer, r"\(9999\) is newer than this program"),
    ):
        with pytest.raises(BackupError, match=sentence):
            await asyncio.to_thread(backup.restore, file, store_url)
    assert (rows(store_url), epoch_of(store_url)) == before


async def test_a_restore_that_breaks_off_changes_nothing(
    store: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_connection: object) -> str:
        raise KeyboardInterrupt

    await asyncio.to_thread(backup.backup, store_url, tmp_path / "copy")
    await store.write(feed.clear, ANA, NOW)
    before = rows(store_url), epoch_of(store_url)
    monkeypatch.setattr(epoch, "renew", break_off)
    with pytest.raises(KeyboardInterrupt):
        backup.restore(tmp_path / "copy", store_url)
    assert (rows(store_url), epoch_of(store_url)) == before
    assert len(await store.write(feed.add, [item("later")], NOW)) == 1


def test_a_store_is_not_restored_from_itself(tmp_path: Path) -> None:
    url, link = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "link"
    with opened(url):
        link.symlink_to(tmp_path / "store.db")
        for file in (tmp_path / "store.db", link):
            with pytest.raises(BackupError, match="is the store itself"):
                backup.restore(file, url)


async def test_what_cannot_be_backed_up_leaves_no_file(store: Store, store_url: str, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    with pytest.raises(BackupError, match="exists already"):
        await asyncio.to_thread(backup.backup, store_url, there)
    with pytest.raises(BackupError, match="cannot be written: no such file or directory"):
        await asyncio.to_thread(backup.backup, store_url, tmp_path / "no folder" / "copy")
    assert there.read_text() == "precious"


def test_nothing_is_made_where_there_is_no_store(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path / 'none.db'}", postgres_url):
        with pytest.raises(BackupError, match="There is no store"):
            backup.backup(url, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_is_one_sentence_and_no_file(store: Store, store_url: str, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: writing fails the same way, half way through."""
    await store.write(feed.add, [item(f"k{n}") for n in range(400)], NOW)
    folder = tmp_path / "full"
    folder.mkdir()
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-P", "-m", "crmtray_server", "backup", str(folder / "copy")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "JWT_SECRET_KEY": SECRET, "DATABASE_URL": store_url},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 1 and process.stdout == ""
    assert process.stderr.startswith(f"crmtray-server: {folder / 'copy'} could not be written: ")
    assert process.stderr.endswith("Nothing was left behind.\n") and process.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


# --- a running server and its clients ----------------------------------------------------------------------------


def changes_of(server: ServerProcess, cursor: tuple[str, int]) -> Any:
    address = f"{server.url}/notifications/changes?epoch={cursor[0]}&since={cursor[1]}"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {sign('ana')}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@asynccontextmanager
async def signed_in(server: ServerProcess) -> AsyncIterator[Session]:
    cache = Cache.open(None)
    kept = Credentials("test", memory_only=True)
    session = Session(ClientConfig(server=server.url), Recorder(), cache=cache, credentials=kept)
    try:
        await session.login(server.url, "ana@demo.example", "una-clave-larga")
        yield session
    finally:
        await session.stop()
        cache.close()


async def test_a_client_has_what_the_restored_store_has(store_url: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, DATABASE_URL=store_url) as server, opened(store_url) as store:
        server.add_user("ana", "ana@demo.example", "seller", "una-clave-larga")
        await store.write(feed.add, [item("stays"), item("comes back")], NOW)
        async with signed_in(server) as session:

            def shown() -> set[str]:
                return {notification.title for notification in session.cache.page()}

            await wait_until(lambda: shown() == {"stays", "comes back"}, "what there was")
            said = await asyncio.to_thread(server.run, "backup", str(tmp_path / "copy"))
            assert said.startswith(f"backed up to {tmp_path / 'copy'}: 2 notifications in 1 feeds, 1 accounts, ")
            [gone] = [item.id for item in session.cache.page() if item.title == "comes back"]
            await store.write(feed.remove, ANA, [gone], NOW)
            await store.write(feed.add, [item("was never")], NOW)
            await session.sync_now()
            await wait_until(lambda: shown() == {"stays", "was never"}, "what happened after the backup")
            before = session.cache.cursor
            assert before == (store.epoch, 4) and not changes_of(server, before)["reset"]

            said = await asyncio.to_thread(server.run, "restore", str(tmp_path / "copy"))
            assert said.endswith("all clients load anew\n") and said.count("\n") == 1
            page = changes_of(server, before)
            assert page["reset"] and page["epoch"] != before[0] and page["seq"] == 2
            await wait_until(lambda: shown() == {"stays", "comes back"}, "what there was")
            assert session.cache.cursor == (page["epoch"], 2)
            await store.write(feed.add, [item("after")], NOW)
            await session.sync_now()
            await wait_until(lambda: shown() == {"stays", "comes back", "after"}, "news in the new epoch")


# --- a file that somebody replaced ------------------------------------------------------------------------------


@pytest.mark.expects_log("replaced by an older copy")
def test_an_older_copy_put_in_place_by_hand_is_another_epoch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "store.db"
    url = f"sqlite:///{file}"
    with opened(url) as store:
        first = store.epoch
    backup.backup(url, tmp_path / "copy")
    for _ in range(2):
        with opened(url) as store:
            assert store.epoch == first
    assert caplog.records == []
    file.write_bytes((tmp_path / "copy").read_bytes())
    with opened(url) as store:
        replaced = store.epoch
    assert replaced != first and len(caplog.records) == 1
    with opened(url) as store:
        assert store.epoch == replaced
    assert len(caplog.records) == 1


def test_a_restore_by_the_command_is_not_taken_for_an_older_copy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with opened(url):
        backup.backup(url, tmp_path / "copy")
    for _ in range(2):
        with opened(url):
            pass
    backup.restore(tmp_path / "copy", url)
    restored = epoch_of(url)
    with opened(url) as store:
        assert store.epoch == restored


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"many", b"-5"])
def test_the_file_beside_the_store_never_keeps_it_from_opening(tmp_path: Path, content: bytes) -> None:
    url, beside = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "store.db.generation"
    with opened(url) as store:
        first = store.epoch
    beside.write_bytes(content)
    with opened(url) as store:
        assert store.epoch == first
    assert beside.read_text() == "2\n"
    beside.unlink()
    beside.mkdir()  # cannot be read or written, whoever we are
    with opened(url) as store:
        assert store.epoch == first
    assert {path.name for path in tmp_path.iterdir()} <= {
        f"store.db{suffix}" for suffix in ("", "-wal", "-shm", ".generation")
    }


def test_a_new_store_beside_an_old_file_starts_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "store.db.generation").write_text("41\n")
    with opened(f"sqlite:///{tmp_path / 'store.db'}") as store:
        assert store.epoch
    assert (tmp_path / "store.db.generation").read_text() == "42\n"
