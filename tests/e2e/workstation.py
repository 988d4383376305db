"""A seller's workstation: a private desktop with the tray app in it, and a record of every toast."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness.desktop import Desktop, wait_until

PASSWORD = "una-clave-larga"
TOAST = re.compile(
    r'member=Notify\n   string ".*?"\n   uint32 \d+\n   string ".*?"\n   string "(.*?)"\n   string "(.*?)"\n   array',
    re.DOTALL,
)
"""A call as dbus-monitor prints it: program, replaced toast, icon, title, text, buttons."""
CRMTRAY = [sys.executable, "-P", "-m", "crmtray"]


class Workstation:
    """One desktop, one seller. `start` and `stop` run the tray app as the panel's autostart would."""

    def __init__(self, desktop: Desktop, folder: Path) -> None:
        self.desktop = desktop
        self.log = folder / "tray.log"
        self._toasts = folder / "toasts.log"
        self._monitor = desktop.start(
            ["dbus-monitor", "--session", "interface='org.freedesktop.Notifications',member='Notify'"], self._toasts
        )
        self._app: subprocess.Popen[bytes] | None = None
        wait_until(lambda: "NameAcquired" in self._toasts.read_text(), "the toast monitor")

    def close(self) -> None:
        self.stop()
        self._monitor.terminate()
        self._monitor.wait()

    def crmtray(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CRMTRAY, *arguments],
            env=self.desktop.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def sign_in(self, url: str, email: str, password: str) -> None:
        result = self.crmtray("login", "--server", url, "--email", email, "--password-stdin", text=password + "\n")
        assert result.returncode == 0, result.stderr

    def start(self, *arguments: str) -> None:
        self._app = self.desktop.start([*CRMTRAY, *arguments], self.log)

    def stop(self) -> None:
        """SIGTERM, and a clean end."""
        if self._app is not None:
            self._app.terminate()
            code = self._app.wait(20)
            self._app = None
            assert code == 0, self.log.read_text()

    def kill(self) -> None:
        assert self._app is not None
        self._app.kill()
        self._app.wait()
        self._app = None

    # --- what the seller sees ------------------------------------------------------------------------------------

    def toasts(self) -> list[str]:
        """Title and text of every toast that was ever asked for here, whoever showed it."""
        return [f"{title} · {body}" for title, body in TOAST.findall(self._toasts.read_text(errors="replace"))]

    def wait_for_toast(self, text: str) -> str:
        return wait_until(lambda: next((toast for toast in self.toasts() if text in toast), ""), f"a toast: {text}")

    def wait_for_tooltip(self, text: str) -> None:
        wait_until(lambda: text in self.desktop.tray_tooltip(), f"{text!r} in {self.desktop.tray_tooltip()!r}")

    def press(self, name: str, application: str = "") -> None:
        """As soon as it is there."""
        wait_until(lambda: name in self.desktop.names(application), f"a button {name}")
        self.desktop.press(name, application)

    def kept(self) -> list[dict[str, Any]]:
        """What the cache on this machine holds, newest first."""
        result = self.crmtray("list", "--json")
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]


def sql(file: Path, statement: str, *values: Any) -> list[Any]:
    """Plain SQL into the CRM, as any other program would write it."""
    with contextlib.closing(sqlite3.connect(file, timeout=10)) as connection, connection:
        return connection.execute(statement, values).fetchall()


@contextlib.contextmanager
def workstation(desktop: Desktop, folder: Path) -> Iterator[Workstation]:
    station = Workstation(desktop, folder)
    try:
        yield station
    finally:
        station.close()
