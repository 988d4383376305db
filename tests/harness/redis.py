"""A Redis of the tests' own, with accounts as docs/operations.md has them made; and a proxy that loses messages."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis

from crmtray_server.redis_server import CHANNEL, RULES
from tests.harness.desktop import wait_until
from tests.harness.smtp import certificates

PASSWORD = "contraseña:con@todo/"


class RedisServer:
    """`url` is of the account that our servers use. Restarts keep the port."""

    def __init__(self, folder: Path, *, tls: bool = False, rules: str = RULES) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "Redis is not installed: scripts/system-packages test"
        self._program, self._folder, self._tls, self._rules = program, folder, tls, rules
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.authority = certificates(folder)[1] if tls else None
        self.url = self._address("crmtray", PASSWORD)
        self.admin_url = self._address("admin", PASSWORD)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def through(self, port: int) -> str:
        """The same by way of another port."""
        return self.url.replace(f":{self.port}", f":{port}")

    def start(self) -> None:
        configuration = self._folder / "redis.conf"
        configuration.write_text("\n".join(self._configuration()), encoding="utf-8")
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([self._program, str(configuration)], stdout=log, stderr=log)
        wait_until(self._answers, "Redis")

    def kill(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)

    def pause(self) -> None:
        """It keeps its port and its connections, and says no word."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def admin(self, *command: str | bytes) -> Any:
        with redis.Redis.from_url(self.admin_url) as client:
            return client.execute_command(*command)

    @contextmanager
    def listening(self) -> Iterator[Iterator[bytes]]:
        """What is published from here on."""
        with redis.Redis.from_url(self.admin_url) as client, client.pubsub() as subscription:
            subscription.subscribe(CHANNEL)
            assert subscription.get_message(timeout=10) is not None, "that it listens is not said"
            yield (message["data"] for message in subscription.listen() if message["type"] == "message")

    def _answers(self) -> bool:
        with suppress(redis.exceptions.RedisError):
            return bool(self.admin("PING"))
        return False

    def _address(self, account: str, password: str) -> str:
        scheme, query = ("rediss", f"?ssl_ca_certs={self.authority}") if self._tls else ("redis", "")
        return f"{scheme}://{account}:{quote(password, safe='')}@127.0.0.1:{self.port}{query}"

    def _configuration(self) -> Iterator[str]:
        yield from ("bind 127.0.0.1", 'save ""', "appendonly no", f"dir {self._folder}", "user default off")
        yield f'user admin on ">{PASSWORD}" ~* &* +@all'
        yield f'user crmtray on ">{PASSWORD}" -@all {self._rules}'
        if not self._tls:
            yield f"port {self.port}"
            return
        pair = self._folder / "server.pem"
        yield from ("port 0", f"tls-port {self.port}", f"tls-cert-file {pair}", f"tls-key-file {pair}")
        yield from (f"tls-ca-cert-file {self.authority}", "tls-auth-clients no")


@contextmanager
def running_redis(*, tls: bool = False, rules: str = RULES) -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="crmtray-redis-"))
    server = RedisServer(folder, tls=tls, rules=rules)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


class LossyProxy:
    """Between a node and Redis. `swallow`: what is published gets lost on its way to the node; nothing else does."""

    def __init__(self, port: int) -> None:
        self._target, self.swallow, self.swallowed, self.port = port, False, 0, 0
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, thence = None, None
        try:
            thence, there = await asyncio.open_connection("127.0.0.1", self._target)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass(reader, there, lossy=False))
                ways.create_task(self._pass(thence, writer, lossy=True))
        except* OSError:
            pass
        finally:
            for one in (writer, there):
                if one is not None:
                    one.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, lossy: bool) -> None:
        while data := await reader.read(65536):
            if lossy and self.swallow and b"\r\nmessage\r\n" in data:
                self.swallowed += 1
                continue
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self.serve(reader, writer)
        finally:
            self._connections.discard(task)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[LossyProxy]:
        server = await asyncio.start_server(self._taken, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            connections = list(self._connections)
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await server.wait_closed()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


__all__ = ["PASSWORD", "LossyProxy", "RedisServer", "running_redis"]
