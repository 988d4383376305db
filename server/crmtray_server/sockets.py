"""python-socketio's server, made strict: what the library takes from a client and should not.

Owns frames and the life of a socket up to a valid CONNECT: refuses malformed and oversized frames, binary
attachments, other namespaces, reserved and unknown events, floods, sockets that never sign in, and readers that do
not read. A violator's transport is aborted: a polite close waits for the peer. What is sent and received is counted.
Messages go past the library's queue straight to the transport, those of one turn of the loop in one write. Knows
nothing of notifications.

The library's behaviours that this file exists for are listed, with sources, in docs/decisions/0004-strict-sockets.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import engineio
import socketio
from aiohttp import web
from engineio.async_drivers import aiohttp as driver
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio import packet as socket_packet

from .monitor import Monitor

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
FAREWELL_SECONDS = 2.0
DRAIN_SECONDS = 10.0
MAX_QUEUED = 512
"""Frames waiting for a client that does not read; then it is cut, and catches up when it comes back."""
WRITE_BYTES = 65_536
"""Frames of one turn go out together, but not more of them: others have their turn."""
OUTBOX = "crmtray.outbox"
"""Where the environ of a connection keeps it."""
FRAMES_PER_SECOND, FRAMES_BURST = 50.0, 200.0
_TYPES = (socket_packet.CONNECT, socket_packet.DISCONNECT, socket_packet.EVENT, socket_packet.ACK)


class Violation(ValueError):
    """A frame that no well-meaning client sends."""


class StrictPacket(socket_packet.Packet):  # type: ignore[misc]
    """Decodes text packets of the default namespace with plain JSON arguments only."""

    def decode(self, encoded_packet: Any) -> int:
        if not isinstance(encoded_packet, str):
            raise Violation("binary packet")
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, IndexError, RecursionError) as error:
            raise Violation(f"malformed packet: {error}") from None
        if self.packet_type not in _TYPES or attachments:
            raise Violation("packet type")
        if self.namespace not in (None, "/"):
            raise Violation("namespace")
        if self.packet_type == socket_packet.EVENT:
            self._check_event()
        return 0

    def _check_event(self) -> None:
        if not isinstance(self.data, list) or not self.data or not isinstance(self.data[0], str):
            raise Violation("event without a name")


class TimedPacket(EnginePacket):  # type: ignore[misc]
    """A frame that is counted when it is handed to the transport: the library encodes it right before."""

    def __init__(self, text: str, monitor: Monitor, since: float | None) -> None:
        super().__init__(MESSAGE, text)
        self._monitor, self.since = monitor, since

    def encode(self, b64: bool = False) -> str:
        if self.encode_cache is None:
            self._monitor.sent(None if self.since is None else self._monitor.clock() - self.since)
        encoded: str = super().encode(b64)
        return encoded


class Outbox(asyncio.Queue):  # type: ignore[type-arg]
    """The library's queue of a connection, which messages pass by once there is a websocket: no task wakes for them.

    What is not a message stays in the queue: the library's writer task ends a connection that has had no ping for
    long, and waits in it for the end. It flushes what was written here before it sends, so the order is that of `put`.
    """

    def __init__(self, monitor: Monitor) -> None:
        super().__init__()
        self._monitor = monitor
        self._request: web.Request | None = None
        self._parts: list[bytes] = []
        self._size = self._written = self._unread = 0
        self._chunks: deque[tuple[int, int]] = deque()
        self._counted: list[float | None] = []

    def attach(self, request: web.Request) -> None:
        """From now on there is a websocket, without compression; what waits in the queue goes first."""
        self._request = request
        waiting = [self.get_nowait() for _ in range(self.qsize())]
        for packet in waiting:
            self.task_done()
            self._write(packet.encode())

    def put_nowait(self, item: Any) -> None:
        if self._request is None or item is None or item.packet_type != MESSAGE:
            super().put_nowait(item)
        else:
            self._write(item.encode())

    def send(self, text: str, since: float | None) -> None:
        """A ready Socket.IO packet, to be counted."""
        if self._request is None:
            super().put_nowait(TimedPacket(text, self._monitor, since))
        else:
            self._counted.append(since)
            self._write(f"4{text}")

    def unread(self) -> int:
        """Frames that the network has not taken yet."""
        return self.qsize() + len(self._parts) + (self._still_unread() if self._chunks else 0)

    def flush(self) -> None:
        """Everything that was put so far, in one write."""
        if not self._parts or self._request is None:
            return
        frames, data, counted = len(self._parts), b"".join(self._parts), self._counted
        self._parts, self._size, self._counted = [], 0, []
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        self._written += len(data)
        self._unread += frames
        self._chunks.append((self._written, frames))
        self._still_unread()
        if counted:
            self._monitor.sent_together(counted)

    def _write(self, text: str) -> None:
        part = text_frame(text)
        self._size += len(part)
        self._parts.append(part)
        if self._size >= WRITE_BYTES:
            self.flush()
        elif len(self._parts) == 1:
            asyncio.get_running_loop().call_soon(self.flush)

    def _still_unread(self) -> int:
        """What the transport still holds of what it was given, in frames."""
        transport = self._request.transport if self._request is not None else None
        taken = self._written - (transport.get_write_buffer_size() if transport is not None else 0)
        while self._chunks and self._chunks[0][0] <= taken:
            self._unread -= self._chunks.popleft()[1]
        return self._unread


def text_frame(text: str) -> bytes:
    """A whole websocket message from a server: final, text, not masked. https://www.rfc-editor.org/rfc/rfc6455#section-5.2"""
    body = text.encode()
    size = len(body)
    if size < 126:
        return bytes((0x81, size)) + body
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + body
    return b"\x81\x7f" + size.to_bytes(8, "big") + body


