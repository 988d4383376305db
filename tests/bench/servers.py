"""The servers that the load is put on, each in a process of its own: `python -m tests.bench.servers KIND FOLDER`.

ours: the whole server as `app.build` makes it. stock: a bare python-socketio server with the same token check and a
room for each user. floor: a raw aiohttp websocket that writes the same bytes, prebuilt. The three speak the same few
frames of Socket.IO, so one load generator serves all. Prints its address; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

import jwt
import socketio
import uvloop
from aiohttp import web
from pydantic import SecretStr

from crmtray.protocol import Change, Notification, User
from crmtray_server import app
from crmtray_server.demo_server import DemoSettings
from crmtray_server.frames import count_frame, event_frame
from crmtray_server.store import accounts, database
from crmtray_server.store.feed import Committed, Scope

SECRET = "a secret of the benchmarks, sixty-four bytes long, known to all of them"
TENANT = "1"
USERS = 1000
"""Who has an account; others may connect, and can be told nothing."""
PING_SECONDS = 5
"""Shorter than in use, so that a short look at idle connections holds two rounds of pings."""
TEXT = "Lead de Meta Ads con 85% probabilidad de conversión. " * 8


def notification(user: str, seq: int) -> Notification:
    data = {"lead_id": user, "lead_name": "Carlos Rodríguez", "source": "META_ADS", "probability": 0.85}
    return Notification(
        id=str(uuid.UUID(int=seq)), seq=seq, type="hot_lead", title="🔥 Lead Caliente Detectado", message=TEXT,
        data=data, priority="urgent", created_at=datetime.now(UTC),
    )  # fmt: skip


def user(id: str) -> User:
    return User(id, TENANT, f"Persona {id}", f"{id}@bench.example", "seller")


class Target(Protocol):
    async def tell(self, user: str, first: int, count: int) -> None:
        """Sends `count` new items of one commit, then the new count, to everyone who is signed in as `user`."""

    async def tell_all(self, users: list[str], seq: int) -> None:
        """One commit with one new item for each of these."""

    def connected(self) -> int: ...


class Ours:
    def __init__(self, server: app.Server) -> None:
        self.server = server

    async def tell(self, user: str, first: int, count: int) -> None:
        database._committed_at.set(time.perf_counter())
        self.server.hub.publish([_committed(user, first, count)])

    async def tell_all(self, users: list[str], seq: int) -> None:
        database._committed_at.set(time.perf_counter())
        self.server.hub.publish([_committed(user, seq, 1) for user in users])

    def connected(self) -> int:
        return len(self.server.realtime.sio.environ)


def _committed(user: str, first: int, count: int) -> Committed:
    made = [notification(user, seq) for seq in range(first, first + count)]
    return Committed(Scope(TENANT, user), tuple(Change(one.seq, one.id, one, new=True) for one in made), count)


class Stock:
    def __init__(self) -> None:
        self.sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"], ping_interval=PING_SECONDS)
        self.sio.on("connect", self._connect)
        self.sio.on("subscribe_notifications", self._subscribe)

    async def _connect(self, sid: str, environ: object, auth: dict[str, str]) -> None:
        claims = jwt.decode(auth["token"], SECRET, algorithms=["HS256"])
        await self.sio.enter_room(sid, f"notifications:{claims['user_id']}")

    async def _subscribe(self, sid: str, data: Any) -> dict[str, bool]:
        return {"ok": True}

    async def tell(self, user: str, first: int, count: int) -> None:
        room = f"notifications:{user}"
        for seq in range(first, first + count):
            await self.sio.emit("new_notification", notification(user, seq).to_wire(), room=room)
        body = {"count": count, "epoch": "bench", "seq": first + count - 1}
        await self.sio.emit("notification_count_update", body, room=room)

    async def tell_all(self, users: list[str], seq: int) -> None:
        for user in users:
            await self.tell(user, seq, 1)

    def connected(self) -> int:
        return len(self.sio.environ)


class Floor:
    def __init__(self) -> None:
        self.transports: dict[str, asyncio.Transport] = {}

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        await websocket.send_str('0{"sid":"x"}')
        token = json.loads((await websocket.receive_str())[2:])["token"]
        user = jwt.decode(token, SECRET, algorithms=["HS256"])["user_id"]
        await websocket.send_str('40{"sid":"x"}')
        self.transports[user] = transport = cast(asyncio.Transport, request.transport)
        pinging = asyncio.get_running_loop().call_later(PING_SECONDS, self._ping, transport)
        try:
            async for message in websocket:
                if message.data.startswith("421"):
                    await websocket.send_str('431[{"ok":true}]')
                elif message.data == "3":
                    pinging = asyncio.get_running_loop().call_later(PING_SECONDS, self._ping, transport)
        finally:
            pinging.cancel()
            del self.transports[user]
        return websocket

    def _ping(self, transport: asyncio.Transport) -> None:
        transport.write(_frame("2"))

    async def tell(self, user: str, first: int, count: int) -> None:
        frames = [event_frame("new_notification", notification(user, n).to_wire()) for n in range(first, first + count)]
        frames.append(count_frame(count, "bench", first + count - 1))
        self.transports[user].write(b"".join(_frame("4" + frame) for frame in frames))

    async def tell_all(self, users: list[str], seq: int) -> None:
        for user in users:
            await self.tell(user, seq, 1)

    def connected(self) -> int:
        return len(self.transports)


def _frame(text: str) -> bytes:
    body = text.encode()
    head = bytes([0x81, len(body)]) if len(body) < 126 else b"\x81\x7e" + len(body).to_bytes(2, "big")
    return head + body


def _control(target: Target) -> list[web.RouteDef]:
    """What the load generator asks for over HTTP; the cost of asking is spread over hundreds of events."""

    async def single(request: web.Request) -> web.Response:
        body = await request.json()
        for number in range(body["times"]):
            await target.tell(body["user"], body["seq"] + number * body["count"], body["count"])
            await asyncio.sleep(0)  # each in a turn of the loop of its own, as commits come
        return web.Response()

    async def everyone(request: web.Request) -> web.Response:
        body = await request.json()
        await target.tell_all(body["users"], body["seq"])
        return web.Response()

    async def connected(request: web.Request) -> web.Response:
        return web.Response(text=str(target.connected()))

    return [
        web.post("/bench/single", single),
        web.post("/bench/everyone", everyone),
        web.get("/bench/connected", connected),
    ]


def _stock_publishing(target: Stock, folder: Path) -> web.RouteDef:
    """`POST /notifications` as it is first written: a durable row in a thread, then an emit."""
    raw = sqlite3.connect(folder / "stock.db", isolation_level=None, check_same_thread=False)
    raw.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE n (id TEXT PRIMARY KEY, b TEXT)")
    lock = threading.Lock()

    def insert(text: str) -> None:
        with lock:
            raw.execute("INSERT INTO n VALUES (?, ?)", (uuid.uuid4().hex, text))

    async def publish(request: web.Request) -> web.Response:
        body = await request.json()
        await asyncio.to_thread(insert, json.dumps(body))
        await target.sio.emit("new_notification", body, room=f"notifications:{body['user_id']}")
        return web.Response(status=201)

    return web.post("/notifications", publish)


async def _serve(kind: str, folder: Path, stop: asyncio.Event) -> None:
    if kind == "ours":
        await _serve_ours(folder, stop)
        return
    web_app = web.Application()
    if kind == "stock":
        stock = Stock()
        stock.sio.attach(web_app)
        web_app.add_routes([*_control(stock), _stock_publishing(stock, folder)])
    else:
        floor = Floor()
        web_app.add_routes([*_control(floor), web.get("/socket.io/", floor.serve)])
    await _listen(web_app, stop)


async def _serve_ours(folder: Path, stop: asyncio.Event) -> None:
    settings = DemoSettings(
        jwt_secret_key=SecretStr(SECRET),
        database_url=f"sqlite:///{folder / 'ours.db'}",
        socketio_max_connections=10_000,
        socketio_ping_interval=PING_SECONDS * 1000,
    )
    server = app.build(settings)
    server.web_app.add_routes(_control(Ours(server)))
    await server.store.write(accounts.add, [(user(str(n)), "no password") for n in range(USERS)], datetime.now(UTC))
    tasks = [asyncio.ensure_future(function()) for _, function in server.background()]
    await _listen(server.web_app, stop, server.realtime.close)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.store.close()


async def _listen(
    web_app: web.Application, stop: asyncio.Event, closing: Callable[[], Awaitable[None]] | None = None
) -> None:
    runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await stop.wait()
    if closing is not None:
        await closing()
    await runner.cleanup()


def main() -> None:
    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait_for_end() -> None:
            sys.stdin.buffer.read()
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_end, daemon=True).start()
        await _serve(sys.argv[1], Path(sys.argv[2]), stop)

    # The stock server runs as it comes; uvloop is part of ours, and of the floor.
    factory = None if sys.argv[1] == "stock" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())


if __name__ == "__main__":
    main()
