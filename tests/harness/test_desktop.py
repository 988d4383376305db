"""The private desktop: what is on it is seen and pressed by name, and nothing of it outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from tests.harness.desktop import SESSION, Desktop, desktop, wait_until

TOAST = """
import asyncio, desktop_notifier as d
async def main():
    pressed = asyncio.Event()
    button = d.Button("Contactar", on_pressed=pressed.set)
    await d.DesktopNotifier("Prueba").send("María González", "Cerrar venta", buttons=[d.Button("Ver lead"), button])
    await pressed.wait()
    print("contactado")
asyncio.run(main())
"""

TRAY = """
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QApplication, QSystemTrayIcon
app = QApplication([])
square = QPixmap(64, 64)
square.fill(QColor("red"))
icon = QSystemTrayIcon(QIcon(square))
icon.setToolTip("3 sin leer")
icon.activated.connect(lambda why: (print(why.name, flush=True), app.quit()))
icon.show()
app.exec()
"""


@pytest.fixture(scope="module")
def office() -> Iterator[Desktop]:
    with desktop() as session:
        yield session


def test_a_button_of_a_toast_is_pressed_by_its_name(office: Desktop, tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = office.start([sys.executable, "-c", TOAST], log)
    try:
        wait_until(lambda: "Contactar" in office.names("xfce4-notifyd"), "the toast's button")
        office.press("Contactar", "xfce4-notifyd")
        assert program.wait(20) == 0, log.read_text()
    finally:
        program.kill()
        program.wait()
    assert log.read_text() == "contactado\n"


def test_the_tray_icon_is_read_and_clicked(office: Desktop, tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = office.start([sys.executable, "-c", TRAY], log)
    try:
        wait_until(lambda: "3 sin leer" in office.tray_tooltip(), "the icon's tooltip")
        picture = tmp_path / "desktop.png"
        wait_until(lambda: red(office, picture), "the red icon on the picture")
        office.click_tray()
        assert program.wait(20) == 0, log.read_text()
    finally:
        program.kill()
        program.wait()
    assert log.read_text() == "Trigger\n"
    wait_until(lambda: office.tray_items() == [], "the icon to go")


def red(office: Desktop, file: Path) -> bool:
    office.screenshot(file)
    picture = QImage(str(file))
    assert (picture.width(), picture.height()) == (1280, 800)
    panel = ((x, y) for x in range(0, 1280, 3) for y in range(760, 800, 3))
    return any(picture.pixelColor(x, y).name() == "#ff0000" for x, y in panel)


def test_pressing_what_is_not_there_says_so(office: Desktop) -> None:
    with pytest.raises(AssertionError, match="nothing to press called 'Nada'"):
        office.press("Nada")


def test_a_desktop_without_a_tray_has_no_icons_to_read() -> None:
    with desktop(tray=False, notifications=False, keyring=False) as bare:
        names = bare.run(["gdbus", "call", "--session", "-d", "org.freedesktop.DBus", "-o", "/", "-m",
                          "org.freedesktop.DBus.ListNames"])  # fmt: skip
    assert "org.freedesktop.DBus" in names
    for absent in ("org.kde.StatusNotifierWatcher", "org.freedesktop.Notifications", "org.freedesktop.secrets"):
        assert absent not in names


def test_the_session_passes_on_the_status_and_leaves_nothing_behind(tmp_path: Path) -> None:
    script = 'echo "$DESK_SESSION" > "$1"; echo "$DESK_DIR" >> "$1"; sleep 3600 & exit 7'
    note = tmp_path / "note"
    result = subprocess.run([str(SESSION), "-tnk", "--", "sh", "-c", script, "sh", str(note)], check=False, timeout=60)
    mark, folder = note.read_text().split()
    assert result.returncode == 7
    assert not Path(folder).exists()
    assert [pid for pid in Path("/proc").glob("[0-9]*") if f"DESK_SESSION={mark}" in environment(pid)] == []


def environment(process: Path) -> list[str]:
    try:
        return os.fsdecode((process / "environ").read_bytes()).split("\0")
    except OSError:  # it has ended, or is another user's
        return []
