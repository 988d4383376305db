"""A private desktop with a program in it, and hands and eyes on that desktop.

`Desktop` keeps one desktop-session open and runs programs in it. The tray is reached over D-Bus (StatusNotifier),
toasts and windows over AT-SPI by name: sturdier than looking for coloured pixels.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
SESSION = HERE / "desktop-session"
HANDS = HERE / "atspi_hands.py"
"""Run by the system's Python, which has the bindings of AT-SPI (python3-gi)."""

GET = "org.freedesktop.DBus.Properties.Get"

T = TypeVar("T")


class Desktop:
    """An open session. `environment` is what a program in it must get."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def start(self, command: list[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                command, env=self.environment | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def run(self, command: list[str]) -> str:
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30)
        assert result.returncode == 0, f"{command}: {result.stderr}"
        return result.stdout

    def screenshot(self, file: Path) -> None:
        self.run(["desk-shot", str(file)])

    # --- AT-SPI ------------------------------------------------------------------------------------------------

    def seen(self, application: str = "") -> list[dict[str, Any]]:
        """Everything showing, of one application or of all: what it is called and says, whether it can have the focus
        or has it, and where it is (see `describe` of the hands)."""
        found: list[dict[str, Any]] = json.loads(self._hands("list", application))
        return found

    def names(self, application: str = "") -> list[str]:
        return [thing["name"] for thing in self.seen(application) if thing["name"]]

    def press(self, name: str, application: str = "") -> None:
        """Does what a click on the button or row of this name does."""
        self._hands("press", application, name)

    def type_into(self, name: str, text: str, application: str = "") -> None:
        self._hands("type", application, name, text)

    def _hands(self, *arguments: str) -> str:
        return self.run(["/usr/bin/python3", str(HANDS), *arguments])

    # --- the tray ----------------------------------------------------------------------------------------------

    def tray_items(self) -> list[tuple[str, str]]:
        """Bus name and object path of the icons that the panel shows."""
        watcher = "org.kde.StatusNotifierWatcher"
        reply = self._call(watcher, "/StatusNotifierWatcher", GET, watcher, "RegisteredStatusNotifierItems")
        items = [part for part in reply.replace('"', "'").split("'") if part.startswith((":", "org."))]
        return [(name, f"/{path or 'StatusNotifierItem'}") for name, _, path in (item.partition("/") for item in items)]

    def tray_tooltip(self) -> str:
        """The first icon's tooltip, as D-Bus prints it; empty while there is no icon."""
        for name, path in self.tray_items():
            return self._call(name, path, GET, "org.kde.StatusNotifierItem", "ToolTip")
        return ""

    def click_tray(self) -> None:
        [(name, path), *_] = self.tray_items()
        self._call(name, path, "org.kde.StatusNotifierItem.Activate", "0", "0")

    def press_tray(self, label: str) -> None:
        """Does what a click on this entry of the icon's menu does; also one of a submenu."""
        [(name, path), *_] = self.tray_items()
        place = self._call(name, path, GET, "org.kde.StatusNotifierItem", "Menu").split("'")[1]
        layout = self._call(name, place, "com.canonical.dbusmenu.GetLayout", "0", "-1", "[]")
        found = re.search(rf"\((\d+), \{{[^{{}}]*'label': <'{re.escape(label)}'>", layout)
        assert found is not None, f"no entry {label!r} in {layout}"
        self._call(name, place, "com.canonical.dbusmenu.Event", found[1], "clicked", "<0>", "0")

    def _call(self, name: str, path: str, method: str, *arguments: str) -> str:
        return self.run(["gdbus", "call", "--session", "-d", name, "-o", path, "-m", method, "--", *arguments])


@contextmanager
def desktop(*, tray: bool = True, notifications: bool = True, keyring: bool = True) -> Iterator[Desktop]:
    options = ["-a", *([] if tray else ["-t"]), *([] if notifications else ["-n"]), *([] if keyring else ["-k"])]
    # The session's command prints its environment and lasts as long as its standard input.
    session = subprocess.Popen(
        [str(SESSION), *options, "--", "sh", "-c", "env -0; printf '\\0end\\0'; exec cat >/dev/null"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert session.stdin is not None and session.stdout is not None and session.stderr is not None
    try:
        yield Desktop(_environment(session))
    finally:
        session.stdin.close()
        try:
            session.wait(30)
        except subprocess.TimeoutExpired:
            session.terminate()  # it ends everything in it before itself
            session.wait(30)
            raise
        finally:
            session.stdout.close()
            session.stderr.close()


def _environment(session: subprocess.Popen[bytes]) -> dict[str, str]:
    assert session.stdout is not None and session.stderr is not None
    raw = b""
    while not raw.endswith(b"\0end\0"):
        chunk = os.read(session.stdout.fileno(), 65536)
        if not chunk:
            raise RuntimeError(session.stderr.read().decode(errors="replace") or "the private desktop did not start")
        raw += chunk
    entries = raw.removesuffix(b"\0end\0").decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def wait_until(look: Callable[[], T], what: str, seconds: float = 20) -> T:
    """What `look` returns, as soon as it is something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)
    return found
