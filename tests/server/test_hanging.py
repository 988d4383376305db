"""A database that hangs must not make the server hang: nobody waits without end, and it can always be stopped."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from crmtray.protocol import User
from crmtray_server import directory as module
from crmtray_server.crm.engine import READ_SECONDS, crm_engine
from crmtray_server.crm.orders import CrmUnavailable
from crmtray_server.directory import FRESH_SECONDS, Directory
from crmtray_server.store import database, migrate
from crmtray_server.store.database import Store, StoreUnavailable, make_engine
from crmtray_server.store.feed import Scope
from crmtray_server.store.tables import meta
from tests.harness.server import ServerProcess, sign
from tests.server.reference_crm import ReferenceCrm

ANA = User("7", "1", "Ana", "ana@demo.example", "secretary")
QUICK = 8.0
"""Seconds: far below what hangs here, which is without end."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    engine = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    yield store
    await asyncio.to_thread(store.close)


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Set at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


async def test_nobody_is_absent_while_the_first_look_is_put_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In that moment an e-mail was let go as for a stranger, and an alert for a role reached nobody."""
    asked, gate, read = asyncio.Event(), asyncio.Event(), store.read

    async def slow(function: Any, *args: Any) -> Any:
        asked.set()
        await gate.wait()
        return await read(function, *args)

    monkeypatch.setattr(store, "read", slow)
    directory = Directory(store, lambda: [ANA])
    first = asyncio.create_task(directory.refresh())
    await asked.wait()
    standing = asyncio.create_task(directory.standing(Scope("1", "7")))
    told = asyncio.create_task(directory.to_tell("1", ["secretary"]))
    for _ in range(5):
        await asyncio.sleep(0)
    gate.set()
    assert await standing == "active" and await told == [ANA]
    await first


async def test_a_crm_that_hangs_at_the_start_keeps_nobody_waiting(
    store: Store, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)

    def load() -> list[User]:
        stuck.wait(30)
        return [ANA]

    directory = Directory(store, load)
    async with asyncio.timeout(QUICK):
        assert await directory.standing(Scope("1", "7")) == "unreadable"  # not "absent": that would end his login
        with pytest.raises(CrmUnavailable):
            await directory.find("7")
        # An event that is told to nobody is not told again: so it has to wait.
        with pytest.raises(CrmUnavailable):
            await directory.to_tell("1", ["secretary"])
        stuck.set()
        await directory.refresh()
        assert await directory.to_tell("1", ["secretary"]) == [ANA]


async def test_a_crm_that_hangs_later_leaves_what_is_known(
    store: Store, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    clock, looks = [1000.0], [0]

    def load() -> list[User]:
        looks[0] += 1
        if looks[0] > 1:
            stuck.wait(30)
        return [ANA]

    directory = Directory(store, load, lambda: clock[0])
    await directory.refresh()
    async with asyncio.timeout(QUICK):
        for _ in range(5):
            clock[0] += 2 * FRESH_SECONDS
            assert await directory.get(Scope("1", "7")) == ANA
    assert looks[0] == 2  # one look hangs, no more are begun
    stuck.set()
    await directory.refresh()


async def test_a_statement_of_the_store_ends_on_its_own(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was refused does not happen after all."""
    monkeypatch.setattr(database, "STATEMENT_SECONDS", 1)
    monkeypatch.setattr(database, "RETRY_SECONDS", 0.5)
    engine = make_engine(postgres_url)
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    row = {"key": "asked", "value": "while locked"}
    with closing(psycopg.connect(postgres_url)) as other:
        other.execute("LOCK TABLE meta IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(QUICK):
            with pytest.raises(StoreUnavailable):
                await store.read(lambda connection: connection.execute(meta.select()).all())
            with pytest.raises(StoreUnavailable):
                await store.write(lambda connection: connection.execute(meta.insert().values(row)))
    keys = await store.read(lambda connection: set(connection.execute(sa.select(meta.c.key)).scalars()))
    assert "asked" not in keys
    await asyncio.to_thread(store.close)


async def test_nobody_waits_for_a_write_that_is_stuck(
    store: Store, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.2)
    begun = threading.Event()

    def hang(_connection: sa.Connection) -> None:
        begun.set()
        stuck.wait(30)

    first = asyncio.create_task(store.write(hang))
    done: list[str] = []
    async with asyncio.timeout(QUICK):
        await asyncio.to_thread(begun.wait)
        with pytest.raises(StoreUnavailable):
            await store.write(lambda _connection: done.append("behind it"))
        with pytest.raises(StoreUnavailable):
            await first
    monkeypatch.undo()
    stuck.set()
    await store.write(lambda _connection: done.append("later"))
    assert done == ["later"]


def test_a_reading_of_the_crm_ends_on_its_own(postgres_url: str) -> None:
    """For the transaction alone: with a pooler the connection is the CRM's own."""
    engine = crm_engine(postgres_url, read_only=True)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == f"{READ_SECONDS}s"
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        streamed = connection.execution_options(stream_results=True).exec_driver_sql("SELECT 1")
        assert streamed.scalar() == 1
    with closing(engine.raw_connection()) as lent, closing(lent.cursor()) as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_setting('statement_timeout')")
        assert cursor.fetchone() == (pid, "0")
    engine.dispose()


def ask(server: ServerProcess, path: str) -> int:
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {sign('7')}"})
    try:
        with urllib.request.urlopen(request, timeout=QUICK) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def ask_in_vain(server: ServerProcess) -> None:
    with suppress(OSError, HTTPException):
        ask(server, "/notifications")


def ends_in_time(server: ServerProcess) -> None:
    began = time.monotonic()
    server.stop()  # checks the exit code
    assert time.monotonic() - began < 10


def test_a_server_whose_crm_hangs_serves_and_ends(postgres_url: str, tmp_path: Path) -> None:
    with closing(ReferenceCrm(postgres_url)) as crm:
        crm.people()
    with closing(psycopg.connect(postgres_url)) as lock:
        lock.execute("LOCK TABLE users, tenants, conversations IN ACCESS EXCLUSIVE MODE")
        server = ServerProcess(tmp_path, CRM_DATABASE_URL=postgres_url, CRM_ACTIONS="sql")
        server.start()
        answers = [ask(server, path) for path in ("/health", "/notifications", "/auth/me", "/notifications/settings")]
        ends_in_time(server)
    assert answers == [200] * 4


def test_a_server_whose_store_hangs_ends(postgres_url: str, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, DATABASE_URL=postgres_url)
    server.start()
    with closing(psycopg.connect(postgres_url)) as lock:
        lock.execute("LOCK TABLE notifications, feeds IN ACCESS EXCLUSIVE MODE")
        waiting = threading.Thread(target=partial(ask_in_vain, server))
        waiting.start()
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with closing(psycopg.connect(postgres_url, autocommit=True)) as watching:
            while watching.execute(blocked).fetchone() == (0,):
                time.sleep(0.02)
        ends_in_time(server)
        waiting.join()
