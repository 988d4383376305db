"""How this machine reaches a server: through which proxy, and whose certificates count. For HTTP and Socket.IO alike.

Owns the making of HTTP sessions and the sentences about certificates and proxies. There is no way to go on with a
certificate that is not good. It must not know about logins.
"""

from __future__ import annotations

import functools
import logging
import ssl
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from .addresses import is_loopback, is_proxy
from .config import ClientConfig
from .words import say

log = logging.getLogger(__name__)

UNHURRIED = aiohttp.ClientTimeout(total=300, sock_connect=8)
UNHURRIED = aiohttp.ClientTimeout(total=300, sock_connect=8)
SystemProxy = Callable[[str], str | None]
"""Which proxy the desktop's settings want for an address; None: none."""

# The numbers are OpenSSL's (x509_vfy.h); Python hands them on as `verify_code`.
_NOT_YET, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
_UNKNOWN_ISSUER = (18, 19, 20, 21)


class Network:
    """What a configuration says about the way to a server."""

    def __init__(self, config: ClientConfig | None = None, system_proxy: SystemProxy = lambda address: None) -> None:
        config = config or ClientConfig()
        self._proxy, self._ca_file, self._system_proxy = config.proxy, config.ca_file, system_proxy
        self._context: ssl.SSLContext | None = None

    def session(self, server: str, timeout: aiohttp.ClientTimeout = UNHURRIED) -> aiohttp.ClientSession:
        """For this server and no other. Whoever asks closes it."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trusted()),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self.proxy(server),
            timeout=timeout,
        )

    def proxy(self, server: str) -> str | None:
        """The proxy on the way to the server; this machine is always reached directly."""
        parts = urlsplit(server)
        if self._proxy == "none" or is_loopback(parts.hostname or ""):
            return None
        if self._proxy != "auto":
            return self._proxy
        if urllib.request.proxy_bypass(parts.netloc):
            return None
        return _of_environment(server) or self._system_proxy(server)

    def _trusted(self) -> ssl.SSLContext:
        """Made once: it reads all authorities of the system."""
        if self._context is None:
            self._context = ssl.create_default_context()
            if self._ca_file is not None:
                self._context.load_verify_locations(self._ca_file)
        return self._context


def _of_environment(server: str) -> str | None:
    """HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; on Windows and macOS also what is set in the system."""
    known = urllib.request.getproxies()
    address = known.get(urlsplit(server).scheme) or known.get("all")
    if not address:
        return None
    address = address if "://" in address else f"http://{address}"
    if not is_proxy(address):
        _say_that_it_is_left_out()
        return None
    return address


@functools.cache
def _say_that_it_is_left_out() -> None:
    """Once: the proxy is asked for at every request."""
    log.warning("the proxy of the environment is not an HTTP one; going without it")


def fault(server: str, error: BaseException) -> tuple[str, str] | None:
    """A code and a sentence in Spanish for what a certificate or a proxy did; None when it was neither."""
    host = urlsplit(server).hostname or server
    certificate = _certificate_error(error)
    if certificate is not None:
        return "certificate", _about_certificate(host, certificate)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return "proxy", _about_proxy(error.status)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        text = say("No se pudo conectar con el proxy de la red; hay que revisar su dirección en la configuración.")
        return "proxy", text
    return None


def _certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    inner = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    return inner if isinstance(inner, ssl.SSLCertVerificationError) else None


def _about_certificate(host: str, error: ssl.SSLCertVerificationError) -> str:
    code = getattr(error, "verify_code", 0)
    if code == _EXPIRED:
        return say("El certificado de seguridad de {} caducó; hay que avisar a quien administra el servidor.").format(
            host
        )
    if code == _NOT_YET:
        return say(
            "El certificado de seguridad de {} todavía no vale; hay que revisar la fecha de este equipo."
        ).format(host)
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return say("El certificado de seguridad es de otro servidor, no de {}; hay que revisar la dirección.").format(
            host
        )
    if code in _UNKNOWN_ISSUER:
        return say(
            "El certificado de seguridad de {} es de un emisor desconocido para este equipo;"
            " hay que avisar a quien administra el servidor."
        ).format(host)
    return say("El certificado de seguridad de {} no es válido; hay que avisar a quien administra el servidor.").format(
        host
    )


def _about_proxy(status: int) -> str:
    if status == 407:
        return say("El proxy de la red pide usuario y contraseña; hay que ponerlos en la configuración.")
    text = say("El proxy de la red no dejó pasar la conexión (respuesta {}); hay que avisar a quien lo administra.")
    return text.format(status)
