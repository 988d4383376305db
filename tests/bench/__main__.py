"""Runs the benchmarks and prints one line each: ours, the reference, and how many times the reference ours is."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from crmtray_server.store import feed
from crmtray_server.store.feed import NewItem, Scope
from tests.server.live import ALICE, Live, live_server

from . import sockets

ROUNDS = 5
SCOPE = Scope(ALICE.tenant_id, ALICE.user_id)


def item() -> NewItem:
    data = {"lead_id": "17", "lead_name": "Carlos Rodríguez", "source": "META_ADS", "probability": 0.85}
    message = "Lead de Meta Ads con 85% probabilidad de conversión"
    return NewItem(SCOPE, uuid.uuid4().hex, "hot_lead", "🔥 Lead Caliente Detectado", message, data, "urgent")


def report(what: str, unit: str, ours: list[float], reference_name: str, reference: list[float]) -> None:
    mine, other = statistics.median(ours), statistics.median(reference)
    print(f"{what}: {mine:.3g} {unit}; {reference_name}: {other:.3g} {unit}; ratio {mine / other:.2f}", flush=True)


async def storing(live: Live, folder: Path) -> None:
    """A durable notification with its change, fifty at a time as detection brings them, beside a bare insert."""
    store, ours, bare = live.server.store, [], []
    raw = sqlite3.connect(folder / "bare.db", isolation_level=None)
    raw.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE n (id TEXT PRIMARY KEY, body TEXT)"
    )
    single: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(100):
            await store.write(feed.add, [item()], datetime.now(UTC))
        single.append((time.perf_counter() - start) / 100 * 1e6)
        start = time.perf_counter()
        for _ in range(10):
            await store.write(feed.add, [item() for _ in range(50)], datetime.now(UTC))
        ours.append((time.perf_counter() - start) / 500 * 1e6)
        start = time.perf_counter()
        for _ in range(500):
            raw.execute("INSERT INTO n VALUES (?, ?)", (uuid.uuid4().hex, "x" * 600))
        bare.append((time.perf_counter() - start) / 500 * 1e6)
    raw.close()
    report("stored durably, one at a time", "µs each", single, "one bare SQLite insert and commit", bare)
    report("stored durably, fifty at a time", "µs each", ours, "one bare SQLite insert and commit", bare)


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with live_server(folder) as live:
            await storing(live, folder)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=None if sys.platform == "win32" else uvloop.new_event_loop) as runner:
        runner.run(main())
    if sys.platform == "linux":  # CPU and memory of other processes are read from /proc
        sockets.main()
