"""The bundled server as a child process, for the demo: started, watched and stopped.

The child ends when its standard input closes, so it cannot outlive this process however that ends. Knows only how to
start the program and what its first line says.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections import deque
from types import TracebackType
from typing import IO, Any

START_LIMIT = 60.0
STOP_LIMIT = 10.0
KEPT_LINES = 10


class ServerFailed(Exception):
    """The child could not be started or has died; says what it said last."""


class LocalServer:
    """A running demo server: its address, and the seller to sign in as. Use it as a context manager."""

    def __init__(self, child: subprocess.Popen[str], last_lines: deque[str], reader: threading.Thread) -> None:
        self._child, self._last_lines, self._reader = child, last_lines, reader
        self.url = self.email = self.password = self.crm = ""

    @classmethod
    def start(cls, *, role: str = "seller", seed: int | None = None, limit: float = START_LIMIT) -> LocalServer:
        """Returns when the server is ready. Raises ServerFailed."""
        options = ["demo", "--role", role, *(() if seed is None else ("--seed", str(seed)))]
        server = cls._launch([*_program(), *options])
        try:
            server._wait_until_ready(limit)
        except BaseException:
            server.stop()
            raise
        return server

    @classmethod
    def _launch(cls, command: list[str]) -> LocalServer:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                **_own_group(),
            )
        except OSError as error:
            raise ServerFailed(f"the demo server could not be started: {error}") from error
        assert child.stderr is not None
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        reader = threading.Thread(target=_keep_last, args=(child.stderr, lines), name="server log", daemon=True)
        reader.start()
        return cls(child, lines, reader)

    def failure(self) -> str | None:
        """Why the server is gone; None while it runs."""
        code = self._child.poll()
        return None if code is None else self._last_words(f"the demo server ended with status {code}")

    def stop(self) -> None:
        """Closing its input is what ends it; only one that does not react is killed."""
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()
        try:
            self._child.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join(STOP_LIMIT)
        for stream in (self._child.stdout, self._child.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, limit: float) -> None:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        stdout = self._child.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), name="server ready", daemon=True).start()
        try:
            first = lines.get(timeout=limit)
        except queue.Empty:
            raise ServerFailed(self._last_words(f"the demo server was not ready within {limit:g} s")) from None
        ready = _ready(first)
        if ready is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(2.0)
            self._reader.join(2.0)
            raise ServerFailed(self.failure() or self._last_words("the demo server did not say that it is ready"))
        self.url, self.email = str(ready["url"]), str(ready["email"])
        self.password, self.crm = str(ready["password"]), str(ready.get("crm", ""))

    def _last_words(self, what: str) -> str:
        return "\n".join([what, *self._last_lines]) if self._last_lines else what


def _program() -> list[str]:
    if getattr(sys, "frozen", False):
        return [sys.executable, "server"]
    # -P: a crmtray_server folder where the person happens to be must not be run instead.
    return [sys.executable, "-P", "-m", "crmtray_server"]


def _own_group() -> dict[str, Any]:
    """Ctrl+C in the terminal is for us; we then end the child in order."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _ready(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    needed = {"url", "email", "password"}
    return value if isinstance(value, dict) and value.get("event") == "ready" and needed <= value.keys() else None


def _keep_last(stream: IO[str], lines: deque[str]) -> None:
    with contextlib.suppress(ValueError):  # the stream was closed under us
        for line in stream:
            lines.append(line.rstrip())
