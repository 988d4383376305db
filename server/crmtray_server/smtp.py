"""The way to a mail server: connected, encrypted, signed in, or a sentence that says why not.

Owns addresses of mail servers, TLS and the meaning of the server's answers. Knows nothing of notifications or of
when to try again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import errors

CONNECT_SECONDS = 10.0
WHOLE_SECONDS = 30.0
LONGEST_REASON = 200


class Unreachable(Exception):
    """No mail can be handed over now. `permanent`: nor later, before an administrator changes something."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


class NotAccepted(Exception):
    """This one mail was not taken. `permanent`: nor will it be. `hung`: the server fell silent."""

    def __init__(self, reason: str, *, permanent: bool = False, hung: bool = False) -> None:
        super().__init__(reason)
        self.permanent, self.hung = permanent, hung


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. Certificates are always verified."""

    host: str
    port: int
    tls: bool
    """From the first byte; otherwise by STARTTLS when the server offers it."""
    user: str | None = None
    password: str = field(default="", repr=False)
    connect_seconds: float = CONNECT_SECONDS
    whole_seconds: float = WHOLE_SECONDS

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


def mail_server(url: str) -> MailServer:
    """From `smtp://user:password@host:587` or `smtps://…`, which config has checked."""
    parts = urlsplit(url)
    tls = parts.scheme == "smtps"
    user = unquote(parts.username) if parts.username else None
    return MailServer(
        parts.hostname or "", parts.port or (465 if tls else 25), tls, user, unquote(parts.password or "")
    )


class Session:
    """One connection that is ready to take mail."""

    def __init__(self, server: MailServer, client: aiosmtplib.SMTP) -> None:
        self._server = server
        self._client = client

    @property
    def open(self) -> bool:
        return self._client.is_connected

    async def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Returns when the server has taken responsibility for it. Raises NotAccepted."""
        try:
            async with asyncio.timeout(self._server.whole_seconds):
                await self._client.sendmail(sender, [recipient], message)
        except errors.SMTPRecipientsRefused as error:
            raise self._answered(error.recipients[0].code, error.recipients[0].message) from None
        except errors.SMTPResponseException as error:
            raise self._answered(error.code, error.message) from None
        except TimeoutError:
            self._client.close()  # what the server says next would be taken for the answer to another mail
            raise NotAccepted("the mail server did not answer in time", hung=True) from None
        except (errors.SMTPException, OSError) as error:
            self._client.close()
            raise NotAccepted(f"the connection was lost: {_one_line(str(error), self._server)}") from None

    async def close(self) -> None:
        with suppress(errors.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(self._server.connect_seconds):
                if self._client.is_connected:
                    await self._client.quit()
        self._client.close()

    def _answered(self, code: int, text: str) -> NotAccepted:
        # 421 comes with any command and says that the server is about to close, not what it thinks of the mail.
        return NotAccepted(_one_line(f"{code} {text}", self._server), permanent=500 <= code < 600)


async def connect(server: MailServer, context: ssl.SSLContext | None = None) -> Session:
    """A session to be closed by the caller. Raises Unreachable."""
    if context is None:
        context = await asyncio.to_thread(ssl.create_default_context)
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls,
        start_tls=False,  # done below: what comes before the login must be known
        tls_context=context,
        timeout=server.connect_seconds,
        local_hostname=socket.gethostname(),  # the library would ask the name service, which can take long
    )
    try:
        async with asyncio.timeout(server.whole_seconds):
            await _prepare(server, client, context)
    except BaseException as error:
        client.close()
        if isinstance(error, (errors.SMTPException, OSError, TimeoutError, ValueError)):
            raise Unreachable(_why(error, server)) from None
        raise
    return Session(server, client)


async def probe(server: MailServer) -> None:
    """Everything but a mail. Raises Unreachable."""
    await (await connect(server)).close()


async def _prepare(server: MailServer, client: aiosmtplib.SMTP, context: ssl.SSLContext) -> None:
    await client.connect()
    await client.ehlo()
    if not server.tls and client.supports_extension("starttls"):
        await client.starttls(tls_context=context)
        await client.ehlo()
    if server.user is None:
        return
    if client.get_transport_info("ssl_object") is None and not _is_this_machine(client):
        raise Unreachable(
            "the mail server offers no TLS, and a password is not sent in the clear. "
            "Use smtps:// in SMTP_URL, or a server with STARTTLS.",
            permanent=True,
        )
    await client.login(server.user, server.password)


def _is_this_machine(client: aiosmtplib.SMTP) -> bool:
    """By the address we are connected to; a name can lead anywhere."""
    peer = client.get_transport_info("peername")
    return bool(peer) and ipaddress.ip_address(str(peer[0]).partition("%")[0]).is_loopback


def _why(error: BaseException, server: MailServer) -> str:
    certificate = _certificate_problem(error)
    if certificate:
        return f"the certificate of {server.name} cannot be trusted: {_one_line(certificate, server)}"
    if isinstance(error, errors.SMTPAuthenticationError):
        return f"{server.name} refuses the login: {_one_line(f'{error.code} {error.message}', server)}"
    if isinstance(error, errors.SMTPNotSupported):
        return f"{server.name} offers no login that we know; leave user and password out of SMTP_URL, or use its port"
    if isinstance(error, TimeoutError):
        return f"{server.name} does not answer"
    if isinstance(error, errors.SMTPResponseException):
        return f"{server.name} refuses us: {_one_line(f'{error.code} {error.message}', server)}"
    return f"{server.name} cannot be reached: {_one_line(str(error), server)}"


def _certificate_problem(error: BaseException | None) -> str:
    """The library hides the cause behind its own errors, one or two deep."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""


def _one_line(text: str, server: MailServer) -> str:
    """What a server says, fit for a log line: it may be anything, our password included."""
    if server.password:
        text = text.replace(server.password, "[secret]")
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"
