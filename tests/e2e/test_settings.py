"""The settings on a seller's desktop: from the tray's menu to the server, to another device, and to the keyboard."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workstation import PASSWORD, Workstation, workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess, sign

pytestmark = pytest.mark.timeout(180)

MENU = "com.canonical.dbusmenu"
OFFLINE = "Sin conexión. Se muestra lo último que se supo; se podrá cambiar cuando vuelva."


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


def choose_in_tray(office: Desktop, label: str) -> None:
    """What a click on this entry of the tray's menu does."""
    [(name, path), *_] = office.tray_items()
    get = ["gdbus", "call", "--session", "-d", name, "-o", path, "-m", "org.freedesktop.DBus.Properties.Get"]
    found = re.search(r"'(/[^']*)'", office.run([*get, "org.kde.StatusNotifierItem", "Menu"]))
    assert found is not None
    call = ["gdbus", "call", "--session", "-d", name, "-o", found[1], "-m"]
    layout = office.run([*call, f"{MENU}.GetLayout", "0", "--", "-1", "[]"])
    entry = re.search(rf"\((\d+), {{[^}}]*'label': <'{label}'>", layout)
    assert entry is not None, layout
    office.run([*call, f"{MENU}.Event", entry[1], "clicked", "<0>", "0"])


def preferences(server: ServerProcess, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """As another device of the same person reads them, or changes them."""
    body = None if changes is None else json.dumps(changes).encode()
    headers = {"Authorization": f"Bearer {sign('7')}", "Content-Type": "application/json"}
    address = server.url + "/notifications/settings"
    request = urllib.request.Request(address, body, headers, method="GET" if body is None else "PATCH")
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def open_settings(station: Workstation) -> None:
    choose_in_tray(station.desktop, "Configuración…")
    wait_until(lambda: "Alertas de rendimiento" in station.desktop.names("crmtray"), "the preferences")


def test_a_change_reaches_the_server_and_one_of_another_device_the_window(
    station: Workstation, server: ServerProcess
) -> None:
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    open_settings(station)
    before = preferences(server)
    station.press("Alertas de rendimiento", "crmtray")
    wait_until(lambda: "performance" in preferences(server)["notification_types"], "the server to know")
    assert preferences(server) == before | {"notification_types": [*before["notification_types"], "performance"]}
    wait_until(lambda: "Guardado" in station.desktop.names("crmtray"), "the mark")

    station.desktop.type_into("Correo para los avisos", "ana@example.com, otra@example.com", "crmtray")
    station.press("Cerrar", "crmtray")
    # First this: Qt's list of accessible children may point beside itself while a window with scroll bars is closing.
    station.wait_for_toast("El servidor no aceptó esta dirección")
    assert preferences(server)["email_address"] is None

    preferences(server, {"email_address": "juan@example.com"})
    open_settings(station)

    def address() -> bool:
        return any(
            thing["name"] == "Correo para los avisos" and thing["text"] == "juan@example.com"
            for thing in station.desktop.seen("crmtray")
        )

    wait_until(address, "the other device's change")


def test_a_server_that_goes_and_comes_back(station: Workstation, server: ServerProcess) -> None:
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    open_settings(station)
    server.kill()
    wait_until(lambda: OFFLINE in station.desktop.names("crmtray"), "the line that says so")
    assert "Alertas de rendimiento" in station.desktop.names("crmtray")
    server.start()
    wait_until(lambda: OFFLINE not in station.desktop.names("crmtray"), "the connection")
    station.press("Mostrar avisos en pantalla", "crmtray")
    wait_until(lambda: not preferences(server)["push_notifications"], "the server to know")


def test_the_shortcut_opens_the_center_from_anywhere(station: Workstation, server: ServerProcess) -> None:
    home = station.desktop.environment
    folder = Path(home.get("XDG_CONFIG_HOME") or Path(home["HOME"]) / ".config") / "crmtray"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text('shortcut = "Ctrl+Alt+N"\n')
    try:
        station.start("--minimized")
        station.wait_for_tooltip("En tiempo real")
        assert "Marcar todas como leídas" not in station.desktop.names("crmtray")
        station.desktop.run(["xdotool", "key", "ctrl+alt+n"])
        wait_until(lambda: "Marcar todas como leídas" in station.desktop.names("crmtray"), "the center")
    finally:
        (folder / "config.toml").unlink()
