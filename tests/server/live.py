"""A whole server in the test's own loop, listening on a free port: real sockets, real store, and its parts at hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import socketio
from aiohttp import web
from pydantic import SecretStr

from crmtray.protocol import Json, NotificationAction, User
from crmtray_server import app
from crmtray_server.auth import hasher, sign_claims
from crmtray_server.config import Settings
from crmtray_server.demo_server import DemoSettings
from crmtray_server.store import accounts
from crmtray_server.store.feed import NewItem, Scope

SECRET = "0123456789abcdef" * 4
ALICE = User("1", "1", "Alice", "alice@demo.example", "seller")
BOB = User("2", "1", "Bob", "bob@demo.example", "seller")
CHARLIE = User("1", "2", "Charlie", "charlie@demo.example", "ceo")
"""Of another company, where people are numbered from one as well: must never reach anything of Alice's."""
PASSWORD = "correcta-1"
_PASSWORD_HASH = hasher.hash(PASSWORD)


@dataclass
class Live:
    url: str
    server: app.Server

    def token(self, user: User, ttl: float = 3600, **claims: Any) -> str:
        named = {"user_id": user.user_id, "tenant_id": user.tenant_id, "role": user.role} | claims
        return sign_claims(SECRET, named, timedelta(seconds=ttl), datetime.now(UTC))

    async def tell(self, user: User, *keys: str, **fields: Any) -> list[str]:
        """Notifications made the way detection makes them; their ids."""
        scope = Scope(user.tenant_id, user.user_id)
        given: dict[str, Any] = {"actions": (NotificationAction("Ver", "view_lead", {"lead_id": "1"}),)} | fields
        items = [
            NewItem(scope, key, "hot_lead", f"Título {key}", f"Mensaje {key}", {}, "urgent", **given) for key in keys
        ]
        committed = await self.server.inbox.add(items)
        return [change.id for entry in committed for change in entry.changes]


@asynccontextmanager
async def live_server(folder: Path, **settings: Any) -> AsyncIterator[Live]:
    given = {"database_url": f"sqlite:///{folder / 'store.db'}"} | settings
    made: Settings = DemoSettings(jwt_secret_key=SecretStr(SECRET), **given)
    server = await asyncio.to_thread(app.build, made)
    await server.store.write(
        accounts.add, [(user, _PASSWORD_HASH) for user in (ALICE, BOB, CHARLIE)], datetime.now(UTC)
    )
    runner = web.AppRunner(server.web_app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Live(f"http://127.0.0.1:{runner.addresses[0][1]}", server)
    finally:
        await server.realtime.close()
        await runner.cleanup()
        await asyncio.to_thread(server.store.close)
        for engine in server.engines:
            engine.dispose()


class Socket:
    """A stock python-socketio client that writes down what it is sent."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self._arrived = asyncio.Event()
        self.closed = asyncio.Event()
        self.refusal: Any = None
        self.client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self.client.on("*", self._note)
        self.client.on("disconnect", lambda *_: self.closed.set())
        self.client.on("connect_error", self._refused)

    async def connect(self, live: Live, token: str | None) -> Socket:
        await self.client.connect(
            live.url, transports=["websocket"], auth=None if token is None else {"token": token}, wait_timeout=5
        )
        await self.wait("notification_connected")
        return self

    async def call(self, event: str, data: Json | None = None) -> Json:
        answer: Json = await self.client.call(event, {} if data is None else data, timeout=5)
        return answer

    def named(self, name: str) -> list[Any]:
        return [body for event, body in self.events if event == name]

    async def wait(self, name: str, count: int = 1) -> list[Any]:
        """The bodies of the first `count` events of this name, as soon as they have come."""
        async with asyncio.timeout(5):
            while len(self.named(name)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.named(name)[:count]

    async def _note(self, event: str, *args: Any) -> None:
        self.events.append((event, args[0] if args else None))
        self._arrived.set()

    async def _refused(self, data: Any) -> None:
        self.refusal = data


@asynccontextmanager
async def sockets(live: Live, *tokens: str | None) -> AsyncIterator[list[Socket]]:
    opened: list[Socket] = []
    try:
        for token in tokens:
            opened.append(await Socket().connect(live, token))
        yield opened
    finally:
        for socket in opened:
            await socket.client.disconnect()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what has no event of its own to wait for."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def request(live: Live, method: str, path: str, token: str | None = None, **more: Any) -> tuple[int, Any, Any]:
    """Status, body and headers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, live.url + path, headers=headers | more.pop("headers", {}), **more) as response,
    ):
        raw = await response.read()
        return response.status, (await response.json(content_type=None) if raw else None), response.headers
