"""The demo's server as a child: ready, watched, and gone when it must be."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crmtray import local_server
from crmtray.local_server import LocalServer, ServerFailed


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the server whose behaviour a test writes."""
    script = tmp_path / "program.py"
    monkeypatch.setattr(local_server, "_program", lambda: [sys.executable, str(script)])
    return script


READY = """
import json, sys
ready = {"event": "ready", "url": "http://127.0.0.1:1", "email": "a@b.c", "password": "p", "crm": sys.argv[3]}
print(json.dumps(ready))
sys.stdout.flush()
"""


def test_a_ready_server_is_told_apart_and_ends_with_its_input(program: Path) -> None:
    program.write_text(READY + "sys.stdin.read()")
    with LocalServer.start(role="ceo") as server:
        assert (server.url, server.email, server.password) == ("http://127.0.0.1:1", "a@b.c", "p")
        assert server.crm == "ceo" and server.failure() is None
    failure = server.failure()
    assert failure is not None and "status 0" in failure


def test_a_server_that_cannot_start_says_why(program: Path) -> None:
    program.write_text("import sys; [print('line', n, file=sys.stderr) for n in range(30)]; sys.exit(3)")
    with pytest.raises(ServerFailed) as caught:
        LocalServer.start()
    said = str(caught.value).splitlines()
    assert "status 3" in said[0] and said[1:] == [f"line {number}" for number in range(20, 30)]


def test_a_server_that_says_something_else_is_no_server(program: Path) -> None:
    program.write_text("print('hello', flush=True)\nimport sys\nsys.stdin.read()")
    with pytest.raises(ServerFailed, match="did not say that it is ready"):
        LocalServer.start()


def test_a_server_that_never_gets_ready_is_given_up(program: Path) -> None:
    program.write_text("import sys; sys.stdin.read()")
    with pytest.raises(ServerFailed, match=r"not ready within 0\.2 s"):
        LocalServer.start(limit=0.2)


def test_a_server_that_dies_later_is_noticed(program: Path) -> None:
    program.write_text(READY + "import os; print('out of luck', file=sys.stderr); sys.stderr.flush(); os.abort()")
    with LocalServer.start() as server:
        server._child.wait(10)
        server._reader.join(10)
        failure = server.failure()
    assert failure is not None and failure.endswith("out of luck")


def test_a_server_that_does_not_react_is_killed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "STOP_LIMIT", 0.3)
    program.write_text(READY + "import time; time.sleep(600)")
    server = LocalServer.start()
    server.stop()
    assert server.failure() is not None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_no_orphan_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from crmtray.local_server import LocalServer; import time\n"
            "server = LocalServer.start()\nprint(server._child.pid, flush=True)\ntime.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    descriptor = os.pidfd_open(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    try:
        assert select.select([descriptor], [], [], 20)[0], "the server outlived its parent"
    finally:
        os.close(descriptor)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
