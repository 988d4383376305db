"""Log lines: one each, without secrets, in a file of this account only that does not grow for ever."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from crmtray import log_file
from crmtray.log_file import LineFormatter, tail
from crmtray.redaction import redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiNyJ9.c2lnbmF0dXJl-_x"
CANARY = "canario-9f3d"


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {JWT}",
        f"connected with {JWT}",
        "Authorization: Bearer canario-9f3d.x+/=",
        json.dumps({"email": "ana@example.com", "password": CANARY}),
        json.dumps({"access_token": CANARY, "refresh_token": "7.canario-9f3d"}),
        json.dumps({"body": json.dumps({"password": CANARY})}),
        repr({"password": CANARY, "token": "canario-9f3d"}),
        f"token={CANARY}&x=1",
        f"SMTP_PASSWORD={CANARY}",
        f"contraseña: {CANARY}",
        'password="con espacios canario-9f3d"',
        'password="con \\" comilla canario-9f3d"',
        f"no answer of http://ana:{CANARY}@proxy.example:3128/",
        f"https://{CANARY}@crm.example/x",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert CANARY not in redact(text) and JWT not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "the token could not be renewed yet: invalid_token: nobody is signed in",
        "not connected (the server refused the connection: token_expired); next attempt in 1.2 s",
        "https://crm.example/leads/5@x?y=1",
        "Cannot connect to host 127.0.0.1:1 ssl:default",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert redact(text) == text


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("crmtray.test", logging.WARNING, __file__, 1, message, arguments, None)


def test_text_from_outside_cannot_forge_a_line() -> None:
    line = LineFormatter().format(record("name: %s", "Ana\n2026-01-01 ERROR crmtray: forged\x1b[2J\r"))
    assert len(line.splitlines()) == 1 and "\x1b" not in line and "\\n2026" in line


RUN = """
import logging, sys
from pathlib import Path
from crmtray import log_file
log_file.log_to_stderr("INFO")
log_file.log_to_stderr("INFO")
log_file.MAX_BYTES, path = 3000, Path(sys.argv[1])
assert log_file.log_to_file(path)
for n in range(200):
    logging.getLogger("crmtray.x").info("line %d of password=canario-9f3d", n)
try:
    raise ValueError("token: canario-9f3d")
except ValueError:
    logging.getLogger("crmtray.x").exception("failed")
assert len(log_file.recent.lines()) == log_file.KEPT_LINES
"""


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", script, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_file_is_rotated_private_and_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "crmtray.log"
    done = run(RUN, str(path))
    assert done.returncode == 0, done.stderr
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["crmtray.log", "crmtray.log.1", "crmtray.log.2", "crmtray.log.3"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    kept = "".join(file.read_text() for file in files)
    assert "line 199 of password=[secret]" in kept and "ValueError: token: [secret]" in kept
    assert CANARY not in kept + done.stderr
    assert done.stderr.count("line 199") == 1, "set up twice, said once"
    assert tail(path, 3)[-1] == "ValueError: token: [secret]"


def test_without_a_writable_place_or_a_terminal_it_goes_on(tmp_path: Path) -> None:
    script = """
import logging, sys
from pathlib import Path
from crmtray import log_file
sys.stderr = None
log_file.log_to_stderr("INFO")
assert not log_file.log_to_file(Path("/nowhere/crmtray.log"))
logging.getLogger("crmtray").warning("still here")
print(log_file.recent.lines()[-1])
"""
    done = run(script)
    assert done.returncode == 0 and "still here" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_no_end(tmp_path: Path) -> None:
    script = """
import logging
from pathlib import Path
from crmtray import log_file
log_file.log_to_stderr("ERROR")
assert log_file.log_to_file(Path("/dev/full"))
for n in range(5):
    logging.getLogger("crmtray").error("line %d", n)
import os; os._exit(0)
"""
    done = run(script)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 5, done.stderr


def test_libraries_do_not_print_past_us() -> None:
    """They log whole packets, in which the alerts and the token are; at every level of ours."""
    script = """
import logging
from crmtray import log_file
log_file.log_to_stderr("DEBUG")
import socketio
client = socketio.AsyncClient()
print([type(h).__name__ for name in ("socketio.client", "engineio.client") for h in logging.getLogger(name).handlers])
print(logging.getLogger("engineio.client").isEnabledFor(logging.INFO))
"""
    done = run(script)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


def test_an_old_file_is_shown_without_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "old.log"
    path.write_bytes(b"password=canario-9f3d\n\xff\xfe broken\n" * 100)
    lines = tail(path)
    assert len(lines) == log_file.KEPT_LINES and CANARY not in "".join(lines)
    assert tail(tmp_path / "none.log") == []
