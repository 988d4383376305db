"""A whole store moved into another database: every row, the same epoch, clients that go on, nobody left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials
from crmtray.protocol import User
from crmtray.session import Session
from crmtray_server.store import accounts, epoch, feed, migrate, sessions, snoozes, tables
from crmtray_server.store import move as moving
from crmtray_server.store.backup import BackupError
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from crmtray_server.store.move import move
from tests.client.support import Recorder, wait_until
from tests.harness.server import ServerProcess, sign
from tests.server.conftest import DATABASES
from tests.server.test_two_servers import ask

NOW = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
ANA, BRUNO = Scope("1", "ana"), Scope("2", "bruno")


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(params=[*DATABASES, "postgresql to postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """From each kind of database into another: the addresses of source and target."""
    file = f"sqlite:///{tmp_path / 'moved.db'}"
    if request.param == "postgresql to postgresql":
        postgres = request.getfixturevalue("postgres")
        return postgres.new_database(), postgres.new_database()
    elsewhere: str = request.getfixturevalue("postgres_url")
    return (file, elsewhere) if request.param == "sqlite" else (elsewhere, file)


def item(key: str, scope: Scope = ANA) -> NewItem:
    return NewItem(scope, key, "hot_lead", key, "🔥 línea\nlínea", {"área": "Núñez", "p": 0.1}, "high")


def fill(url: str) -> str:
    """Two people's feeds with something made, read, put off and removed, an account and a login; the epoch."""
    with engine_of(url) as engine:
        migrate.upgrade(engine)
        with closing(Store(engine)) as store:
            store.open()
            with engine.connect().execution_options(writing=True) as connection, connection.begin():
                made = feed.add(connection, [item("a"), item("b"), item("c", BRUNO)], NOW)
                ids = [change.id for entry in made for change in entry.changes]
                feed.mark_read(connection, ANA, ids[:1], NOW)
                snoozes.snooze(connection, ANA, ids[1:2], NOW.replace(year=2099))
                feed.remove(connection, BRUNO, ids[2:], NOW)
                accounts.add(connection, [(User("ana", "1", "Ana Ñ", "ana@demo.example", "seller"), "hash")], NOW)
                sessions.start(connection, ANA, NOW)
            return store.epoch


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    with engine_of(url) as engine, engine.connect() as connection:
        return {
            table.name: sorted((dict(row._mapping) for row in connection.execute(sa.select(table))), key=repr)
            for table in tables.metadata.sorted_tables
            if table not in (tables.meta, tables.duties)
        }


def epoch_of(url: str) -> str | None:
    with engine_of(url) as engine, engine.connect() as connection:
        return epoch.current(connection) if sa.inspect(connection).has_table("meta") else None


def opened_epoch(url: str) -> str:
    """What a server that starts with it finds."""
    with engine_of(url) as engine, closing(Store(engine)) as store:
        store.open()
        return store.epoch


def test_every_row_moves_and_the_store_keeps_its_name(urls: tuple[str, str]) -> None:
    source, target = urls
    before = fill(source)
    there = rows(source)
    counts = move(source, target)
    assert counts == {name: len(found) for name, found in there.items()} and sum(counts.values()) > 10
    assert rows(target) == there and rows(source) == there
    assert opened_epoch(target) == before
    # Whoever starts the old one again has a store of its own, whose numbers nobody takes for those of the new one.
    assert opened_epoch(source) != before


def test_only_an_empty_store_is_moved_into(urls: tuple[str, str]) -> None:
    source, target = urls
    before = fill(source), fill(target)
    with pytest.raises(BackupError, match=r"is not empty \(\d+ rows in \w+\): name an empty database"):
        move(source, target)
    assert (epoch_of(source), epoch_of(target)) == before


def test_a_store_in_use_is_not_moved(urls: tuple[str, str]) -> None:
    source, target = urls
    fill(source)
    with engine_of(source) as engine, closing(Store(engine)) as store:
        store.open()
        with pytest.raises(BackupError, match=r"in use.*stop the server first"):
            move(source, target)
    move(source, target)


class CutShort(Exception):
    """The machine stops just there."""


