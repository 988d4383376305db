"""What must never be found on a workstation, and what must not be clicked away."""

from __future__ import annotations

import http.server
import json
import ssl
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.client.test_network import Authority
from tests.e2e.workstation import Workstation, workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess
from tests.server.reference_crm import ReferenceCrm

pytestmark = pytest.mark.timeout(180)

CANARY = "canario-clave-9f3d71"
CUSTOMER = "Zaratustra"
MARKUP = '<b>Ana</b><img src="{}/x.png"> &amp; <a href="{}/y">z</a>'


@pytest.fixture(scope="module")
def office() -> Iterator[Desktop]:
    with desktop() as session:
        yield session


@pytest.fixture
def station(office: Desktop, tmp_path: Path) -> Iterator[Workstation]:
    with workstation(office, tmp_path) as station:
        yield station


def files(office: Desktop) -> list[Path]:
    """All that belongs to the person: home, and wherever the session has put the rest."""
    folders = {Path(value) for name, value in office.environment.items() if name == "HOME" or name.startswith("XDG_")}
    return [path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file()]


def with_text(office: Desktop, *texts: str) -> list[Path]:
    """Also as UTF-16, and whatever the case."""
    wanted = [form.lower() for text in texts for form in (text.encode(), text.encode("utf-16-le"))]
    return [path for path in files(office) if any(one in path.read_bytes().lower() for one in wanted)]


def stored_login(office: Desktop, url: str) -> dict[str, str]:
    """As another program of this person could read it: that is what a keyring is for."""
    script = f"import keyring; print(keyring.get_password('crmtray', 'default@{url}'))"
    tokens: dict[str, str] = json.loads(office.run([sys.executable, "-c", script]))
    return tokens


def waiting_customer(crm: ReferenceCrm, number: int, name: str) -> None:
    crm.lead(number, first_name=name, next_follow_up=datetime.now(UTC) + timedelta(hours=1))


def test_a_whole_session_leaves_no_secret_and_a_logout_no_customer(
    office: Desktop, station: Workstation, server: ServerProcess, crm: ReferenceCrm
) -> None:
    server.add_user("9", "eva@demo.example", "seller", CANARY)
    server.loud_at_any_time("9")
    crm.user(9, "Eva", "seller")
    login = ["login", "--server", server.url, "--email", "eva@demo.example", "--password-stdin"]
    wrong = station.crmtray("--log-level", "DEBUG", *login, text=f"{CANARY}-mal\n")
    assert wrong.returncode == 1 and CANARY not in wrong.stdout + wrong.stderr
    assert station.crmtray("--log-level", "DEBUG", *login, text=CANARY + "\n").returncode == 0
    tokens = stored_login(office, server.url)

    station.start("--log-level", "DEBUG", "--minimized")
    station.wait_for_tooltip("En tiempo real")
    crm.lead(1, first_name=CUSTOMER, assigned_seller_id=9, next_follow_up=datetime.now(UTC) + timedelta(hours=1))
    station.wait_for_toast(CUSTOMER)
    found = station.crmtray("doctor")
    server.kill()
    station.wait_for_tooltip("Sin conexión")
    server.start()
    station.wait_for_tooltip("En tiempo real")
    station.stop()

    log = next(path for path in files(office) if path.name == "crmtray.log")
    assert "crmtray" in log.read_text() and stat.S_IMODE(log.stat().st_mode) == 0o600
    newest = stored_login(office, server.url)
    secrets = [CANARY, *(pair[name] for pair in (tokens, newest) for name in ("access_token", "refresh_token"))]
    assert with_text(office, *secrets) == [], "nothing of a login is on the disk in the clear"
    assert not any(secret in text for secret in secrets for text in (station.log.read_text(), found.stdout))
    kept = [path for path in with_text(office, CUSTOMER) if "crmtray" in path.parts]
    assert {path.name.removesuffix("-wal") for path in kept} == {"cache.db"}, (
        "alerts are in the cache and not in the log"
    )
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
    assert stat.S_IMODE(kept[0].parent.stat().st_mode) == 0o700

    kept[0].with_name("cache.db.corrupt-20260101T000000Z").write_text(CUSTOMER)
    assert station.crmtray("logout").returncode == 0
    assert [path for path in with_text(office, CUSTOMER) if "crmtray" in path.parts] == []
    assert with_text(office, *secrets) == []


# --- text of others -------------------------------------------------------------------------------------------------


class Listener(http.server.BaseHTTPRequestHandler):
    """Writes down who asks; nobody should."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that fails is what is expected here."""


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = Server(("127.0.0.1", 0), type("Here", (Listener,), {"asked": asked}))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_a_customer_calls_himself_is_text_everywhere(
    office: Desktop, station: Workstation, server: ServerProcess, crm: ReferenceCrm
) -> None:
    with listening() as (address, asked):
        name = MARKUP.format(address, address)
        station.sign_in(server.url, "juan@demo.example", "una-clave-larga")
        station.start()
        try:
            station.wait_for_tooltip("En tiempo real")
            waiting_customer(crm, 1, name)
            station.wait_for_toast("Recordatorio")
            [item] = wait_until(station.kept, "the item")
            assert name in item["message"]
            wait_until(
                lambda: any("<b>Ana</b>" in text for text in texts(office, "crmtray")), "the row, as it was written"
            )
            wait_until(
                lambda: any("<b>Ana</b>" in text for text in texts(office, "xfce4-notifyd")), "the toast, likewise"
            )
            assert asked == [], "no picture was fetched"
        finally:
            station.stop()
            assert station.crmtray("logout").returncode == 0


def texts(office: Desktop, application: str) -> list[str]:
    return [thing[part] for thing in office.seen(application) for part in ("name", "text") if thing[part]]


# --- certificates ---------------------------------------------------------------------------------------------------


def test_a_certificate_that_is_not_good_cannot_be_clicked_away(
    office: Desktop, station: Workstation, tmp_path: Path
) -> None:
    with listening(Authority(tmp_path).context("127.0.0.1")) as (address, asked):
        done = station.crmtray(
            "login", "--server", address, "--email", "a@b.example", "--password-stdin", text=CANARY + "\n"
        )
        assert done.returncode == 1 and "certificate" in done.stderr.lower()

        station.start()
        try:
            wait_until(lambda: "Entrar" in office.names("crmtray"), "the login window")
            before = buttons(office)
            office.type_into("Servidor", address, "crmtray")
            office.type_into("Correo electrónico", "a@b.example", "crmtray")
            office.type_into("Contraseña", CANARY, "crmtray")
            office.press("Entrar", "crmtray")
            wait_until(lambda: any("emisor desconocido" in text for text in texts(office, "crmtray")), "the sentence")
            assert buttons(office) == before, "there is no way on"
        finally:
            station.stop()
        assert asked == [], "not one request got through, and no password"


def buttons(office: Desktop) -> list[str]:
    return sorted(thing["name"] for thing in office.seen("crmtray") if "button" in thing["role"])
