"""The main job, end to end: a row in the CRM, a toast on the seller's desktop, its button, a row in the CRM."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.workstation import PASSWORD, Workstation, sql, workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess, sign
from tests.server.reference_crm import ReferenceCrm

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "crm.db"
    with closing(ReferenceCrm(f"sqlite:///{file}")) as tables:
        tables.people()
    yield file


@pytest.fixture
def server(crm: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    settings = {"CRM_DATABASE_URL": f"sqlite:///{crm}", "CRM_ACTIONS": "sql", "CRM_WEB_URL": "https://crm.example"}
    with ServerProcess(tmp_path, **settings) as server:
        server.add_user("7", "juan@demo.example", "seller", PASSWORD)
        server.loud_at_any_time("7")
        yield server


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


def follow_up(crm: Path, lead: int, name: str, hours: float = 2) -> None:
    when = datetime.now(UTC) + timedelta(hours=hours)
    sql(
        crm,
        "INSERT INTO leads (id, tenant_id, first_name, last_name, phone_number, source, status, assigned_seller_id,"
        " next_follow_up, created_at) VALUES (?, 1, ?, 'González', '+5491100000001', 'ORGANIC', 'interested', 7, ?, ?)",
        lead, name, when.strftime("%Y-%m-%d %H:%M:%S"), "2026-01-01 00:00:00",
    )  # fmt: skip


def waiting(crm: Path, conversation: int, phone: str) -> None:
    sql(
        crm,
        "INSERT INTO conversations (id, tenant_id, lead_id, assigned_seller_id, phone_number, status,"
        " last_message_time, last_message_from_customer)"
        " VALUES (?, 1, 1, 7, ?, 'active', datetime('now', '-2 hours'), 1)",
        conversation, phone,
    )  # fmt: skip


def test_a_row_in_the_crm_becomes_a_toast_whose_button_changes_the_crm(
    crm: Path, server: ServerProcess, station: Workstation, tmp_path: Path
) -> None:
    station.start()
    station.wait_for_tooltip("En tiempo real")

    follow_up(crm, 1, "María")
    assert "María González" in station.wait_for_toast("Recordatorio de Follow-up")
    station.wait_for_tooltip("1 sin leer")
    [kept] = station.kept()
    assert kept["type"] == "follow_up_reminder" and not kept["read"]

    station.press("Marcar como contactado", "xfce4-notifyd")
    wait_until(lambda: sql(crm, "SELECT last_contacted_at FROM leads WHERE id = 1")[0][0], "the CRM's row")
    station.wait_for_tooltip("nada sin leer")
    wait_until(lambda: station.kept()[0]["read"], "the item to be read")
    assert len(station.toasts()) == 1


def test_a_killed_server_loses_nothing_and_shows_nothing_twice(
    crm: Path, server: ServerProcess, station: Workstation
) -> None:
    station.start()
    station.wait_for_tooltip("En tiempo real")
    follow_up(crm, 1, "Antes")
    station.wait_for_toast("Antes González")

    server.kill()
    station.wait_for_tooltip("Sin conexión")
    follow_up(crm, 2, "Durante")
    server.start()
    station.wait_for_toast("Durante González")
    station.wait_for_tooltip("2 sin leer")

    station.kill()
    waiting(crm, 9, "+5491100000009")
    station.start("--minimized")
    station.wait_for_toast("+5491100000009")
    station.wait_for_tooltip("3 sin leer")

    shown = station.toasts()
    assert sum("Antes González" in toast for toast in shown) == 1
    assert sum("Durante González" in toast for toast in shown) == 1
    assert sum("+5491100000009" in toast for toast in shown) == 1
    assert len(shown) == 3 and len(station.kept()) == 3


def test_do_not_disturb_holds_toasts_back_over_a_restart_and_tells_them_in_one(
    crm: Path, server: ServerProcess, station: Workstation
) -> None:
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    station.desktop.press_tray("1 hora")
    station.wait_for_tooltip("No molestar hasta")
    follow_up(crm, 1, "María")
    station.wait_for_tooltip("1 sin leer")
    station.stop()

    station.start("--minimized")
    station.wait_for_tooltip("No molestar hasta")
    station.wait_for_tooltip("En tiempo real")
    waiting(crm, 9, "+5491100000009")
    station.wait_for_tooltip("2 sin leer")
    assert station.toasts() == []
    station.desktop.press_tray("Desactivar")
    told = station.wait_for_toast("Mientras no molestaban")
    assert "1 sin responder" in told and "1 seguimiento" in told and len(station.toasts()) == 1
    assert "No molestar" not in station.desktop.tray_tooltip()


def test_what_is_read_on_another_device_leaves_the_screen(
    crm: Path, server: ServerProcess, station: Workstation
) -> None:
    station.start("--minimized")
    station.wait_for_tooltip("En tiempo real")
    follow_up(crm, 1, "María")
    station.wait_for_toast("María González")
    wait_until(lambda: "Marcar como contactado" in station.desktop.names("xfce4-notifyd"), "its button")
    [item] = station.kept()
    headers = {"Authorization": f"Bearer {sign('7')}", "Idempotency-Key": "another-device"}
    request = urllib.request.Request(f"{server.url}/notifications/{item['id']}/read", b"", headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 200
    wait_until(lambda: "Marcar como contactado" not in station.desktop.names("xfce4-notifyd"), "the toast to go")


def test_reassign_from_the_center_changes_the_crm(crm: Path, server: ServerProcess, station: Workstation) -> None:
    station.start()
    station.wait_for_tooltip("En tiempo real")
    waiting(crm, 9, "+5491100000009")
    station.wait_for_toast("+5491100000009")
    station.press("Reasignar", "xfce4-notifyd")
    station.press("Ana López", "crmtray")
    station.press("Reasignar", "crmtray")
    wait_until(lambda: sql(crm, "SELECT assigned_seller_id FROM conversations")[0][0] == 8, "the CRM's row")
    station.wait_for_tooltip("nada sin leer")
