"""What `crmtray doctor` finds out about a server, a login and this machine, and that nothing makes it wait."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import keyring
import pytest
import socketio
from aiohttp import web

from crmtray import paths
from crmtray.cache import Cache
from crmtray.checks import Check, lines, passed, to_json
from crmtray.config import ClientConfig
from crmtray.crash import Reports
from crmtray.credentials import Credentials, Tokens
from crmtray.doctor import desktop_by, examine
from crmtray.network import Network
from crmtray.protocol import PROTOCOL, PROTOCOL_HEADER, Json, User
from tests.client.test_credentials import EncryptedKeyring
from tests.client.test_network import Authority

ALL = [
    "version", "server", "protocol", "clock", "proxy", "certificate", "socket_io", "token", "keyring", "cache", "disk",
    "log", "instance", "autostart", "tray", "notifications",
]  # fmt: skip
USER = User("7", "t1", "Ana", "ana@example.com", "seller")
FINE: Json = {"status": "ok", "services": {"database": {"status": "ok"}, "redis": {"status": "off"}}}


class FakeServer:
    """Answers as told; `headers` come with every answer."""

    def __init__(self) -> None:
        self.health: tuple[int, Any] = 200, FINE
        self.headers: dict[str, str] = {PROTOCOL_HEADER: str(PROTOCOL)}
        self.hangs_at = "nowhere"
        self.released = asyncio.Event()
        self.token_status = 200
        self.socket_code: str | None = None
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        if self.hangs_at in request.path:
            await self.released.wait()
        status, body = self.health if request.path == "/health" else (self.token_status, {"code": "invalid_token"})
        return web.json_response(body, status=status, headers=self.headers)

    async def connect(self, sid: str, environ: Json, auth: Any) -> None:
        assert auth["token"] == "access-1" and auth["protocol"] == PROTOCOL
        if self.socket_code is not None:
            raise socketio.exceptions.ConnectionRefusedError("refused", {"code": self.socket_code})


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None, *, sockets: bool = True) -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    app = web.Application()
    sio = socketio.AsyncServer(async_mode="aiohttp")
    sio.on("connect", fake.connect)
    if sockets:
        sio.attach(app)
    app.router.add_route("*", "/{path:(?!socket.io).*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    fake.url = f"{'http' if context is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        fake.released.set()
        for sid in list(sio.eio.sockets):
            await sio.eio.disconnect(sid)
        await runner.cleanup()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def secrets() -> Iterator[EncryptedKeyring]:
    before, ours = keyring.get_keyring(), EncryptedKeyring()
    keyring.set_keyring(ours)
    yield ours
    ours.unlocked.set()
    keyring.set_keyring(before)


async def no_display() -> Sequence[Check]:
    return await desktop_by([], "no display")


async def checked(server: str | None, config: ClientConfig | None = None) -> dict[str, Check]:
    config = config or ClientConfig(server=server)
    found = await examine(
        config, network=Network(config), credentials=Credentials("default", time_limit=3), desktop=no_display
    )
    assert [check.name for check in found] == ALL
    assert all(check.hint for check in found if check.status in ("warning", "broken")), "what is wrong says what to do"
    return {check.name: check for check in found}


async def sign_in(server: str, *, lasts: float = 600) -> None:
    tokens = Tokens("access-1", "refresh-1", USER, time.time() + lasts)
    await Credentials("default").save(server, tokens)


def of(found: dict[str, Check], *names: str) -> list[str]:
    return [found[name].status for name in names]


# --- the server --------------------------------------------------------------------------------------------------


async def test_all_is_well() -> None:
    async with serving() as server:
        await sign_in(server.url)
        found = await checked(server.url)
        assert {check.status for check in found.values()} == {"ok", "not_checked"}
        assert of(found, "tray", "notifications") == ["not_checked", "not_checked"]
        assert "takes this login" in found["socket_io"].detail and "role seller" in found["token"].detail
        assert (
            found["keyring"].detail == "SecretService"
            and found["certificate"].detail == "none needed: this machine itself"
        )
        assert server.asked == [("GET", "/health"), ("GET", "/auth/me")]


async def test_nobody_signed_in_yet() -> None:
    found = await checked(None)
    assert found["server"].status == "warning" and passed(list(found.values()))
    async with serving() as server:
        found = await checked(server.url)
        assert of(found, "server", "socket_io", "token") == ["ok", "ok", "warning"]


async def test_the_server_of_the_stored_login_is_looked_at(home: Path) -> None:
    async with serving() as server:
        await sign_in(server.url)
        assert server.url in (await checked(None))["server"].detail
        cache = Cache.open(paths.cache_file("default"))
        cache.owner = (server.url, "t1/7")
        cache.close()
        keyring.get_keyring().unlocked.clear()  # type: ignore[attr-defined]
        assert server.url in (await checked(None))["server"].detail


@pytest.mark.parametrize(
    ("health", "status", "said"),
    [
        ((200, "hello"), "broken", "not as a crmtray server does"),
        ((302, {}), "broken", "status 302"),
        ((503, {"services": {"database": {"status": "down"}}}), "broken", "is down: database"),
        ((200, {"services": {"crm": {"status": "down"}}}), "warning", "down there: crm"),
    ],
)
async def test_an_answer_that_is_not_a_good_one(health: tuple[int, Any], status: str, said: str) -> None:
    async with serving() as server:
        server.health = health
        found = await checked(server.url)
        assert found["server"].status == status and said in found["server"].detail


async def test_nobody_is_there() -> None:
    found = await checked("http://127.0.0.1:1")
    assert found["server"].status == "broken" and "Cannot connect" in found["server"].detail
    assert of(found, "protocol", "clock", "certificate", "socket_io", "token") == ["not_checked"] * 5


@pytest.mark.parametrize(
    ("header", "status", "said"),
    [("1", "ok", "1, as the server"), ("2", "broken", "update crmtray"), ("0", "broken", "update the server")],
)
async def test_the_protocols_are_compared(header: str, status: str, said: str) -> None:
    async with serving() as server:
        server.headers = {PROTOCOL_HEADER: header}
        check = (await checked(server.url))["protocol"]
        assert check.status == status and said in check.detail + check.hint


@pytest.mark.parametrize(("minutes", "said"), [(-10, "ahead of"), (10, "behind")])
async def test_a_clock_that_is_wrong(minutes: int, said: str) -> None:
    async with serving() as server:
        server.headers["Date"] = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
        check = (await checked(server.url))["clock"]
        assert check.status == "warning" and said in check.detail


async def test_a_way_without_websockets_is_found_out() -> None:
    async with serving(sockets=False) as server:
        found = await checked(server.url)
        assert of(found, "server", "socket_io") == ["ok", "broken"]


async def test_a_login_that_is_refused() -> None:
    async with serving() as server:
        await sign_in(server.url)
        server.token_status, server.socket_code = 401, "invalid_token"
        found = await checked(server.url)
        assert of(found, "socket_io", "token") == ["broken", "broken"]
        assert "invalid_token" in found["socket_io"].detail and "401 invalid_token" in found["token"].detail


async def test_a_token_that_ran_out_is_left_to_the_program_itself() -> None:
    async with serving() as server:
        await sign_in(server.url, lasts=-1)
        found = await checked(server.url)
        assert of(found, "socket_io", "token") == ["ok", "not_checked"]
        assert server.asked == [("GET", "/health")]
        assert (await Credentials("default").load(server.url)) is not None


# --- certificates and proxies ------------------------------------------------------------------------------------


async def test_a_certificate_nobody_here_trusts(tmp_path: Path) -> None:
    async with serving(Authority(tmp_path).context("127.0.0.1")) as server:
        found = await checked(server.url)
        assert of(found, "server", "certificate", "socket_io") == ["broken", "broken", "not_checked"]
        assert "verify failed" in found["certificate"].detail and "ca_file" in found["certificate"].hint


@pytest.mark.parametrize(("days", "status"), [(1, "warning"), (90, "ok")])
async def test_a_certificate_is_shown_with_its_end(tmp_path: Path, days: int, status: str) -> None:
    authority = Authority(tmp_path)
    ends = datetime.now(UTC) + timedelta(days=days)
    async with serving(authority.context("127.0.0.1", end=ends)) as server:
        check = (await checked(None, ClientConfig(server=server.url, ca_file=str(authority.file))))["certificate"]
        assert check.status == status
        assert f"by Example CA, until {ends:%Y-%m-%d}; TLSv1." in check.detail


async def test_a_proxy_that_is_away_is_named_without_its_password() -> None:
    config = ClientConfig(server="https://crm.example.test", proxy="http://ana:canario@127.0.0.1:1")
    found = await checked(None, config)
    assert found["server"].status == "broken" and "`proxy`" in found["server"].hint
    told = json.dumps(to_json(list(found.values()))) + "\n".join(lines(list(found.values())))
    assert "canario" not in told and "http://[secret]@127.0.0.1:1" in told


# --- nothing makes it wait ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["/health", "/auth/me"])
async def test_a_server_that_hangs(place: str) -> None:
    async with serving() as server:
        server.hangs_at = place
        await sign_in(server.url)
        began = time.monotonic()
        found = await checked(server.url)
        assert time.monotonic() - began < 10
        assert found["server" if place == "/health" else "token"].status == "broken"


async def test_a_keyring_that_hangs_and_a_server_too(secrets: EncryptedKeyring) -> None:
    async with serving() as server:
        server.hangs_at = "/health"
        secrets.unlocked.clear()
        began = time.monotonic()
        found = await checked(server.url)
        assert time.monotonic() - began < 15
        assert of(found, "keyring", "server", "token") == ["broken", "broken", "not_checked"]
        assert "unlock" in found["keyring"].hint


async def test_a_desktop_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crmtray.doctor.DESKTOP_SECONDS", 0.2)
    config = ClientConfig()
    hanging = [sys.executable, "-c", "import time; time.sleep(60)"]
    found = await examine(
        config,
        network=Network(config),
        credentials=Credentials("default"),
        desktop=lambda: desktop_by(hanging, ""),
    )
    assert [check.status for check in found[-2:]] == ["broken", "broken"] and "no answer" in found[-1].detail


async def test_a_qt_that_aborts_says_why() -> None:
    dying = [sys.executable, "-c", "import sys; print('no xcb here', file=sys.stderr); sys.exit(134)"]
    tray, _ = await desktop_by(dying, "")
    assert tray.status == "broken" and "no xcb here" in tray.detail


def test_the_command_ends_in_time_whatever_hangs(tmp_path: Path) -> None:
    """As a process, from its start to its end; a name server that never answers leaves a thread behind."""
    script = """
