"""A real server process, as an administrator would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

import jwt

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests, sixty-four bytes long, known to nobody else"


class ServerProcess:
    """`crmtray-server serve` on a free port, its store in `folder`. Restarts keep port and store."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")},
            "JWT_SECRET_KEY": SECRET,
            "DATABASE_URL": f"sqlite:///{folder / 'store.db'}",
            "DETECTION_INTERVAL_SECONDS": "1",
            **settings,
        }
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.log: deque[str] = deque(maxlen=200)

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        command = [sys.executable, "-P", "-m", "crmtray_server", *self._command()]
        self._process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            self._is_ready(json.loads(line))
        except (ValueError, KeyError) as error:
            self.kill()
            raise AssertionError(f"the server did not start: {line}\n" + "\n".join(self.log)) from error

    def _command(self) -> list[str]:
        return ["serve", "--port", self._port]

    def _is_ready(self, said: dict[str, str]) -> None:
        self.url = said["url"]
        self._port = self.url.rpartition(":")[2]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """SIGTERM, and a clean end."""
        process = self._ended()
        process.terminate()
        code = process.wait(15)
        self._close(process)
        assert code == 0, "\n".join(self.log)

    def kill(self) -> None:
        process = self._ended()
        process.kill()
        process.wait(15)
        self._close(process)

    def run(self, *arguments: str, text: str | None = None) -> str:
        """Another command of the same server, to its end; what it printed."""
        result = subprocess.run(
            [sys.executable, "-P", "-m", "crmtray_server", *arguments],
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def add_user(self, user_id: str, email: str, role: str, password: str, tenant: str = "1") -> None:
        arguments = ["--user-id", user_id, "--email", email, "--name", f"Persona {user_id}", "--role", role]
        self.run("user", "add", *arguments, "--tenant", tenant, "--password-stdin", text=password + "\n")

    def loud_at_any_time(self, user_id: str, tenant: str = "1") -> None:
        """No quiet hours and no days off: a toast that a test waits for must come at night as well."""
        days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        body = json.dumps({"quiet_hours": None, "work_days": days}).encode()
        headers = {"Authorization": f"Bearer {sign(user_id, tenant)}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + "/notifications/settings", body, headers, method="PATCH")
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200

    def _ended(self) -> subprocess.Popen[str]:
        assert self._process is not None
        process, self._process = self._process, None
        return process

    def _close(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        process.stdout.close()
        self._reader.join(5)  # what it said last belongs to the log

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.log.append(line.rstrip())


class WorkerProcess(ServerProcess):
    """`crmtray-server worker`: the background work alone, without an address."""

    def _command(self) -> list[str]:
        return ["worker"]

    def _is_ready(self, said: dict[str, str]) -> None:
        assert said == {"event": "ready"}


def sign(user_id: str, tenant_id: str = "1", role: str = "seller", ttl: float = 3600, **more: str) -> str:
    """An access token as a CRM makes one that knows the secret: by the library, not by the server's own code."""
    expires = datetime.now(UTC) + timedelta(seconds=ttl)
    claims = {"user_id": user_id, "tenant_id": tenant_id, "role": role, "exp": expires} | more
    return jwt.encode(claims, SECRET, algorithm="HS256")
