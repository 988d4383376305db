"""Runs the benchmarks and prints one line each: ours, the reference, and how many times the reference ours is."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import socketio
import uvloop
from aiohttp import web

from crmtray_server.store import feed
from crmtray_server.store.feed import NewItem, Scope
from tests.server.live import ALICE, Live, Socket, live_server

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
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(10):
            await store.write(feed.add, [item() for _ in range(50)], datetime.now(UTC))
        ours.append((time.perf_counter() - start) / 500 * 1e6)
        start = time.perf_counter()
        for _ in range(500):
            raw.execute("INSERT INTO n VALUES (?, ?)", (uuid.uuid4().hex, "x" * 600))
        bare.append((time.perf_counter() - start) / 500 * 1e6)
    raw.close()
    report("stored durably, fifty at a time", "µs each", ours, "one bare SQLite insert and commit", bare)


async def stock_server(deliver: Callable[[Callable[[], Awaitable[None]]], Awaitable[float]]) -> float:
    """The same delivery by python-socketio as it comes."""
    sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"])
    web_app = web.Application()
    sio.attach(web_app)

    async def connect(sid: str, environ: object, auth: object) -> None:
        await sio.enter_room(sid, "notifications:1")

    sio.on("connect", connect)
    runner = web.AppRunner(web_app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = socketio.AsyncClient(reconnection=False)
    got = asyncio.Semaphore(0)
    client.on("new_notification", lambda body: got.release())
    await client.connect(f"http://127.0.0.1:{runner.addresses[0][1]}", transports=["websocket"])
    body = {"title": "x" * 40, "message": "y" * 500, "data": {"lead_id": "17"}}

    async def one() -> None:
        await sio.emit("new_notification", body, room="notifications:1")
        await got.acquire()

    try:
        return await deliver(one)
    finally:
        await client.disconnect()
        await runner.cleanup()


async def delivering(live: Live) -> None:
    """From the call that stores (ours) or emits (stock) to the handler in the client, one after another."""
    client = await Socket().connect(live, live.token(ALICE))
    got = asyncio.Semaphore(0)
    client.client.on("new_notification", lambda body: got.release())
    await client.call("subscribe_notifications", {"epoch": live.server.store.epoch, "since": 10**6})

    async def one() -> None:
        await live.server.inbox.add([item()])
        await got.acquire()

    async def timed(send: Callable[[], Awaitable[None]]) -> float:
        took = []
        for _ in range(300):
            start = time.perf_counter()
            await send()
            took.append(time.perf_counter() - start)
        return statistics.median(took) * 1e3

    ours, stock = [], []
    for _ in range(ROUNDS):
        ours.append(await timed(one))
        stock.append(await stock_server(timed))
    await client.client.disconnect()
    report("stored durably and in the client's hands", "ms", ours, "stock emit, nothing stored", stock)


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with live_server(folder) as live:
            await storing(live, folder)
        async with live_server(folder / "second") as live:
            await delivering(live)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=None if sys.platform == "win32" else uvloop.new_event_loop) as runner:
        runner.run(main())