import sys, time, socket, keyring.backends.SecretService as s
socket.getaddrinfo = lambda *a, **k: time.sleep(60)
sys.argv = ["crmtray", "--server", "https://crm.example.test", "doctor", "--json"]
from crmtray.__main__ import main
main()
"""
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], env=kept, capture_output=True, text=True, timeout=60, check=False
    )
    assert time.monotonic() - began < 15 and done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is False and set(report) == {"ok", "checks"}
    assert [set(check) for check in report["checks"]] == [{"name", "status", "detail", "hint"}] * len(ALL)
    found = {check["name"]: check for check in report["checks"]}
    assert found["server"]["status"] == "broken" and found["tray"]["detail"] == "no display"


# --- this machine ------------------------------------------------------------------------------------------------


def kept_cache() -> Path:
    path = paths.cache_file("default")
    Cache.open(path).close()
    return path


async def test_a_damaged_cache_is_found_and_left_alone() -> None:
    path = kept_cache()
    content = bytearray(path.read_bytes())
    content[4096 : 3 * 4096] = os.urandom(2 * 4096)
    path.write_bytes(content)
    assert (await checked(None))["cache"].status == "broken"
    assert path.read_bytes() == content
    path.write_text("not a database at all, and long enough to be looked at" * 100)
    assert (await checked(None))["cache"].status == "broken"


async def test_a_cache_that_others_may_read() -> None:
    path = kept_cache()
    assert (await checked(None))["cache"].status == "ok"
    path.chmod(0o644)
    check = (await checked(None))["cache"]
    assert check.status == "warning" and check.hint.startswith(f"chmod go= {path}")


async def test_a_process_that_holds_the_profile_without_answering() -> None:
    cache = Cache.open(paths.cache_file("default"))
    try:
        assert (await checked(None))["instance"].status == "warning"
    finally:
        cache.close()
    check = (await checked(None))["instance"]
    assert check.status == "ok" and "does not run" in check.detail


async def test_a_fresh_crash_report_is_mentioned() -> None:
    path = paths.log_file("default")
    Reports(path).write("fault", [])
    check = (await checked(None))["log"]
    assert check.status == "warning" and "crash reports: 1" in check.detail and ".crash-" in check.hint


async def test_little_room_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, status in ((100_000_000, "warning"), (1_000_000, "broken")):
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: _Usage(free))
        assert (await checked(None))["disk"].status == status


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_what_others_say_cannot_rewrite_the_screen() -> None:
    [line] = lines([Check("server", "broken", "x\x1b[2J\nok  token eyJhbGciOi.eyJ1c2Vy.c2ln", "do\tthis")])
    assert "\x1b" not in line and "\n" not in line and line.endswith("[token]  → do this")
