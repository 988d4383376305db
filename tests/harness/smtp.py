"""A real mail server on a free loopback port that keeps what it is given, and misbehaves when it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "crmtray", "contraseña-smtp"


@dataclass(frozen=True)
class Received:
    sender: str
    recipients: list[str]
    raw: bytes
    tls: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())


@dataclass(eq=False)
class MailSink:
    """The switches may be turned at any time; the answers in `rcpt` and `data` are given once each, then 250."""

    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    hang: bool = False
    """Falls silent after the text of a mail, which it does not keep."""
    close_after_data: int = 0
    """So many mails are kept and then the connection is cut instead of an answer."""
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    offered: list[Received] = field(default_factory=list)
    """Every mail whose text arrived, kept or not."""
    _port: int = 0
    _tls: ssl.SSLContext | None = None
    _implicit: bool = False
    _auth: bool = False
    _server: asyncio.Server | None = None
    _open: set[SMTP] = field(default_factory=set)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        login = f"{USER}:{PASSWORD.replace('ñ', '%C3%B1')}@" if self._auth else ""
        return f"{'smtps' if self._implicit else 'smtp'}://{login}127.0.0.1:{self._port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        context = self._tls if self._implicit else None
        self._server = await loop.create_server(self._protocol, "127.0.0.1", self._port, ssl=context)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody listens there any more; `start` comes back on the same port."""
        assert self._server is not None
        self._server.close()
        for protocol in tuple(self._open):
            _cut(protocol)
        await self._server.wait_closed()
        tasks = [p._handler_coroutine for p in self._open if p._handler_coroutine is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        self._open.clear()

    async def wait(self, count: int) -> list[Received]:
        """The first so many mails, as soon as they have come."""
        async with asyncio.timeout(15):
            while len(self.received) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.received[:count]

    def _protocol(self) -> SMTP:
        self.connections += 1
        protocol = SMTP(
            self,
            hostname="mail.example",
            loop=asyncio.get_running_loop(),
            tls_context=None if self._implicit else self._tls,
            auth_require_tls=False,
            authenticator=self._authenticate if self._auth else None,
        )
        self._open.add(protocol)
        return protocol

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=right, handled=False, auth_data=USER if right else None)

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _o: Any) -> str:
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes) and envelope.mail_from is not None
        tls = session.ssl is not None or self._implicit
        mail = Received(envelope.mail_from, list(envelope.rcpt_tos), envelope.content, tls, session.auth_data)
        self.offered.append(mail)
        if self.hang:
            await asyncio.Event().wait()
        if self.data:
            return self.data.pop(0)
        self.received.append(mail)
        self._arrived.set()
        if self.close_after_data:
            self.close_after_data -= 1
            _cut(server)
            await asyncio.Event().wait()
        return "250 OK"


def _cut(protocol: SMTP) -> None:
    if isinstance(protocol.transport, asyncio.WriteTransport):
        with suppress(AttributeError):  # before Python 3.11.4 a TLS transport that has ended cannot be aborted
            protocol.transport.abort()


@asynccontextmanager
async def mail_sink(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, auth: bool = False
) -> AsyncIterator[MailSink]:
    sink = MailSink(_tls=tls, _implicit=implicit, _auth=auth)
    await sink.start()
    try:
        yield sink
    finally:
        await sink.stop()


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[int, Callable[[], int]]]:
    """Takes connections and never says a word: its port, and how many came."""
    writers: list[asyncio.StreamWriter] = []

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], lambda: len(writers)
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for 127.0.0.1, and the file of the private authority that vouches for it."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Tests", authority_key, "Tests", authority_key, is_authority=True)
    certificate = _certificate("mail.example", key, "Tests", authority_key, is_authority=False)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + _pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, folder / "ca.pem"


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
