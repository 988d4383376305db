"""What it costs to reach a socket of another node: `python -m tests.bench.nodes`, about half a minute.

Two nodes of ours on one PostgreSQL with doorbells over Redis, beside two bare python-socketio servers with its
AsyncRedisManager on the same Redis. One client a user on each node; what node A is told goes to both, and the
difference of the two latencies is what the way to the other node adds. Ours begins at the commit: what storing costs
is measured in `storing`. Of the CPU time only node B's and Redis' is told, since A also stores; not PostgreSQL's, which
B reads. Both pairs run at the same time and take turns, so that the machine's mood is the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Protocol

import aiohttp
import socketio
import uvloop
from aiohttp import web
from pydantic import SecretStr

from crmtray_server import app
from crmtray_server.auth import sign_claims
from crmtray_server.demo_server import DemoSettings
from crmtray_server.store.database import committed_at
from crmtray_server.store.feed import NewItem, Scope
from tests.harness.postgres import running_postgres
from tests.harness.redis import running_redis

SECRET = "a secret of the benchmarks, sixty-four bytes long, known to all of them"
USERS, ROUNDS, PACED, PER_SECOND, FLAT_OUT, AT_ONCE = 40, 3, 200, 100, 300, 20
TEXT = "Lead de Meta Ads con 85% probabilidad de conversión. " * 8
DATA = {"lead_id": "1", "lead_name": "Carlos Rodríguez", "source": "META_ADS", "probability": 0.85}


# --- the nodes, each in a process of its own -----------------------------------------------------------------------


class Told(Protocol):
    async def __call__(self, user: str, title: str) -> float:
        """Tells one thing; the moment from which its way to the sockets counts."""


@asynccontextmanager
async def ours(store: str, redis: str) -> AsyncIterator[tuple[web.Application, Told]]:
    settings = DemoSettings(jwt_secret_key=SecretStr(SECRET), database_url=store, redis_url=SecretStr(redis))
    server = await asyncio.to_thread(app.build, settings)
    assert server.bus is not None
    running = [asyncio.create_task(one()) for one in (server.bus.run, server.hub.sweep_forever)]

    async def tell(user: str, title: str) -> float:
        item = NewItem(Scope("1", user), title, "hot_lead", title, TEXT, DATA, "urgent")
        await server.inbox.add([item])
        moment = committed_at()
        assert moment is not None
        return moment

    try:
        yield server.web_app, tell
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.realtime.close()


@asynccontextmanager
async def stock(_store: str, redis: str) -> AsyncIterator[tuple[web.Application, Told]]:
    manager = socketio.AsyncRedisManager(redis, channel="crmtray:stock")
    sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"], client_manager=manager)

    async def connect(sid: str, environ: object, auth: dict[str, str]) -> None:
        await sio.enter_room(sid, auth["user"])

    async def subscribe(sid: str, data: object) -> dict[str, bool]:
        return {"ok": True}

    async def tell(user: str, title: str) -> float:
        moment = time.perf_counter()
        body = {"title": title, "message": TEXT, "data": DATA, "priority": "urgent", "created_at": "2026-03-02T12:00Z"}
        await sio.emit("new_notification", body, room=user)
        await sio.emit("notification_count_update", {"count": 1, "epoch": "bench", "seq": 1}, room=user)
        return moment

    sio.on("connect", connect)
    sio.on("subscribe_notifications", subscribe)
    web_app = web.Application()
    sio.attach(web_app)
    yield web_app, tell


async def serve(kind: str, store: str, redis: str) -> None:
    """Prints its address, then for each line it is given (title, how many, how many a second) when it told what."""
    async with (ours if kind == "ours" else stock)(store, redis) as (web_app, tell):
        runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps(f"http://127.0.0.1:{runner.addresses[0][1]}"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            title, count, rate = json.loads(line)
            print(json.dumps(await (_paced if rate else _flat_out)(tell, title, count, rate)), flush=True)
        await runner.cleanup()


async def _paced(tell: Told, title: str, count: int, rate: int) -> dict[str, float]:
    begun, moments = time.perf_counter(), {}
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        moments[f"{title}-{number}"] = await tell(str(number % USERS), f"{title}-{number}")
    return moments


async def _flat_out(tell: Told, title: str, count: int, _rate: int) -> dict[str, float]:
    moments, numbers = {}, iter(range(count))

    async def some() -> None:
        for number in numbers:
            moments[f"{title}-{number}"] = await tell(str(number % USERS), f"{title}-{number}")

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return moments


# --- the load ------------------------------------------------------------------------------------------------------


@dataclass
class Node:
    process: Process
    url: str
    arrived: dict[str, float] = field(default_factory=dict)
    sockets: list[asyncio.Task[None]] = field(default_factory=list)
    ready: int = 0

    async def tell(self, title: str, count: int, rate: int) -> dict[str, float]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([title, count, rate]).encode() + b"\n")
        moments: dict[str, float] = json.loads(await self.process.stdout.readline())
        return moments

    async def listen(self, session: aiohttp.ClientSession, user: str) -> None:
        token = sign_claims(
            SECRET, {"user_id": user, "tenant_id": "1", "role": "seller"}, timedelta(hours=1), datetime.now(UTC)
        )
        async with session.ws_connect(f"{self.url}/socket.io/?EIO=4&transport=websocket") as socket:
            async for message in socket:
                text = str(message.data)
                if text.startswith('42["new_notification"'):
                    now = time.perf_counter()
                    self.arrived[json.loads(text[2:])[1]["title"]] = now
                elif text.startswith("0"):
                    await socket.send_str("40" + json.dumps({"token": token, "user": user}))
                elif text.startswith("40"):
                    await socket.send_str('421["subscribe_notifications",{"since":0,"epoch":""}]')
                elif text.startswith("431"):
                    self.ready += 1
                elif text == "2":
                    await socket.send_str("3")


@dataclass
class Result:
    """Milliseconds on the same node and on the other, and microseconds of CPU for each event."""

    here: list[float] = field(default_factory=list)
    there: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)

    @property
    def added(self) -> float:
        return median(self.there) - median(self.here)


async def measure(one: Node, two: Node, processes: list[int], result: Result, title: str) -> None:
    moments = await one.tell(f"{title}-paced", PACED, PER_SECOND)
    await arrive(one, two, moments)
    result.here += [1e3 * (one.arrived[key] - moment) for key, moment in moments.items()]
    result.there += [1e3 * (two.arrived[key] - moment) for key, moment in moments.items()]
    before, begun = sum(map(cpu_seconds, processes)), time.perf_counter()
    moments = await one.tell(f"{title}-flat", FLAT_OUT, 0)
    await arrive(one, two, moments)
    last = max(node.arrived[key] for node in (one, two) for key in moments)
    result.cpu.append(1e6 * (sum(map(cpu_seconds, processes)) - before) / FLAT_OUT)
    result.rate.append(FLAT_OUT / (last - begun))


async def arrive(one: Node, two: Node, moments: dict[str, float]) -> None:
    async with asyncio.timeout(30):
        while not (moments.keys() <= one.arrived.keys() and moments.keys() <= two.arrived.keys()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def node(kind: str, store: str, redis: str, session: aiohttp.ClientSession) -> AsyncIterator[Node]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.nodes", kind, store, redis, stdin=PIPE, stdout=PIPE, limit=2**24
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        made = Node(process, json.loads(await process.stdout.readline()))
        made.sockets = [asyncio.create_task(made.listen(session, str(user))) for user in range(USERS)]
        async with asyncio.timeout(30):
            while made.ready < USERS:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield made
        for socket in made.sockets:
            socket.cancel()
        await asyncio.gather(*made.sockets, return_exceptions=True)
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 15)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def main() -> None:
    results = {"ours": Result(), "stock": Result()}
    with running_redis() as redis, running_postgres() as postgres:
        store = postgres.new_database()
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
            pairs: dict[str, list[Node]] = {}
            for kind in results:
                way = redis.url if kind == "ours" else redis.admin_url
                pairs[kind] = [await stack.enter_async_context(node(kind, store, way, session)) for _ in range(2)]
            for number in range(ROUNDS + 1):
                for kind, (one, two) in pairs.items():
                    watched = [two.process.pid, redis.pid]
                    round_of = results[kind] if number else Result()  # the first one warms up
                    await measure(one, two, watched, round_of, f"{kind}-{number}")
    report(results)


def report(results: dict[str, Result]) -> None:
    for kind, result in results.items():
        tail = quantiles(result.there, n=100)[98]
        print(
            f"{kind:6} same node p50 {median(result.here):.2f} ms; other node p50 {median(result.there):.2f} ms, "
            f"p99 {tail:.2f} ms; added p50 {result.added:.2f} ms; other node and Redis "
            f"{median(result.cpu):.0f} us CPU an event; {median(result.rate):.0f} events/s"
        )
    mine, theirs = results["ours"], results["stock"]
    print(
        f"added p50, ours to stock: {mine.added / theirs.added:.2f}x; CPU {median(mine.cpu) / median(theirs.cpu):.2f}x"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(*sys.argv[1:4]))
    else:
        asyncio.run(main())
