"""The tray app among the other programs of a desktop: started twice, by a link, at login; panels that restart."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from tests.e2e.workstation import CRMTRAY, PASSWORD, Workstation, workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess
from tests.server.reference_crm import ReferenceCrm

pytestmark = pytest.mark.timeout(180)

PANEL = ["xfce4-panel", "--disable-wm-check", "--sm-client-disable"]
NOBODYS = "crmtray://notification/00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def office() -> Iterator[Desktop]:
    with desktop() as session:
        yield session


@pytest.fixture
def station(office: Desktop, server: ServerProcess, tmp_path: Path) -> Iterator[Workstation]:
    with workstation(office, tmp_path) as station:
        station.sign_in(server.url, "juan@demo.example", PASSWORD)
        yield station
        station.stop()
        assert station.crmtray("logout").returncode == 0


def told(crm: ReferenceCrm, station: Workstation, *names: str) -> list[str]:
    """The ids of reminders of these customers, once they are on this machine."""
    due = datetime.now(UTC) + timedelta(hours=1)
    for number, name in enumerate(names, 1):
        crm.lead(number, first_name=name, next_follow_up=due)
    wait_until(lambda: len(station.kept()) == len(names), "the reminders")
    return [next(item["id"] for item in station.kept() if name in item["message"]) for name in names]


def center_is_open(office: Desktop) -> bool:
    return "Notificaciones" in office.names("crmtray")


def closed_center(station: Workstation, office: Desktop) -> None:
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    assert not center_is_open(office)


# --- one program for each person and profile ----------------------------------------------------------------------


def test_a_second_start_opens_the_center_of_the_first(office: Desktop, station: Workstation) -> None:
    closed_center(station, office)
    quiet = station.crmtray("--minimized")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert not center_is_open(office)

    again = station.crmtray()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    wait_until(lambda: center_is_open(office), "the center")
    assert len(office.tray_items()) == 1


def test_a_crash_is_in_nobodys_way(office: Desktop, station: Workstation) -> None:
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    station.kill()
    closed_center(station, office)
    assert station.crmtray().returncode == 0
    wait_until(lambda: center_is_open(office), "the center")


def test_profiles_live_side_by_side_and_say_which_they_are(
    office: Desktop, server: ServerProcess, station: Workstation, tmp_path: Path
) -> None:
    closed_center(station, office)
    work = ("--profile", "trabajo")
    login = ["login", "--server", server.url, "--email", "ana@demo.example", "--password-stdin"]
    assert station.crmtray(*work, *login, text=PASSWORD + "\n").returncode == 0
    with running(office, tmp_path, *work, "--minimized"):
        wait_until(lambda: len(office.tray_items()) == 2, "a second icon")
        wait_until(lambda: "crmtray (trabajo) — nada sin leer" in tooltips(office), "its tooltip")
        assert "crmtray — nada sin leer" in tooltips(office)
        assert station.crmtray(*work).returncode == 0
        wait_until(lambda: "Notificaciones — crmtray (trabajo)" in office.names("crmtray"), "its title")
    assert station.crmtray(*work, "logout").returncode == 0


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """However the test goes."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def tooltips(office: Desktop) -> str:
    """Of all icons, one a line."""
    get = ["-m", "org.freedesktop.DBus.Properties.Get", "org.kde.StatusNotifierItem", "ToolTip"]
    return "\n".join(
        office.run(["gdbus", "call", "--session", "-d", name, "-o", path, *get]) for name, path in office.tray_items()
    )


