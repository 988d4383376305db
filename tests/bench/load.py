"""The load: many cheap clients that speak just enough Socket.IO, and what a server's process uses meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import jwt

from .servers import SECRET, TENANT

NEW = b'42["new_notification"'


def token(user: str, **more: str) -> str:
    claims = {"user_id": user, "tenant_id": TENANT, "role": "seller", "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode(claims | more, SECRET, algorithm="HS256")


def _masked(text: str) -> bytes:
    """A client's frame; a mask of zeros is one as well."""
    body = text.encode()
    size = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + body


class Client(asyncio.Protocol):
    """Signs in, subscribes, answers pings, and counts the new items it is sent."""

    def __init__(self, user: str, got: Callable[[Client, bytes], None]) -> None:
        self.user, self._got = user, got
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer, self._upgraded = b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            _, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._upgraded, self._buffer = True, rest
        start = 0
        while (end := self._end(start)) is not None:
            body, start = self._buffer[end[0] : end[1]], end[1]
            self._frame(body)
        self._buffer = self._buffer[start:]

    def _end(self, start: int) -> tuple[int, int] | None:
        """Where the body of the frame at `start` begins and ends, when all of it is there."""
        have = len(self._buffer)
        if have < start + 2:
            return None
        size, body = self._buffer[start + 1], start + 2
        if size == 126:
            size, body = int.from_bytes(self._buffer[start + 2 : start + 4], "big"), start + 4
        elif size == 127:
            size, body = int.from_bytes(self._buffer[start + 2 : start + 10], "big"), start + 10
        return (body, body + size) if have >= body + size and have >= body else None

    def _frame(self, body: bytes) -> None:
        if body.startswith(NEW):
            self._got(self, body)
        elif body == b"2":
            self.transport.write(_masked("3"))
        elif body.startswith(b"0"):
            self.transport.write(_masked(f'40{{"token":"{token(self.user)}"}}'))
        elif body.startswith(b"40"):
            self.transport.write(_masked('421["subscribe_notifications",{"epoch":"bench","since":0}]'))
        elif body.startswith(b"431") and not self.ready.done():
            self.ready.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the server let go of a client of the benchmark"))


class Process:
    """One server under load."""

    def __init__(self, kind: str, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.kind = kind
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.servers", kind.partition(" ")[0], str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline() or 0)
        self.clients: list[Client] = []
        self.received, self._wanted = 0, asyncio.Event()
        self.observe: Callable[[Client, bytes], None] | None = None
        self.seq = 1

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._process.stdout.close()

    def cpu(self) -> float:
        """Seconds that all threads of the process were on a processor."""
        total = 0
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):
                continue  # a thread that ended
        return total / 1e9

    def private_kb(self) -> float:
        text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))

    async def connect(self, count: int) -> None:
        """`count` clients, forty at a time."""
        for first in range(0, count, 40):
            users = [str(number) for number in range(first, min(count, first + 40))]
            await asyncio.gather(*(self._connect(user) for user in users))

    async def _connect(self, user: str) -> None:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: Client(user, self._count), "127.0.0.1", self.port)
        async with asyncio.timeout(20):
            await client.ready
        self.clients.append(client)

    async def disconnect(self) -> None:
        """All at once, without a word; until the server has forgotten them."""
        for client in self.clients:
            client.transport.abort()
        self.clients = []
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            while await self._connected(session):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _connected(self, session: aiohttp.ClientSession) -> int:
        async with session.get(f"http://127.0.0.1:{self.port}/bench/connected") as response:
            return int(await response.text())

    async def ask(self, what: str, expected: int, **body: Any) -> None:
        """Has the server send, and waits until the clients have it all."""
        self.received, self._target = 0, expected
        self._wanted.clear()
        async with aiohttp.ClientSession() as session, asyncio.timeout(30):
            async with session.post(f"http://127.0.0.1:{self.port}/bench/{what}", json=body) as response:
                response.raise_for_status()
            await self._wanted.wait()

    def _count(self, client: Client, body: bytes) -> None:
        self.received += 1
        if self.observe is not None:
            self.observe(client, body)
        if self.received == getattr(self, "_target", 0):
            self._wanted.set()


class Spent:
    """CPU of a server between two moments, for each of `count` things, in microseconds."""

    def __init__(self, process: Process) -> None:
        self._process, self._before, self._began = process, process.cpu(), time.perf_counter()

    def each(self, count: int) -> float:
        return (self._process.cpu() - self._before) / count * 1e6

    def share(self) -> float:
        """Per cent of one core."""
        return (self._process.cpu() - self._before) / (time.perf_counter() - self._began) * 100
