"""`crmtray doctor` on a real workstation: a desktop, a keyring, a server; and when one of them fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.e2e.workstation import CRMTRAY, PASSWORD, Workstation, workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def office() -> Iterator[Desktop]:
    with desktop() as session:
        yield session


@pytest.fixture
def station(office: Desktop, tmp_path: Path) -> Iterator[Workstation]:
    with workstation(office, tmp_path) as station:
        yield station


def doctor(station: Workstation, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = station.crmtray(*arguments, "doctor", "--json")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["ok"] is (done.returncode == 0)
    return done.returncode, {check["name"]: check for check in report["checks"]}


def test_a_workstation_that_works(station: Workstation, server: ServerProcess) -> None:
    station.sign_in(server.url, "juan@demo.example", PASSWORD)
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    try:
        code, found = doctor(station)
        wrong = [check for check in found.values() if check["status"] not in ("ok", "not_checked")]
        assert code == 0 and wrong == []
        assert [name for name, check in found.items() if check["status"] == "not_checked"] in ([], ["protocol"])
        assert "there is one" in found["tray"]["detail"] and "xcb" in found["tray"]["detail"]
        assert "Xfce" in found["notifications"]["detail"] and "actions" in found["notifications"]["detail"]
        assert "role seller" in found["token"]["detail"] and "takes this login" in found["socket_io"]["detail"]
        assert found["instance"]["detail"] == "crmtray runs with the profile 'default'"
        station.wait_for_tooltip("En tiempo real")  # it did not take the login away

        shown = station.crmtray("doctor")
        assert len(shown.stdout.splitlines()) == len(found), "one line a check"
        assert all(line.split()[0] in ("ok", "-") for line in shown.stdout.splitlines()), shown.stdout
    finally:
        station.stop()
        assert station.crmtray("logout").returncode == 0


def test_a_desktop_without_tray_and_notification_service(server: ServerProcess, tmp_path: Path) -> None:
    with desktop(tray=False, notifications=False, keyring=False) as bare, workstation(bare, tmp_path) as station:
        code, found = doctor(station, "--server", server.url)
        assert code == 0, "alerts come all the same"
        assert [found[name]["status"] for name in ("tray", "notifications", "keyring")] == ["warning"] * 3
        assert all(found[name]["hint"] for name in ("tray", "notifications", "keyring"))


def test_a_keyring_and_a_server_that_hang_do_not_hang_it(
    office: Desktop, station: Workstation, server: ServerProcess
) -> None:
    keyring = keyring_of(office)
    assert server._process is not None
    os.kill(keyring, signal.SIGSTOP)
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        code, found = doctor(station, "--server", server.url)
        assert time.monotonic() - began < 15
        assert code == 1
        assert (found["keyring"]["status"], found["server"]["status"]) == ("broken", "broken")
    finally:
        os.kill(keyring, signal.SIGCONT)
        os.kill(server._process.pid, signal.SIGCONT)


def keyring_of(office: Desktop) -> int:
    """The process behind the name, by the bus that knows."""
    call = ["gdbus", "call", "--session", "-d", "org.freedesktop.DBus", "-o", "/org/freedesktop/DBus"]
    method = ["-m", "org.freedesktop.DBus.GetConnectionUnixProcessID", "org.freedesktop.secrets"]
    answer = office.run([*call, *method])  # (uint32 4711,)
    return int(answer.split()[-1].rstrip(",)"))


def press_in_the_menu(office: Desktop, label: str) -> None:
    """As the panel does it, which draws the icon's menu."""
    [(name, _), *_] = office.tray_items()
    menu = ["gdbus", "call", "--session", "-d", name, "-o", "/MenuBar", "-m"]
    layout = office.run([*menu, "com.canonical.dbusmenu.GetLayout", "--", "0", "-1", "[]"])
    before, found, _ = layout.partition(f"'label': <'{label}'>")
    assert found, layout
    number = re.findall(r"<\((?:int32 )?(\d+), \{", before)[-1]
    office.run([*menu, "com.canonical.dbusmenu.Event", "--", number, "clicked", "<''>", "0"])


def test_a_copied_diagnosis_is_in_the_clipboard(station: Workstation, server: ServerProcess) -> None:
    station.sign_in(server.url, "juan@demo.example", PASSWORD)
    station.start()
    station.wait_for_tooltip("En tiempo real")
    try:
        press_in_the_menu(station.desktop, "Copiar diagnóstico")
        wait_until(lambda: any("Diagnóstico copiado" in name for name in station.desktop.names("crmtray")), "the word")
    finally:
        station.stop()
        assert station.crmtray("logout").returncode == 0


def fake_file_manager(session: Desktop) -> Path:
    """What opens folders in this desktop writes down which, and shows nothing."""
    folder = Path(session.environment["DESK_DIR"]) / "bin"
    program, opened = folder / "xdg-open", folder / "opened"
    program.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n')
    program.chmod(0o755)
    return opened


def test_a_crash_of_the_program_is_told_of_at_the_next_start(station: Workstation, server: ServerProcess) -> None:
    """A native one, as a bug in a library makes it."""
    opened = fake_file_manager(station.desktop)
    station.sign_in(server.url, "juan@demo.example", PASSWORD)
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    assert station._app is not None
    station._app.send_signal(signal.SIGSEGV)
    assert station._app.wait(20) == -signal.SIGSEGV
    try:
        station.start("--minimized")
        toast = station.wait_for_toast("crmtray tuvo un fallo")
        report = Path(toast.split(" está en ")[1].strip())
        assert "Fatal Python error: Segmentation fault" in report.read_text()
        station.press("Abrir la carpeta", "xfce4-notifyd")
        address = wait_until(lambda: opened.read_text().strip() if opened.exists() else "", "the folder")
        assert Path(unquote(address).removeprefix("file://")) == report.parent
        station.stop()
        station.start("--minimized")
        station.wait_for_tooltip("En tiempo real")
        assert sum("tuvo un fallo" in toast for toast in station.toasts()) == 1
    finally:
        station.stop()
        assert station.crmtray("logout").returncode == 0


def test_without_a_display_it_says_so(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    kept |= {"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = subprocess.run([*CRMTRAY, "doctor"], env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("not checked: no display") == 2
