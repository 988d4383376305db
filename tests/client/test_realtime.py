"""The connection comes back: after a killed, a restarted and a silent server."""

from __future__ import annotations

import asyncio
import platform
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from crmtray import __version__, identity, realtime
from crmtray.api import Api
from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials
from crmtray.protocol import PROTOCOL
from crmtray.realtime import Backoff, Hooks, Realtime, refusal_code
from crmtray.session import ConnectionState, Session
from crmtray_server.store import feed
from crmtray_server.store.database import make_engine
from crmtray_server.store.feed import NewItem, Scope
from tests.client.fake_server import FakeServer
from tests.client.support import Recorder, wait_until
from tests.harness.server import ServerProcess

EMAIL, PASSWORD = "ana@example.com", "correct horse"


def test_waits_grow_with_full_jitter_and_never_stop() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high / 2

    backoff = Backoff(uniform)
    waits = [backoff.next() for _ in range(200)]
    assert [high for _, high in asked[:14]] == [1, 2, 4, 5, 5, 5, 5, 5, 5, 5, 60, 60, 60, 60]
    assert all(low == 0 for low, _ in asked) and waits[0] == 0.5 and waits[-1] == 30
    backoff.reset()
    backoff.next()
    assert asked[-1] == (0, 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"code": "token_expired"}, "token_expired"),
        ({"message": "no", "data": {"code": "invalid_token"}}, "invalid_token"),
        ({"message": "authentication_required"}, "authentication_required"),
        ("Connection error", None),
        (None, None),
        ({}, None),
    ],
)
def test_the_code_of_a_refusal_is_found_wherever_it_stands(data: object, code: str | None) -> None:
    assert refusal_code(data) == code


@pytest.mark.parametrize(
    ("node", "device", "header"),
    [("ana-laptop", "ana-laptop", "ana-laptop"), ("niño (1);\n", "niño (1);", "ni-o -1--"), ("", "", "unknown")],
)
def test_a_host_name_is_made_fit_for_both_ways(
    monkeypatch: pytest.MonkeyPatch, node: str, device: str, header: str
) -> None:
    monkeypatch.setattr(platform, "node", lambda: node)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    for named in (identity.client, identity.device, identity.user_agent):
        named.cache_clear()
    try:
        assert (identity.client(), identity.device()) == (f"crmtray {__version__} Linux", device)
        assert identity.user_agent() == f"crmtray/{__version__} (Linux; {header})"
    finally:
        for named in (identity.client, identity.device, identity.user_agent):
            named.cache_clear()


class PausableServer(ServerProcess):
    """The product's own server, which can also be made to stop answering without going away."""

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def publish(self, title: str) -> None:
        """As another node over the same store would."""
        item = NewItem(Scope("1", "7"), title, "hot_lead", title, "", {}, "urgent")
        engine = make_engine(self.environment["DATABASE_URL"])
        with engine.connect().execution_options(writing=True) as connection, connection.begin():
            feed.add(connection, [item], datetime.now(UTC))
        engine.dispose()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PausableServer]:
    server = PausableServer(tmp_path, SOCKETIO_PING_INTERVAL="1000", SOCKETIO_PING_TIMEOUT="1000")
    server.add_user("7", EMAIL, "seller", PASSWORD)
    with server:
        yield server


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def test_the_real_server_killed_restarted_and_silent(server: PausableServer, recorder: Recorder) -> None:
    cache = Cache.open(None)
    config = ClientConfig(server=server.url, poll_seconds=1)
    session = Session(config, recorder, cache=cache, credentials=Credentials("test", memory_only=True))
    await session.login(server.url, EMAIL, PASSWORD)

    def state_is(state: ConnectionState) -> bool:
        return recorder.state is state

    def titles() -> list[str]:
        return [found.title for found in cache.page()]

    try:
        await wait_until(lambda: state_is(ConnectionState.REAL_TIME), "real time")
        server.publish("uno")
        await wait_until(lambda: titles() == ["uno"], "the first alert")

        server.kill()
        await wait_until(lambda: state_is(ConnectionState.OFFLINE), "the killed server is noticed")
        session.outbox.mark_read(cache.page()[0].id)
        server.start()
        server.publish("dos")
        await wait_until(lambda: titles() == ["dos", "uno"], "what was missed")
        await wait_until(lambda: state_is(ConnectionState.REAL_TIME), "real time after a restart")
        await wait_until(lambda: not cache.outbox_rows() and cache.unread_count() == 1, "the intent made offline")

        server.pause()
        await wait_until(lambda: not state_is(ConnectionState.REAL_TIME), "the silent server is noticed")
        server.resume()
        server.publish("tres")
        await wait_until(lambda: titles() == ["tres", "dos", "uno"], "what came after the silence")
        await wait_until(lambda: state_is(ConnectionState.REAL_TIME), "real time after the silence", limit=30)
        assert len(recorder.arrived_ids) == 3, "each alert once"
    finally:
        await session.stop()
        cache.close()


def deaf_hooks(**given: Any) -> Hooks:
    nothing = {
        "token": lambda: "t",
        "renew": lambda refused: asyncio.sleep(0),
        "cursor": lambda: None,
        "subscribed": lambda asked, answer: None,
        "event": lambda name, data: None,
        "up": lambda: None,
        "down": lambda reason: None,
    }
    return Hooks(**nothing | given)


async def test_a_refused_token_is_renewed_before_the_next_try() -> None:
    async with FakeServer.running() as server:
        server.valid = {"new"}
        tokens, refused, up = ["old"], [], asyncio.Event()

        async def renew(token: str) -> None:
            refused.append(token)
            tokens.append("new")

        hooks = deaf_hooks(token=lambda: tokens[-1], renew=renew, up=up.set)
        running = asyncio.create_task(Realtime(server.url, hooks, backoff=Backoff(lambda low, high: 0.0)).run())
        await wait_until(up.is_set, "connected")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert refused == ["old"] and server.socket_tokens == ["new"]
        [said] = server.introductions
        assert said == {"protocol": PROTOCOL, "client": identity.client(), "device": platform.node()[:100]}


async def test_requests_say_which_program_and_device_asks() -> None:
    async with FakeServer.running() as server:
        api = Api(server.url)
        await api.login(EMAIL, PASSWORD)
        await api.close()
        assert server.user_agents == {identity.user_agent()}


async def test_it_ends_at_whatever_moment_it_is_told_to() -> None:
    """Libraries lose a cancellation that meets an answer; then signing out and quitting would wait for ever."""
    async with FakeServer.running() as server:
        for turns in range(80):
            running = asyncio.create_task(Realtime(server.url, deaf_hooks()).run())
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 20)


async def test_a_server_that_accepts_and_says_nothing_is_given_up(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime, "CONNECT_LIMIT", 0.2)
    sockets = 0

    async def mute(request: web.Request) -> web.StreamResponse:
        nonlocal sockets
        sockets += 1
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        await answer.receive()
        return answer

    app = web.Application()
    app.router.add_get("/socket.io/", mute)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hooks = deaf_hooks()
    connection = Realtime(f"http://127.0.0.1:{runner.addresses[0][1]}", hooks, backoff=Backoff(lambda low, high: 0.0))
    running = asyncio.create_task(connection.run())
    await wait_until(lambda: sockets >= 3, "it tries again and again")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await runner.cleanup()