class StrictEngine(engineio.AsyncServer):  # type: ignore[misc]
    """An Engine.IO server whose connections have an Outbox."""

    monitor: Monitor

    def create_queue(self, *args: Any, **kwargs: Any) -> Outbox:
        return Outbox(self.monitor)


class StrictWebSocket(driver.WebSocket):  # type: ignore[misc]
    """The aiohttp driver without compression (it costs 100 KB a connection), with checked and counted frames."""

    def __init__(self, handler: Callable[[Any], Awaitable[None]], server: Any, monitor: Monitor) -> None:
        super().__init__(handler, server)
        self._monitor = monitor

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request = environ["aiohttp.request"]
        self._sock = web.WebSocketResponse(max_msg_size=self.server.max_http_buffer_size, compress=False)
        await self._sock.prepare(request)
        self.environ = environ
        self._outbox: Outbox | None = environ.get(OUTBOX)
        if self._outbox is not None:
            self._outbox.attach(request)
        self._tokens, self._counted_at = FRAMES_BURST, time.monotonic()
        await self.handler(self)
        return self._sock

    async def send(self, message: str) -> None:
        if self._outbox is not None:
            self._outbox.flush()
        await super().send(message)

    async def close(self) -> None:
        if self._outbox is not None:
            self._outbox.flush()
        await super().close()

    async def wait(self) -> str:
        message = await self._sock.receive()
        if message.type in (web.WSMsgType.CLOSE, web.WSMsgType.CLOSING, web.WSMsgType.CLOSED, web.WSMsgType.ERROR):
            raise OSError("closed")
        if message.type is not web.WSMsgType.TEXT or not _is_frame(message.data):
            self._violated("not an Engine.IO frame", "violation")
        if not self._may_send():
            self._violated("too many frames", "flood")
        frame: str = message.data
        return frame

    def _may_send(self) -> bool:
        now = time.monotonic()
        self._tokens = min(FRAMES_BURST, self._tokens + (now - self._counted_at) * FRAMES_PER_SECOND) - 1
        self._counted_at = now
        return self._tokens >= 0

    def _violated(self, what: str, reason: str) -> None:
        if abort(self.environ, what):
            self._monitor.failed(reason)
        raise OSError(what)


def _is_frame(text: str) -> bool:
    """A close, ping, pong or upgrade, all short, or a message that begins like a Socket.IO packet.

    The library would parse anything else as JSON before we see it, however deeply nested.
    """
    if text[:1] == "4":
        return text[1:2].isascii() and text[1:2].isdigit()
    return text[:1] in ("1", "2", "3", "5") and len(text) <= 16


class Pending(dict[str, Any]):
    """Clients on their way in or out, by namespace: the library's lists as sets, which need no search."""

    def __setitem__(self, namespace: str, sids: Any) -> None:
        super().__setitem__(namespace, _Sids(sids))


class _Sids(set[str]):
    append = set.add


