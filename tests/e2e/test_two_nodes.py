"""Two server processes on one PostgreSQL, with Redis between them: what one stores, the other pushes.

Redis only makes it quick: whatever happens to it, nothing is lost, nothing comes twice, and nobody waits.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import socketio
from socketio.exceptions import SocketIOError

from crmtray.protocol import NEW_NOTIFICATION, SUBSCRIBE_NOTIFICATIONS
from crmtray_server.redis_server import CHANNEL
from tests.harness.postgres import Postgres
from tests.harness.redis import LossyProxy, RedisServer, running_redis
from tests.harness.server import ServerProcess, sign

PUBLISHER = sign("9", role="admin", scope="notifications:write")
PASSWORD = "una-clave-larga"
FEW, MANY = 10, 120


# --- the nodes and their desks -------------------------------------------------------------------------------------


@dataclass
class Nodes:
    redis: RedisServer
    one: ServerProcess
    two: ServerProcess

    @property
    def both(self) -> tuple[ServerProcess, ServerProcess]:
        return self.one, self.two


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def nodes(redis: RedisServer, postgres: Postgres, tmp_path: Path) -> Iterator[Nodes]:
    with running(redis, postgres, tmp_path, redis.url, redis.url) as made:
        yield made


class running(ExitStack):
    """Two nodes, each with its own way to the same Redis."""

    def __init__(self, redis: RedisServer, postgres: Postgres, folder: Path, *ways: str) -> None:
        super().__init__()
        store = postgres.new_database()
        made = [ServerProcess(folder, DATABASE_URL=store, REDIS_URL=way) for way in ways]
        self._nodes = Nodes(redis, *made)

    def __enter__(self) -> Nodes:  # type: ignore[override]
        super().__enter__()
        for node in self._nodes.both:
            self.enter_context(node)
        return self._nodes


@dataclass
class Desk:
    """A client with a cursor. It notes what each of its sockets was sent, and comes back where it is told to."""

    user: str
    nodes: list[ServerProcess]
    ids: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    sessions: list[tuple[int, list[int]]] = field(default_factory=list)
    cursor: int = 0
    epoch: str | None = None
    ended: bool = False
    online: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        for attempt in count():
            try:
                await self._session(self.nodes[attempt % len(self.nodes)])
            except (SocketIOError, TimeoutError):
                await asyncio.sleep(0.05)
            self.online.clear()

    async def wait(self, ids: list[str]) -> None:
        async with asyncio.timeout(60):
            while not set(ids) <= set(self.ids):
                self._news.clear()
                await self._news.wait()

    async def _session(self, node: ServerProcess) -> None:
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        pushed: list[Any] = []
        gone = asyncio.Event()
        subscribed = False

        async def take(body: Any) -> None:
            pushed.append(body)
            if subscribed:
                self._apply(pushed)

        client.on(NEW_NOTIFICATION, take)
        client.on("disconnect", lambda *_: gone.set())
        try:
            await client.connect(node.url, transports=["websocket"], auth={"token": sign(self.user)}, wait_timeout=10)
            asked = {"since": self.cursor, "epoch": self.epoch or ""}
            page = await client.call(SUBSCRIBE_NOTIFICATIONS, asked, timeout=10)
            self._take_page(page)
            subscribed = True
            self._apply(pushed)
            self.online.set()
            await gone.wait()
        finally:
            self.online.clear()
            await client.disconnect()

    def _take_page(self, page: Any) -> None:
        assert page["ok"] and not page["has_more"]
        new = [change["notification"]["id"] for change in page["changes"]]
        self.pages += new
        self.ids += new
        self.cursor, self.epoch = page["seq"], page["epoch"]
        self.sessions.append((self.cursor, []))
        self._news.set()

    def _apply(self, pushed: list[Any]) -> None:
        while pushed:
            body = pushed.pop(0)
            self.sessions[-1][1].append(body["seq"])
            self.ids.append(body["id"])
            self.cursor = body["seq"]
        self._news.set()

    def had_everything_once(self) -> bool:
        """In each session the pushes go on from the page without a gap, and nothing came twice at all."""
        contiguous = all(seqs == list(range(start + 1, start + 1 + len(seqs))) for start, seqs in self.sessions)
        return contiguous and len(self.ids) == len(set(self.ids))


@asynccontextmanager
async def desks(*made: Desk) -> AsyncIterator[tuple[Desk, ...]]:
    tasks = [asyncio.create_task(desk.run()) for desk in made]
    try:
        async with asyncio.timeout(30):
            for desk in made:
                await desk.online.wait()
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- asking --------------------------------------------------------------------------------------------------------


def ask(node: ServerProcess, path: str, token: str | None = None, body: Any = None) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(node.url + path, data, headers), timeout=10) as response:
            raw = response.read()
            return response.status, json.loads(raw) if raw else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


async def publish(node: ServerProcess, *keys: str, user: str = "7") -> list[str]:
    return [await asyncio.to_thread(_publish_at, [node], key, user) for key in keys]


def _publish_at(nodes: list[ServerProcess], key: str, user: str) -> str:
    """As a CRM does: with the same key, at the next node, until one has said that it is stored."""
    body = {"user_id": user, "type": "news", "title": key, "message": "", "dedupe_key": key}
    for attempt in count():
        try:
            status, made = ask(nodes[attempt % len(nodes)], "/notifications", PUBLISHER, body)
        except (OSError, HTTPException):
            assert len(nodes) > 1 and attempt < 1000
            continue
        assert status in (200, 201) or (status == 503 and attempt < 1000), (status, made)
        if status < 300:
            return str(made[0]["id"])
    raise AssertionError


async def metric(node: ServerProcess, name: str) -> float:
    text = await asyncio.to_thread(_metrics, node)
    found = re.search(rf"^crmtray_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _metrics(node: ServerProcess) -> str:
    with urllib.request.urlopen(node.url + "/metrics", timeout=10) as response:
        return str(response.read().decode())


BY_DOORBELL = 'foreign_changes_total{by="doorbell"}'


async def hears(*nodes: ServerProcess, well: bool = True) -> None:
    for node in nodes:
        await until(partial(metric, node, "bus_connected"), float(well))


async def until(look: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    async with asyncio.timeout(40):
        while await look() != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def redis_status(node: ServerProcess) -> tuple[int, str, str]:
    status, body = await asyncio.to_thread(ask, node, "/health")
    return status, body["status"], body["services"]["redis"]["status"]


async def said_down(*nodes: ServerProcess) -> None:
    for node in nodes:
        await until(partial(redis_status, node), (200, "degraded", "down"))


# --- what they do --------------------------------------------------------------------------------------------------


async def test_what_one_node_stores_comes_by_doorbell_to_the_sockets_of_the_other(nodes: Nodes) -> None:
    await hears(*nodes.both)
    here, there, other = Desk("7", [nodes.one]), Desk("7", [nodes.two]), Desk("8", [nodes.two])
    async with desks(here, there, other):
        ids = []
        for number in range(FEW):  # one after the other: the sweep, every five seconds, cannot have told of most
            ids += await publish(nodes.one, f"n{number}")
            await there.wait(ids)
        await here.wait(ids)
        assert await metric(nodes.two, BY_DOORBELL) > FEW // 2
        await forge(nodes)
        ids += await publish(nodes.two, "after")
        for desk in (here, there):
            await desk.wait(ids)
            assert desk.ids == ids and desk.had_everything_once()
        assert other.ids == []
        assert await redis_status(nodes.one) == (200, "ok", "ok")
    for node in nodes.both:
        assert sum("no doorbell" in line for line in node.log) == 1


async def forge(nodes: Nodes) -> None:
    """Whoever may publish makes the nodes look, and no more: they say so once."""
    forged = [["1", "7", 10**12], ["1", "8", 3], ["2", "7", 1]]
    before = {node.url: await metric(node, "doorbells_received_total") for node in nodes.both}
    for message in (b"*", b"{}", b"x" * 1_000_000, json.dumps({"node": "f", "bells": forged}).encode()):
        await asyncio.to_thread(nodes.redis.admin, "PUBLISH", CHANNEL, message)
    for node in nodes.both:
        await until(partial(metric, node, "doorbells_received_total"), before[node.url] + len(forged))
        assert await metric(node, "doorbells_ignored_total") == 3


@pytest.mark.parametrize("way", ["killed", "stopped"])
async def test_without_redis_nobody_waits_and_nothing_is_lost(nodes: Nodes, way: str) -> None:
    await asyncio.to_thread(nodes.one.add_user, "7", "juan@demo.example", "seller", PASSWORD)
    await hears(*nodes.both)
    here, there = Desk("7", [nodes.one]), Desk("7", [nodes.two])
    async with desks(here, there):
        await asyncio.to_thread(nodes.redis.kill if way == "killed" else nodes.redis.pause)
        ids = await publish(nodes.one, *(f"a{number}" for number in range(FEW)))
        ids += await publish(nodes.two, *(f"b{number}" for number in range(FEW)))
        for desk in (here, there):
            await desk.wait(ids)
        await said_down(*nodes.both)
        await a_login_that_ends_is_cut_off_everywhere(nodes)
        await asyncio.to_thread(nodes.redis.start if way == "killed" else nodes.redis.resume)
        await hears(*nodes.both)
        before = await metric(nodes.two, BY_DOORBELL)
        for number in range(FEW):
            ids += await publish(nodes.one, f"c{number}")
            await there.wait(ids)
        assert await metric(nodes.two, BY_DOORBELL) > before + FEW // 2
        await here.wait(ids)
        for desk in (here, there):
            assert len(desk.sessions) == 1 and sorted(desk.ids) == sorted(ids) and desk.had_everything_once()
        assert await redis_status(nodes.two) == (200, "ok", "ok")


async def a_login_that_ends_is_cut_off_everywhere(nodes: Nodes) -> None:
    status, tokens = await asyncio.to_thread(
        ask, nodes.one, "/auth/login", None, {"email": "juan@demo.example", "password": PASSWORD}
    )
    assert status == 200
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    gone = asyncio.Event()
    client.on("disconnect", lambda *_: gone.set())
    await client.connect(nodes.two.url, transports=["websocket"], auth={"token": tokens["access_token"]})
    status, _ = await asyncio.to_thread(ask, nodes.one, "/auth/logout", tokens["access_token"], {})
    assert status == 204
    async with asyncio.timeout(30):
        await gone.wait()
    await client.disconnect()


async def test_who_is_cut_off_by_redis_or_hears_nothing_loses_nothing(
    redis: RedisServer, postgres: Postgres, tmp_path: Path
) -> None:
    async with LossyProxy(redis.port).running() as proxy:
        ways = redis.url, redis.through(proxy.port)
        nodes = await asyncio.to_thread(running(redis, postgres, tmp_path, *ways).__enter__)
        try:
            await hears(*nodes.both)
            there = Desk("7", [nodes.two])
            async with desks(there):
                await asyncio.to_thread(redis.admin, "CLIENT", "KILL", "TYPE", "pubsub")
                ids = await publish(nodes.one, "killed")
                await there.wait(ids)
                await hears(*nodes.both)
                assert await metric(nodes.two, "bus_reconnects_total") == 1
                proxy.swallow = True
                ids += await publish(nodes.one, *(f"s{number}" for number in range(FEW)))
                await there.wait(ids)
                assert proxy.swallowed > 0
                await hears(nodes.two, well=False)
                proxy.swallow = False
                await hears(nodes.two)
                before = await metric(nodes.two, BY_DOORBELL)
                for number in range(FEW):
                    ids += await publish(nodes.one, f"t{number}")
                    await there.wait(ids)
                assert await metric(nodes.two, BY_DOORBELL) > before + FEW // 2
                assert there.ids == ids and there.had_everything_once()
        finally:
            for node in nodes.both:
                await asyncio.to_thread(node.stop)


async def test_failed_logins_are_limited_by_both_nodes_together(nodes: Nodes) -> None:
    for number in ("7", "8"):
        await asyncio.to_thread(nodes.one.add_user, number, f"p{number}@demo.example", "seller", PASSWORD)

    async def login(node: ServerProcess, password: str, person: str = "p7") -> int:
        body = {"email": f"{person}@demo.example", "password": password}
        return (await asyncio.to_thread(ask, node, "/auth/login", None, body))[0]

    tried = [await login(nodes.both[number % 2], "falsch") for number in range(5)]
    assert tried == [401] * 5
    for node in nodes.both:
        assert await login(node, PASSWORD) == 429
        assert await login(node, PASSWORD, "p8") == 200
    assert not [key for key in await asyncio.to_thread(nodes.redis.admin, "KEYS", "*") if b"p7" in key]
    await asyncio.to_thread(nodes.redis.kill)
    tried = [await login(nodes.two, "falsch", "p8") for _ in range(6)]
    assert tried == [401] * 5 + [429], "what is left is the limit of each"


async def test_nodes_are_restarted_one_after_the_other_while_work_goes_on(nodes: Nodes) -> None:
    both = list(nodes.both)
    made = [Desk("7", both), Desk("7", both[::-1]), Desk("8", both), Desk("8", both[::-1])]
    written: dict[str, list[str]] = {"7": [], "8": []}
    done = asyncio.Semaphore(0)

    async def write(first: int) -> None:
        for number in range(first, MANY, 4):
            user, order = str(7 + number % 2), both if number % 3 else both[::-1]
            written[user].append(await asyncio.to_thread(_publish_at, order, f"n{number}", user))
            done.release()

    async with desks(*made):
        async with asyncio.TaskGroup() as writers:
            for first in range(4):
                writers.create_task(write(first))
            for node in (nodes.one, nodes.two, nodes.one):
                for _ in range(MANY // 4):
                    await done.acquire()
                await asyncio.to_thread(node.stop)
                await asyncio.to_thread(node.start)
        for desk in made:
            await desk.wait(written[desk.user])
        for desk in made:
            assert sorted(desk.ids) == sorted(written[desk.user]) and desk.had_everything_once()
            assert len(desk.sessions) >= 2, "each had to come back"
    assert len(set(written["7"] + written["8"])) == MANY