@contextmanager
def running(office: Desktop, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = office.start([*CRMTRAY, *arguments], folder / "other.log")
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(20) == 0, (folder / "other.log").read_text()


# --- links --------------------------------------------------------------------------------------------------------


def test_a_link_in_an_email_opens_the_item(
    office: Desktop, crm: ReferenceCrm, station: Workstation, tmp_path: Path
) -> None:
    closed_center(station, office)
    first, _ = told(crm, station, "Marta", "Pedro")
    entry = Path(office.environment["XDG_DATA_HOME"]) / "applications" / "crmtray.desktop"
    wait_until(entry.is_file, "the registration of links")

    office.run(["gio", "open", f"crmtray://notification/{first}"])
    wait_until(lambda: any("Marta" in name for name in office.names("crmtray")), "the item")
    office.run(["gio", "open", NOBODYS])
    wait_until(lambda: "Esa notificación ya no existe." in office.names("crmtray"), "a sentence")

    with ended(office.start([*CRMTRAY, f"crmtray://notification/{first}/read"], tmp_path / "other.log")) as bad:
        station.press("Aceptar", "crmtray")
        assert bad.wait(20) == 1
    assert "looks like crmtray://notification/ID" in (tmp_path / "other.log").read_text()
    assert not any(item["read"] for item in station.kept())


def test_a_link_starts_the_program_when_it_does_not_run(
    office: Desktop, crm: ReferenceCrm, station: Workstation
) -> None:
    station.start("--minimized")
    [id] = told(crm, station, "Marta")
    station.stop()
    station.start(f"crmtray://notification/{id}")
    wait_until(lambda: any("Marta" in name for name in office.names("crmtray")), "the item")


# --- the desktop around it ----------------------------------------------------------------------------------------


def test_started_at_login_it_is_there_and_shows_no_window(
    office: Desktop, station: Workstation, tmp_path: Path
) -> None:
    switch = "from crmtray.autostart import for_profile; for_profile('default').enable()"
    office.run([CRMTRAY[0], "-P", "-c", switch])
    entry = Path(office.environment["XDG_CONFIG_HOME"]) / "autostart" / "crmtray.desktop"
    # Not waited for through its output, which the program it starts inherits.
    assert office.start(["gio", "launch", str(entry)], tmp_path / "other.log").wait(20) == 0
    station.wait_for_tooltip("En tiempo real")
    assert not center_is_open(office)
    [id] = [pid for pid in mine(office) if "--minimized" in command_of(pid)]
    os.kill(id, signal.SIGTERM)
    wait_until(lambda: not office.tray_items(), "its end")


def test_the_icon_comes_back_with_the_panel(server: ServerProcess, tmp_path: Path) -> None:
    # A desktop of its own: its panel does not end as the others' do.
    with desktop() as office, workstation(office, tmp_path) as station:
        station.sign_in(server.url, "juan@demo.example", PASSWORD)
        closed_center(station, office)
        kill_panel(office)
        wait_until(lambda: not icons(office), "the end of the panel")
        with ended(office.start(PANEL, tmp_path / "panel.log")):
            wait_until(lambda: icons(office), "the icon")
            station.wait_for_tooltip("En tiempo real")
            assert not center_is_open(office), "a panel that was away for a moment is no desktop without a tray"
            station.stop()


def test_a_panel_that_starts_long_after_it_gets_the_icon(server: ServerProcess, tmp_path: Path) -> None:
    with desktop() as office, workstation(office, tmp_path) as station:
        station.sign_in(server.url, "juan@demo.example", PASSWORD)
        kill_panel(office)
        station.start("--minimized")
        wait_until(lambda: titles(office) == ["Notificaciones — crmtray"], "a window that stands for the icon")
        with ended(office.start(PANEL, tmp_path / "panel.log")):
            wait_until(lambda: titles(office) == [], "the end of the window")
            icon = wait_until(lambda: embedded_icon(office), "the icon")
            office.run(["xdotool", "mousemove", "--window", icon, "8", "8", "click", "1"])
            wait_until(lambda: titles(office) == ["Notificaciones — crmtray"], "the center")
            station.stop()


def embedded_icon(office: Desktop) -> str:
    """The window of an icon by the older protocol: Qt looks once in its life whether a panel speaks the newer one."""
    tree = office.run(["xwininfo", "-root", "-tree"])
    found = re.search(r'(0x[0-9a-f]+) "crmtray": \("crmtray" "crmtray"\)  22x22', tree)
    return "" if found is None else found[1]


def kill_panel(office: Desktop) -> None:
    panels = [pid for pid in mine(office) if Path(command_of(pid)[0]).name == "xfce4-panel"]
    assert panels
    for panel in panels:
        os.kill(panel, signal.SIGKILL)


def named_of(office: Desktop, window: str) -> str:
    """Nothing when it has gone since it was listed."""
    command = ["xprop", "-id", window, "WM_CLASS", "_NET_WM_NAME"]
    return subprocess.run(command, env=office.environment, capture_output=True, text=True, timeout=30).stdout


def titles(office: Desktop) -> list[str]:
    """Of the windows of crmtray that the window manager has, minimized ones too."""
    listed = re.findall(r"0x[0-9a-f]+", office.run(["xprop", "-root", "_NET_CLIENT_LIST"]))
    named = [named_of(office, window) for window in listed]
    return [title for text in named if '"crmtray"' in text for title in re.findall(r'_NET_WM_NAME.* = "(.*)"', text)]


def test_docks_are_told_how_many_are_unread(
    office: Desktop, crm: ReferenceCrm, station: Workstation, tmp_path: Path
) -> None:
    log = tmp_path / "dock.log"
    monitor = office.start(["dbus-monitor", "--session", "interface='com.canonical.Unity.LauncherEntry'"], log)
    try:
        wait_until(lambda: "NameAcquired" in log.read_text(), "the monitor")
        closed_center(station, office)
        told(crm, station, "Marta", "Pedro")
        wait_until(lambda: badges(log)[-1:] == [2], "the number")
        assert "application://crmtray.desktop" in log.read_text()
    finally:
        monitor.terminate()
        monitor.wait()


def badges(log: Path) -> list[int]:
    return [int(number) for number in re.findall(r'string "count"\s+variant\s+int64 (\d+)', log.read_text())]


def test_after_a_sleep_it_connects_again_at_once(office: Desktop, station: Workstation, tmp_path: Path) -> None:
    # The session's bus stands in for the system's, where logind speaks.
    bus = office.environment["DBUS_SESSION_BUS_ADDRESS"]
    log = tmp_path / "other.log"
    command = [*CRMTRAY, "--minimized", "--log-level", "INFO"]
    process = office.start(command, log, DBUS_SYSTEM_BUS_ADDRESS=bus)
    try:
        station.wait_for_tooltip("En tiempo real")
        said = ["dbus-send", "--session", "--type=signal", "/org/freedesktop/login1"]
        office.run([*said, "org.freedesktop.login1.Manager.PrepareForSleep", "boolean:false"])
        wait_until(lambda: "the machine slept: connecting again" in log.read_text(), "a new connection")
        wait_until(lambda: "reconnect asked for" in log.read_text(), "the old one to be dropped")
        station.wait_for_tooltip("En tiempo real")
    finally:
        process.terminate()
        assert process.wait(20) == 0


class FakeLogind:
    """Says on a bus what logind says on the system's."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def __aenter__(self) -> FakeLogind:
        self._bus = await MessageBus(bus_address=self._address).connect()
        await self._bus.request_name("org.freedesktop.login1")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._bus.disconnect()

    async def prepare_for_sleep(self, begins: bool) -> None:
        place, interface = "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
        await self._bus.send(Message.new_signal(place, interface, "PrepareForSleep", "b", [begins]))


@contextmanager
def system_bus(office: Desktop, folder: Path) -> Iterator[str]:
    """A private one; its address."""
    log = folder / "bus.log"
    with ended(office.start(["dbus-daemon", "--session", "--nofork", "--print-address"], log)):
        yield wait_until(lambda: "".join(re.findall(r"^unix:\S+$", log.read_text(), re.MULTILINE)), "the bus")


async def test_it_hears_a_logind_that_starts_later_and_one_that_starts_again(
    office: Desktop, station: Workstation, tmp_path: Path
) -> None:
    log, slept = tmp_path / "other.log", "the machine slept: connecting again"
    command = [*CRMTRAY, "--minimized", "--log-level", "INFO"]
    with system_bus(office, tmp_path) as bus:
        process = office.start(command, log, DBUS_SYSTEM_BUS_ADDRESS=bus)
        try:
            station.wait_for_tooltip("En tiempo real")
            for times in (1, 2):
                async with FakeLogind(bus) as logind:
                    await logind.prepare_for_sleep(True)
                    await logind.prepare_for_sleep(False)
                    wait_until(partial(said, log, slept, times), "one new connection for each sleep")
            station.wait_for_tooltip("En tiempo real")
        finally:
            process.terminate()
            assert process.wait(20) == 0
    assert said(log, slept, 2)


def said(log: Path, words: str, times: int) -> bool:
    return log.read_text().count(words) == times


def test_what_was_cleared_stays_cleared_when_the_desktop_ends_it(
    office: Desktop, crm: ReferenceCrm, station: Workstation
) -> None:
    station.start()
    told(crm, station, "Marta", "Pedro")
    station.press("Limpiar todas", "crmtray")
    wait_until(lambda: "Deshacer" in office.names("crmtray"), "the time to undo")
    station.stop()
    assert station.kept() == []


def test_a_wrong_setting_is_said_where_there_is_no_terminal(
    office: Desktop, station: Workstation, tmp_path: Path
) -> None:
    file = Path(office.environment["XDG_CONFIG_HOME"]) / "crmtray" / "config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("pol_seconds = 5\n")
    try:
        with ended(office.start(CRMTRAY, tmp_path / "other.log")) as process:
            wait_until(lambda: any("pol_seconds" in name for name in office.names("crmtray")), "the sentence")
            assert "crmtray no pudo empezar." in office.names("crmtray")
            station.press("Aceptar", "crmtray")
            assert process.wait(20) == 1
    finally:
        file.unlink()


# --- processes of this desktop ------------------------------------------------------------------------------------


def mine(office: Desktop) -> list[int]:
    mark = f"DESK_SESSION={office.environment['DESK_SESSION']}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0") and command_of(int(folder.name)):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def command_of(pid: int) -> list[str]:
    return [part.decode() for part in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]


def icons(office: Desktop) -> list[tuple[str, str]]:
    """None as well while the panel, which keeps the list, is only just starting."""
    try:
        return office.tray_items()
    except AssertionError:
        return []
