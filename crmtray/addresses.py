"""Addresses of servers and proxies: which are good, and which are safe.

Pure: it looks at text and asks nobody.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from .words import say

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class BadServer(ValueError):
    """A server address that cannot be used: `detail` for logs and terminals, the text in Spanish for windows."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.message, self.detail = message, detail


def normalise_server(text: str) -> str:
    """`https://host[:port][/path]`, without a slash at the end. Raises BadServer.

    http is refused except on this machine: the token would go over the network for anyone to read.
    """
    address = text.strip()
    if "://" not in address:
        address = f"{'http' if is_loopback(_host(address)) else 'https'}://{address}"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _bad_server(text) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in address):
        raise _bad_server(text)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _bad_server(text)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise BadServer(
            say("La dirección de {} debe empezar con https:// para que nadie pueda leer la contraseña.").format(
                parts.hostname
            ),
            "http:// is only for this machine, because the password would travel in the clear; use https://",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def _bad_server(text: str) -> BadServer:
    return BadServer(
        say("La dirección del servidor no es válida; debe ser como https://crm.ejemplo.com"),
        f"{text!r} is not a server address; it should look like https://crm.example.com",
    )


def _host(address: str) -> str:
    try:
        return urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_list(text: str) -> list[str]:
    """Host names out of a comma list. Raises ValueError for what is none."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if not _HOST.fullmatch(name):
            raise ValueError(name)
    return names


def is_proxy(text: str) -> bool:
    """An address of a proxy that can be used: HTTP, also with a login in it; not SOCKS."""
    try:
        parts = urlsplit(text)
        there = bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        return False
    return there and parts.scheme in ("http", "https")