@pytest.mark.parametrize("where", ["before the old one is left", "before the new one is committed"])
def test_whatever_ends_it_there_are_never_two_of_one_name(
    urls: tuple[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = urls
    before = fill(source)
    leave = moving._leave_behind

    def cut(held: Any) -> None:
        if where == "before the new one is committed":
            leave(held)
        raise CutShort

    monkeypatch.setattr(moving, "_leave_behind", cut)
    with pytest.raises(CutShort):
        move(source, target)
    assert (epoch_of(source) == before) == (where == "before the old one is left")
    assert epoch_of(target) != before and not any(rows(target).values())
    monkeypatch.undo()
    assert sum(move(source, target).values()) > 10, "and it can be tried again"


def test_what_is_no_store_or_the_same_one_is_said(tmp_path: Path, postgres_url: str) -> None:
    file = tmp_path / "store.db"
    with pytest.raises(BackupError, match=r"There is no store at .*: nothing to move"):
        move(f"sqlite:///{file}", postgres_url)
    file.write_text("Querido diario")
    with pytest.raises(BackupError, match="not a store of crmtray"):
        move(f"sqlite:///{file}", postgres_url)
    file.unlink()
    fill(f"sqlite:///{file}")
    with pytest.raises(BackupError, match="nothing to move"):
        move(f"sqlite:///{file}", f"sqlite:///{tmp_path / '.' / 'store.db'}")
    with pytest.raises(BackupError, match="There is no store in this database yet"):
        move(postgres_url, f"sqlite:///{tmp_path / 'other.db'}")


def test_a_former_store_of_the_same_file_name_is_not_taken_for_this_one(tmp_path: Path, postgres_url: str) -> None:
    """The number beside the file says how often that one was opened."""
    before = fill(postgres_url)
    (tmp_path / "store.db.generation").write_text("40\n")
    target = f"sqlite:///{tmp_path / 'store.db'}"
    move(postgres_url, target)
    assert opened_epoch(target) == before


# --- with a server and a client ---------------------------------------------------------------------------------


def publish(server: ServerProcess, title: str) -> None:
    publisher = sign("9", role="admin", scope="notifications:write")
    body = {"user_id": "ana", "type": "news", "title": title, "message": "", "dedupe_key": title}
    ask(server, "/notifications", publisher, body)


async def test_a_client_goes_on_where_it_was(urls: tuple[str, str], tmp_path: Path) -> None:
    source, target = urls
    server = ServerProcess(tmp_path, DATABASE_URL=source)
    await asyncio.to_thread(server.add_user, "ana", "ana@demo.example", "seller", "una-clave-larga")
    recorder = Recorder()
    cache, kept = Cache.open(None), Credentials("test", memory_only=True)
    await asyncio.to_thread(server.start)
    session = Session(ClientConfig(server=server.url), recorder, cache=cache, credentials=kept)
    try:
        await session.login(server.url, "ana@demo.example", "una-clave-larga")
        await asyncio.to_thread(publish, server, "before")
        await wait_until(lambda: [n.title for n in session.cache.page()] == ["before"], "what is published")
        cursor = session.cache.cursor
        assert cursor is not None
        await asyncio.to_thread(server.stop)

        server.environment["DATABASE_URL"] = target
        said = await asyncio.to_thread(server.run, "migrate", "--from", source)
        assert "notifications: 1\n" in said and "accounts: 1\n" in said and said.count("moved;") == 1
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(publish, server, "after")
        await session.sync_now()
        await wait_until(lambda: {n.title for n in session.cache.page()} == {"before", "after"}, "news of the new one")
        assert session.cache.cursor == (cursor[0], cursor[1] + 1), "the same epoch: nothing was loaded anew"
        arrived = [id for ids, _ in recorder.arrivals for id in ids]
        assert len(arrived) == len(set(arrived)) == 2, "each was new once"
    finally:
        await session.stop()
        cache.close()
        await asyncio.to_thread(server.stop)


def test_the_command_says_what_is_wrong_in_a_line(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server, pytest.raises(AssertionError) as failed:
        running = server.environment["DATABASE_URL"]
        server.environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'new.db'}"
        server.run("migrate", "--from", running)
    assert "crmtray-server: The store to move from is in use: stop the server first" in str(failed.value)
