"""The Socket.IO connection: kept up for ever, changes in.

Owns connecting, the waiting between attempts and the connection's state. It hands events over in order and must not
touch the cache: a push is a hint, `sync` decides what it means. The library's own reconnecting is switched off: it
dies at the first error it does not expect, and its waiting brings all clients back at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import engineio
import socketio

from . import identity
from .cancelling import end_if_cancelled
from .network import Network
from .protocol import (
    ACK_NOTIFICATIONS,
    INVALID_TOKEN,
    NEW_NOTIFICATION,
    NOTIFICATION_COUNT_UPDATE,
    NOTIFICATION_REMOVED,
    NOTIFICATION_SUBSCRIBED,
    NOTIFICATION_UPDATED,
    NOTIFICATIONS_BATCH,
    PROTOCOL,
    REFRESH_TOKEN,
    SUBSCRIBE_NOTIFICATIONS,
    TOKEN_EXPIRED,
    Json,
)

log = logging.getLogger(__name__)

EVENTS = (
    NEW_NOTIFICATION,
    NOTIFICATION_UPDATED,
    NOTIFICATION_REMOVED,
    NOTIFICATIONS_BATCH,
    NOTIFICATION_COUNT_UPDATE,
)
CONNECT_LIMIT = 15.0
ANSWER_LIMIT = 10.0
CLOSE_LIMIT = 2.0
STEADY_SECONDS = 10.0
"""A connection that lasted this long was good: the next wait starts from the beginning."""
Cursor = tuple[str, int] | None


class Backoff:
    """Full jitter: anything between nothing and a cap that doubles. Quick at first, then sparing, for ever."""

    QUICK_TRIES, QUICK_CAP, SLOW_CAP = 10, 5.0, 60.0

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._tries = 0

    def next(self) -> float:
        cap = self.QUICK_CAP if self._tries < self.QUICK_TRIES else self.SLOW_CAP
        doubled = 2.0 ** min(self._tries, 10)
        self._tries += 1
        return self._uniform(0.0, min(cap, doubled))

    def reset(self) -> None:
        self._tries = 0


class Refused(Exception):
    """The server answered, and said no: `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the server refused the connection: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the connection needs from the rest, and whom it tells. The last four are called on the loop, in order."""

    token: Callable[[], str]
    renew: Callable[[str], Awaitable[None]]
    """A new token in place of this one. Raises when that is impossible; `expired` tells whether for good."""
    cursor: Callable[[], Cursor]
    subscribed: Callable[[Cursor, Json], None]
    """The answer to a subscription from that cursor."""
    event: Callable[[str, Any], None]
    up: Callable[[], None]
    down: Callable[[str], None]


class Realtime:
    """Keeps one connection. `run` ends only by being cancelled."""

    def __init__(
        self, server: str, hooks: Hooks, *, backoff: Backoff | None = None, network: Network | None = None
    ) -> None:
        parts = urlsplit(server)
        self._server, self._network = server, network or Network()
        self._url = f"{parts.scheme}://{parts.netloc}"
        self._path = f"{parts.path}/socket.io"
        self._hooks = hooks
        self._backoff = backoff or Backoff()
        self._hurry = asyncio.Event()
        self._current: _Connection | None = None

    @property
    def connected(self) -> bool:
        return self._current is not None and self._current.subscribed

    async def run(self) -> None:
        refused: str | None = None
        while True:
            reason, lasted, refused = await self._attempt(refused)
            end_if_cancelled()
            if lasted >= STEADY_SECONDS:
                self._backoff.reset()
            delay = self._backoff.next()
            log.info("not connected (%s); next attempt in %.1f s", reason, delay)
            await self._pause(delay)

    def reconnect(self) -> None:
        """Drops the connection, if any, and tries at once: after a suspend, or when somebody asks."""
        self._backoff.reset()
        self._hurry.set()
        if self._current is not None:
            self._current.end("reconnect asked for")

    async def acknowledge(self, seq: int) -> None:
        """Tells that changes up to `seq` are stored here; a hint that may get lost."""
        await self._tell(ACK_NOTIFICATIONS, {"seq": seq})

    async def renewed(self, token: str) -> None:
        """Lets the connection outlive the token it began with."""
        await self._tell(REFRESH_TOKEN, {"token": token})

    async def _tell(self, event: str, data: Json) -> None:
        if self._current is not None and self._current.subscribed:
            with contextlib.suppress(socketio.exceptions.SocketIOError):
                await self._current.sio.emit(event, data)

    async def _attempt(self, refused: str | None) -> tuple[str, float, str | None]:
        """One connection from its beginning to its end: why it ended, how long it lasted, the token it was refused."""
        began = time.monotonic()
        try:
            if refused is not None and refused == self._hooks.token():
                await self._hooks.renew(refused)
            reason = await self._connection()
        except Refused as error:
            bad_token = error.code in (TOKEN_EXPIRED, INVALID_TOKEN)
            return str(error), 0.0, self._hooks.token() if bad_token else None
        except Exception as error:  # whatever it is, trying again is the answer
            return str(error) or type(error).__name__, 0.0, None
        return reason, time.monotonic() - began, None

    async def _connection(self) -> str:
        async with self._network.session(self._server) as http:
            connection = _Connection(http, self._hooks)
            self._current = connection
            try:
                async with asyncio.timeout(CONNECT_LIMIT):
                    await connection.open(self._url, self._path)
                end_if_cancelled()
                self._hooks.up()
                return await connection.ended
            except asyncio.CancelledError:
                connection.subscribed = False  # ended by us: nothing was lost
                raise
            finally:
                self._current = None
                was_up, connection.subscribed = connection.subscribed, False
                if was_up:
                    self._hooks.down("the connection was lost")
                await connection.close()

    async def _pause(self, delay: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._hurry.wait()
        self._hurry.clear()


class _Http:
    """What the library uses of an HTTP session. Remembers the socket: the library forgets one that went silent, or
    that never said a word, without closing it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._socket: aiohttp.ClientWebSocketResponse[bool] | None = None

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def ws_connect(self, url: str, **options: Any) -> aiohttp.ClientWebSocketResponse[bool]:
        self._socket = await self._session.ws_connect(url, **options)
        return self._socket

    async def close_socket(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT):
                    await self._socket.close()


class _Connection:
    """One Socket.IO client, used once."""

    def __init__(self, session: aiohttp.ClientSession, hooks: Hooks) -> None:
        self._http = _Http(session)
        self.sio = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=self._http)
        self.subscribed = False
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._hooks = hooks
        self._early: list[tuple[str, Any]] = []
        self._refusal: str | None = None
        self._register()

    def end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    async def open(self, url: str, path: str) -> None:
        """Connected and subscribed. Raises Refused, or whatever the network brings."""
        try:
            await self.sio.connect(
                url,
                auth=self._introduction,
                transports=["websocket"],
                socketio_path=path,
                wait_timeout=CONNECT_LIMIT,
            )
        except socketio.exceptions.ConnectionError:
            if self._refusal is not None:
                raise Refused(self._refusal) from None
            raise
        await self._subscribe()

    def _introduction(self) -> Json:
        who = {"client": identity.client(), "device": identity.device()}
        return {"token": self._hooks.token(), "protocol": PROTOCOL} | who

    async def _subscribe(self) -> None:
        cursor = self._hooks.cursor()
        epoch, since = cursor or (None, None)
        wanted = {"epoch": epoch, "since": 0 if since is None else since}
        answer = await self.sio.call(SUBSCRIBE_NOTIFICATIONS, wanted, timeout=ANSWER_LIMIT)
        if not isinstance(answer, dict) or not answer.get("ok"):
            raise Refused(str(answer.get("code") if isinstance(answer, dict) else answer))
        self._hooks.subscribed(cursor, answer)
        self.subscribed = True
        for name, data in self._early:
            self._hooks.event(name, data)
        self._early.clear()

    async def close(self) -> None:
        """In any state, also towards a server that has stopped answering."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_LIMIT):
                await self.sio.disconnect()
        eio = self.sio.eio
        left = [task for task in (eio.read_loop_task, eio.write_loop_task) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._http.close_socket()
        with contextlib.suppress(ValueError):  # the library's list of clients in use; it keeps those cut short
            engineio.base_client.connected_clients.remove(eio)

    def _register(self) -> None:
        for name in EVENTS:
            self.sio.on(name, self._handler(name))
        self.sio.on(NOTIFICATION_SUBSCRIBED, lambda *_: None)
        self.sio.on("disconnect", lambda *reason: self.end(str(reason[0]) if reason else "disconnected"))
        self.sio.on("connect_error", self._refused)

    def _handler(self, name: str) -> Callable[..., None]:
        # Only hands over: the library runs each handler as a task of its own, and order must not depend on that.
        def receive(data: Any = None) -> None:
            if self.subscribed:
                self._hooks.event(name, data)
            else:
                self._early.append((name, data))

        return receive

    def _refused(self, data: Any = None) -> None:
        self._refusal = refusal_code(data)


def refusal_code(data: Any) -> str | None:
    """The code in what a refused connection carries, wherever the peer's library puts it."""
    if isinstance(data, dict):
        inner = data.get("data")
        code = data.get("code") or (inner.get("code") if isinstance(inner, dict) else None) or data.get("message")
        return str(code) if code else None
    return None