class IndexedManager(socketio.AsyncManager):  # type: ignore[misc]
    """Forgets a client without looking through every other client's room: there is one room, that of everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.pending_connect, self.pending_disconnect = Pending(), Pending()

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        if room != sid:
            super().basic_enter_room(sid, namespace, room, eio_sid)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        self.basic_leave_room(sid, namespace, None)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if namespace in pending:
                pending[namespace].discard(sid)


class StrictServer(socketio.AsyncServer):  # type: ignore[misc]
    """An AsyncServer that knows which events clients may send, and cuts those who send anything else."""

    def __init__(self, events: frozenset[str], monitor: Monitor, **options: Any) -> None:
        self._events, self._monitor = events, monitor
        super().__init__(
            async_mode="aiohttp",
            client_manager=IndexedManager(),
            serializer=StrictPacket,
            namespaces=["/"],
            # In order, and no more of them at once than connections. Pings are answered by the library's own task.
            async_handlers=False,
            **options,
        )
        self.eio.monitor = monitor
        self._guards: dict[str, asyncio.TimerHandle] = {}
        self._tried: set[str] = set()
        self.eio._async = {**self.eio._async, "websocket": self._web_socket}

    def _engineio_server_class(self) -> type[StrictEngine]:
        return StrictEngine

    def _web_socket(self, handler: Callable[[Any], Awaitable[None]], server: Any) -> StrictWebSocket:
        return StrictWebSocket(handler, server, self._monitor)

    def send_frame(self, eio_sid: str, text: str, since: float | None = None) -> None:
        """Sends a ready Socket.IO packet. Cuts a client that has let too many of them wait."""
        socket = self.eio.sockets.get(eio_sid)
        if socket is None or socket.closed:
            return
        if socket.queue.unread() >= MAX_QUEUED:
            self.abort(eio_sid, "the client does not read", "slow_reader")
            return
        socket.queue.send(text, since)

    async def drained(self, eio_sid: str) -> bool:
        """Waits until everything queued has been handed to the network; False when the client is gone or stuck."""
        ends = time.monotonic() + DRAIN_SECONDS
        while (socket := self.eio.sockets.get(eio_sid)) is not None and not socket.closed:
            socket.queue.flush()
            if socket.queue.unread() == 0:
                return True
            if time.monotonic() > ends:
                return False
            await asyncio.sleep(0.005)  # neither the library's queue nor the transport has an event for it
        return False

    async def cut(self, eio_sid: str) -> None:
        """Tells the client that it is over, and ends the connection whether it listens or not."""
        environ = self.environ.get(eio_sid)
        if environ is None:
            return
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, abort, environ, "it was to close and did not")
        try:
            # The library waits until the client has read everything.
            await asyncio.wait_for(self.eio.disconnect(eio_sid), FAREWELL_SECONDS)
        except TimeoutError:
            return

    def abort(self, eio_sid: str, why: str, reason: str) -> None:
        environ = self.environ.get(eio_sid)
        if environ is not None and abort(environ, why):
            self._monitor.failed(reason)

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        environ[OUTBOX] = self.eio.sockets[eio_sid].queue
        loop = asyncio.get_running_loop()
        self._guards[eio_sid] = loop.call_later(
            CONNECT_SECONDS, self.abort, eio_sid, "no CONNECT in time", "no_connect"
        )

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        if eio_sid in self._tried:
            raise Violation("second CONNECT")
        self._tried.add(eio_sid)
        await super()._handle_connect(eio_sid, namespace, data)
        if self.manager.sid_from_eio_sid(eio_sid, "/") is not None:
            self._disarm(eio_sid)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]) -> None:
        if data[0] not in self._events:
            raise Violation(f"event {data[0][:40]!r}")
        if self.manager.sid_from_eio_sid(eio_sid, "/") is None:
            raise Violation("event before CONNECT")
        self._monitor.received(data[0])
        await super()._handle_event(eio_sid, namespace, id, data)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            await super()._handle_eio_message(eio_sid, data)
        except Violation as violation:
            self.abort(eio_sid, str(violation), "violation")

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._disarm(eio_sid)
        self._tried.discard(eio_sid)
        await super()._handle_eio_disconnect(eio_sid, reason)

    def _disarm(self, eio_sid: str) -> None:
        guard = self._guards.pop(eio_sid, None)
        if guard is not None:
            guard.cancel()


def abort(environ: dict[str, Any], why: str) -> bool:
    """Whether there was still something to cut."""
    request: web.Request = environ["aiohttp.request"]
    transport = request.transport
    if transport is None or transport.is_closing():
        return False
    log.info("socket from %s cut: %s", request.remote, why)
    transport.abort()
    return True
