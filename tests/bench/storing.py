"""What it costs to store notifications: on SQLite in time, on PostgreSQL in CPU of this process and of the database.

SQLite's figures are of a durable store beside a bare insert and commit. PostgreSQL's are without waiting for the disk,
so that they are the work itself: people told of at once beside people told of one by one.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import uvloop

from crmtray_server.store import feed, migrate
from crmtray_server.store.database import Store, make_engine
from crmtray_server.store.feed import NewItem, Scope
from tests.harness.postgres import running_postgres

ROUNDS = 5
MANY = 50
TICKS = os.sysconf("SC_CLK_TCK")


def item(user_id: str = "1") -> NewItem:
    data = {"lead_id": "17", "lead_name": "Carlos Rodríguez", "source": "META_ADS", "probability": 0.85}
    message = "Lead de Meta Ads con 85% probabilidad de conversión"
    title = "🔥 Lead Caliente Detectado"
    return NewItem(Scope("1", user_id), uuid.uuid4().hex, "hot_lead", title, message, data, "urgent")


def report(what: str, unit: str, ours: list[float], reference_name: str, reference: list[float]) -> None:
    mine, other = statistics.median(ours), statistics.median(reference)
    print(f"{what}: {mine:.3g} {unit}; {reference_name}: {other:.3g} {unit}; ratio {mine / other:.2f}", flush=True)


def opened(url: str) -> Store:
    engine = make_engine(url)
    migrate.upgrade(engine)
    store = Store(engine)
    store.open()
    return store


async def on_sqlite(folder: Path) -> None:
    store = opened(f"sqlite:///{folder / 'store.db'}")
    raw = sqlite3.connect(folder / "bare.db", isolation_level=None)
    raw.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE n (id TEXT PRIMARY KEY, body TEXT)"
    )
    single, ours, people, bare = [], [], [], []
    for _ in range(ROUNDS):
        single.append(await _seconds(store, 100, lambda: [item()]))
        ours.append(await _seconds(store, 10, lambda: [item() for _ in range(MANY)]))
        people.append(await _seconds(store, 10, lambda: [item(str(number)) for number in range(MANY)]))
        start = time.perf_counter()
        for _ in range(500):
            raw.execute("INSERT INTO n VALUES (?, ?)", (uuid.uuid4().hex, "x" * 600))
        bare.append((time.perf_counter() - start) / 500 * 1e6)
    raw.close()
    store.close()
    reference = "one bare SQLite insert and commit"
    report("SQLite, stored durably one at a time", "µs each", single, reference, bare)
    report(f"SQLite, {MANY} of one person at a time", "µs each", ours, reference, bare)
    report(f"SQLite, one for each of {MANY} people at a time", "µs each", people, reference, bare)


async def _seconds(store: Store, times: int, items: Callable[[], list[NewItem]]) -> float:
    """µs an item."""
    count, start = 0, time.perf_counter()
    for _ in range(times):
        batch = items()
        await store.write(feed.add, batch, datetime.now(UTC))
        count += len(batch)
    return (time.perf_counter() - start) / count * 1e6


async def on_postgresql() -> None:
    with running_postgres() as postgres:
        url = postgres.new_database()
        store = opened(url)
        with psycopg.connect(url) as connection:
            single: list[float] = []
            together: list[float] = []
            everybody = [str(number) for number in range(MANY)]
            for _ in range(ROUNDS + 1):  # the first to warm up
                await _cpu(store, connection, 4 * MANY, lambda number: [item(str(number % MANY))], single)
                await _cpu(store, connection, 4, lambda _: list(map(item, everybody)), together)
        store.close()
    report(
        f"PostgreSQL, one for each of {MANY} people at a time", "µs of CPU each", together[1:], "one by one", single[1:]
    )


async def _cpu(
    store: Store,
    connection: psycopg.Connection[tuple[object, ...]],
    times: int,
    items: Callable[[int], list[NewItem]],
    figures: list[float],
) -> None:
    count, before = 0, _spent(connection)
    for number in range(times):
        batch = items(number)
        await store.write(feed.add, batch, datetime.now(UTC))
        count += len(batch)
    figures.append((_spent(connection) - before) / count * 1e6)


def _spent(connection: psycopg.Connection[tuple[object, ...]]) -> float:
    """Seconds of CPU of this process and of the database's processes that serve it."""
    rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname IS NOT NULL")
    return time.process_time() + sum(_of(int(str(pid))) for (pid,) in rows)


def _of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        await on_sqlite(Path(name))
    if sys.platform == "linux":
        await on_postgresql()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
