"""A workstation that lacks something, or whose files were damaged: the seller is told, and no alert is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.workstation import PASSWORD, Workstation, workstation
from tests.harness.desktop import desktop, wait_until
from tests.harness.server import ServerProcess
from tests.server.reference_crm import ReferenceCrm

pytestmark = pytest.mark.timeout(180)


def somebody_waits(crm: ReferenceCrm, conversation: int) -> str:
    """The phone number that an alert will show."""
    crm.conversation(conversation, datetime.now(UTC) - timedelta(hours=2))
    return f"+549110000{conversation:04}"


def fill_login(station: Workstation, server: ServerProcess, password: str) -> None:
    wait_until(lambda: "Contraseña" in station.desktop.names("crmtray"), "the login window")
    station.desktop.type_into("Servidor", server.url, "crmtray")
    station.desktop.type_into("Correo electrónico", "juan@demo.example", "crmtray")
    station.desktop.type_into("Contraseña", password, "crmtray")
    station.press("Entrar", "crmtray")


def test_a_wrong_password_is_told_and_the_right_one_enters(
    crm: ReferenceCrm, server: ServerProcess, tmp_path: Path
) -> None:
    with desktop() as session, workstation(session, tmp_path) as station:
        station.start()
        fill_login(station, server, "no-es-esta")
        told = "El correo o la contraseña no son correctos"
        wait_until(lambda: any(told in name for name in session.names("crmtray")), "the sentence")
        station.desktop.type_into("Contraseña", PASSWORD, "crmtray")
        station.press("Entrar", "crmtray")
        station.wait_for_tooltip("En tiempo real")
        station.stop()
        station.start()
        station.wait_for_tooltip("En tiempo real")


def test_without_a_keyring_it_asks_and_writes_no_token(
    crm: ReferenceCrm, server: ServerProcess, tmp_path: Path
) -> None:
    with desktop(keyring=False) as session, workstation(session, tmp_path) as station:
        refused = station.crmtray(
            "login", "--server", server.url, "--email", "juan@demo.example", "--password-stdin", text=PASSWORD + "\n"
        )
        assert refused.returncode == 1 and "keyring" in refused.stderr and len(refused.stderr.splitlines()) == 1
        station.start()
        fill_login(station, server, PASSWORD)
        station.press("Continuar", "crmtray")
        station.wait_for_tooltip("En tiempo real")
        phone = somebody_waits(crm, 11)
        station.wait_for_toast(phone)
        home = Path(session.environment["HOME"])
        written = [file for file in home.rglob("*") if file.is_file() and b"eyJ" in file.read_bytes()]
        assert written == []
        station.stop()


def test_a_damaged_cache_is_set_aside_and_filled_again(
    crm: ReferenceCrm, server: ServerProcess, tmp_path: Path
) -> None:
    with desktop() as session, workstation(session, tmp_path) as station:
        station.sign_in(server.url, "juan@demo.example", PASSWORD)
        station.start("--minimized")
        station.wait_for_tooltip("En tiempo real")
        phone = somebody_waits(crm, 11)
        station.wait_for_toast(phone)
        station.stop()
        [cache] = Path(session.environment["HOME"]).rglob("cache.db")
        cache.write_bytes(b"not a database" * 1000)
        station.start("--minimized")
        station.wait_for_tooltip("1 sin leer")
        wait_until(lambda: [item["data"]["phone_number"] for item in station.kept()] == [phone], "the refilled cache")
        assert len(list(cache.parent.glob("cache.db.corrupt-*"))) >= 1
        assert sum(phone in toast for toast in station.toasts()) == 1
        station.stop()


def test_without_a_tray_there_is_a_window_that_says_so(
    crm: ReferenceCrm, server: ServerProcess, tmp_path: Path
) -> None:
    with desktop(tray=False) as session, workstation(session, tmp_path) as station:
        station.sign_in(server.url, "juan@demo.example", PASSWORD)
        station.start("--minimized")
        wait_until(lambda: any("bandeja" in name for name in session.names("crmtray")), "the window and its reason")
        phone = somebody_waits(crm, 11)
        station.wait_for_toast(phone)
        wait_until(lambda: any(phone in name for name in session.names("crmtray")), "the row")
        station.stop()


def test_without_a_notification_service_it_shows_toasts_of_its_own(
    crm: ReferenceCrm, server: ServerProcess, tmp_path: Path
) -> None:
    with desktop(notifications=False) as session, workstation(session, tmp_path) as station:
        station.sign_in(server.url, "juan@demo.example", PASSWORD)
        station.start("--minimized")
        station.wait_for_tooltip("En tiempo real")
        phone = somebody_waits(crm, 11)
        wait_until(lambda: any(phone in name for name in session.names("crmtray")), "the toast window")
        session.screenshot(tmp_path / "own-toast.png")
        station.press("Cerrar", "crmtray")
        station.wait_for_tooltip("1 sin leer")
        station.stop()
