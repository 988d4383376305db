"""The way to a server: whose certificates count, what is said about a bad one, and the proxy in between."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crmtray.api import Api, ApiError
from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials
from crmtray.network import Network, _say_that_it_is_left_out
from crmtray.session import ConnectionState, Session
from tests.client.fake_server import PASSWORD, USER, FakeServer
from tests.client.support import Recorder, item, wait_until

pytestmark = pytest.mark.usefixtures("no_client_tasks_left")

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
FOREIGN = "crm.example.test"
"""A name that only the proxy can find."""


class Authority:
    """A company's own certificate authority."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example CA")])
        certificate = (
            self._builder(self._name, NOW - DAY, NOW + DAY, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, *names: str, start: datetime = NOW - DAY, end: datetime = NOW + DAY) -> ssl.SSLContext:
        """For a server of these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = (
            self._builder(subject, start, end, key.public_key())
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self.folder / "server.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _builder(
        self, subject: x509.Name, start: datetime, end: datetime, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def _general(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def secure(context: ssl.SSLContext, host: str = "127.0.0.1") -> AsyncIterator[FakeServer]:
    """The server of the other tests behind TLS. `host`: what its address says."""
    server = FakeServer()
    app = web.Application()
    server.sio.attach(app)
    app.router.add_route("*", "/{path:(?!socket.io).*}", server._http)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.url = f"https://{host}:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await server.drop_sockets()
        await runner.cleanup()


@dataclass
class Proxy:
    """A real CONNECT proxy, which finds every name on this machine."""

    login: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    def url(self, login: str = "") -> str:
        return f"http://{login and login + '@'}127.0.0.1:{self.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # asyncio's own callback would log a cancelled task as a fault
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        assert method == "CONNECT"
        self.asked.append(target)
        wanted = f"Proxy-Authorization: Basic {base64.b64encode(self.login.encode()).decode()}"
        status = 407 if self.login and wanted not in head else self.status
        writer.write(f"HTTP/1.1 {status} x\r\n\r\n".encode())
        if status != 200:
            await writer.drain()
            return
        far = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        try:
            await asyncio.gather(_pump(reader, far[1]), _pump(far[0], writer))
        finally:
            far[1].close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def refusal(server: str, config: ClientConfig) -> ApiError:
    api = Api(server, network=Network(config))
    try:
        with pytest.raises(ApiError) as caught:
            await api.login("ana@example.com", PASSWORD)
    finally:
        await api.close()
    return caught.value


@asynccontextmanager
async def signed_in(server: FakeServer, config: ClientConfig) -> AsyncIterator[Recorder]:
    cache, recorder = Cache.open(None), Recorder()
    session = Session(config, recorder, cache=cache, credentials=Credentials("test", memory_only=True))
    try:
        await session.login(server.url, USER["email"], PASSWORD)
        yield recorder
    finally:
        await session.stop()
        cache.close()


async def alert_arrives(server: FakeServer, recorder: Recorder) -> None:
    await wait_until(lambda: recorder.state is ConnectionState.REAL_TIME, "real time")
    await server.add(item("n1", 0))
    await wait_until(lambda: "n1" in recorder.arrived_ids, "the alert")


# --- certificates ------------------------------------------------------------------------------------------------


async def test_a_private_authority_is_trusted_for_http_and_real_time(authority: Authority) -> None:
    async with secure(authority.context("127.0.0.1")) as server:
        config = ClientConfig(ca_file=str(authority.file))
        async with signed_in(server, config) as recorder:
            await alert_arrives(server, recorder)


@pytest.mark.parametrize(
    ("names", "start", "end", "trusted", "sentence"),
    [
        (["127.0.0.1"], NOW - DAY, NOW + DAY, False, "es de un emisor desconocido"),
        (["127.0.0.1"], NOW - 3 * DAY, NOW - DAY, True, "de 127.0.0.1 caducó"),
        (["127.0.0.1"], NOW + DAY, NOW + 2 * DAY, True, "todavía no vale; hay que revisar la fecha"),
        (["127.0.0.2"], NOW - DAY, NOW + DAY, True, "es de otro servidor, no de 127.0.0.1"),
        (["crm.example.com"], NOW - DAY, NOW + DAY, True, "es de otro servidor, no de 127.0.0.1"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said(
    authority: Authority, names: Iterable[str], start: datetime, end: datetime, trusted: bool, sentence: str
) -> None:
    async with secure(authority.context(*names, start=start, end=end)) as server:
        error = await refusal(server.url, ClientConfig(ca_file=str(authority.file) if trusted else None))
        assert error.code == "certificate" and sentence in error.message and not error.permanent
        assert error.message.startswith("El certificado de seguridad") and error.message.count(".") <= 4
        assert server.requests == []


# --- the proxy ---------------------------------------------------------------------------------------------------


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def test_http_and_real_time_go_through_the_proxy(authority: Authority) -> None:
    proxy = Proxy(login="ana:s3cret")
    async with proxy.running(), secure(authority.context(FOREIGN), FOREIGN) as server:
        config = ClientConfig(ca_file=str(authority.file), proxy=proxy.url("ana:s3cret"))
        async with signed_in(server, config) as recorder:
            await alert_arrives(server, recorder)
        assert set(proxy.asked) == {server.url.removeprefix("https://")} and len(proxy.asked) >= 2


async def test_the_proxy_of_the_environment_is_used(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, no_environment: None
) -> None:
    proxy = Proxy()
    async with proxy.running(), secure(authority.context(FOREIGN), FOREIGN) as server:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        async with signed_in(server, ClientConfig(ca_file=str(authority.file))) as recorder:
            await alert_arrives(server, recorder)
        assert proxy.asked


async def test_a_laptop_that_comes_to_another_network_goes_another_way(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, no_environment: None
) -> None:
    office, home = Proxy(), Proxy()
    async with office.running(), home.running(), secure(authority.context(FOREIGN), FOREIGN) as server:
        api = Api(server.url, network=Network(ClientConfig(ca_file=str(authority.file))))
        for proxy in (office, home):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url())
            await api.login(USER["email"], PASSWORD)
        await api.close()
        assert len(office.asked) == len(home.asked) == 1


async def test_a_certificate_is_checked_behind_a_proxy_too(authority: Authority) -> None:
    proxy = Proxy()
    async with proxy.running(), secure(authority.context("127.0.0.1"), FOREIGN) as server:
        error = await refusal(server.url, ClientConfig(ca_file=str(authority.file), proxy=proxy.url()))
        assert f"es de otro servidor, no de {FOREIGN}" in error.message


@pytest.mark.parametrize(
    ("proxy", "sentence"),
    [(Proxy(login="ana:s3cret"), "pide usuario y contraseña"), (Proxy(status=403), "respuesta 403")],
)
async def test_a_proxy_that_refuses_is_named(proxy: Proxy, sentence: str) -> None:
    async with proxy.running():
        error = await refusal(f"https://{FOREIGN}", ClientConfig(proxy=proxy.url()))
    assert error.code == "proxy" and sentence in error.message and not error.permanent


async def test_a_proxy_that_is_away_is_named() -> None:
    error = await refusal(f"https://{FOREIGN}", ClientConfig(proxy="http://127.0.0.1:1"))
    assert error.code == "proxy" and error.message.startswith("No se pudo conectar con el proxy")


SERVER = "https://crm.example.com:8443"


def test_this_machine_is_reached_directly(monkeypatch: pytest.MonkeyPatch, no_environment: None) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    for address in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        assert Network(ClientConfig(proxy="http://proxy.example:3128")).proxy(address) is None
        assert Network().proxy(address) is None


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"https_proxy": "p:3128"}, "http://p:3128"),
        ({"ALL_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "crm.example.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": ".example.com"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "other.example"}, "http://p:3128"),
    ],
)
def test_the_environment_names_proxy_and_exceptions(
    environment: dict[str, str], address: str | None, monkeypatch: pytest.MonkeyPatch, no_environment: None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Network().proxy(SERVER) == address


def test_the_desktops_settings_are_the_last_to_be_asked(monkeypatch: pytest.MonkeyPatch, no_environment: None) -> None:
    def desktop(address: str) -> str | None:
        return "http://desktop:8080"

    assert Network(system_proxy=desktop).proxy(SERVER) == "http://desktop:8080"
    assert Network(ClientConfig(proxy="none"), desktop).proxy(SERVER) is None
    assert Network(ClientConfig(proxy="http://mine:1"), desktop).proxy(SERVER) == "http://mine:1"
    monkeypatch.setenv("HTTPS_PROXY", "http://p:3128")
    assert Network(system_proxy=desktop).proxy(SERVER) == "http://p:3128"
    monkeypatch.setenv("NO_PROXY", "crm.example.com")
    assert Network(system_proxy=desktop).proxy(SERVER) is None


def test_a_socks_proxy_of_the_environment_is_named_once_and_left_out(
    monkeypatch: pytest.MonkeyPatch, no_environment: None, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://p:1080")
    _say_that_it_is_left_out.cache_clear()
    for _ in range(3):
        assert Network().proxy(SERVER) is None
    assert [record.getMessage() for record in caplog.records] == [
        "the proxy of the environment is not an HTTP one; going without it"
    ]
