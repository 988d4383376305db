"""The client's settings: one dataclass, from the configuration file, overridden by flags.

Owns the names, types and limits of the settings and the rule which server addresses are safe. Preferences about
notifications are not here: they live on the server, so that all devices agree.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class ConfigError(ValueError):
    """A setting that cannot be used; says which, and what is allowed."""


class BadServer(ValueError):
    """A server address that cannot be used: `detail` for logs and terminals, the text in Spanish for windows."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.message, self.detail = message, detail


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """`server` None means: the one signed in to last."""

    server: str | None = None
    profile: str = "default"
    poll_seconds: float = 30
    log_level: str = "WARNING"


def load(path: Path, **flags: Any) -> ClientConfig:
    """Defaults, then the file (when there is one), then the flags that were given (not None)."""
    given = {name: value for name, value in flags.items() if value is not None}
    return checked(replace(_from_file(path), **given))


def checked(config: ClientConfig) -> ClientConfig:
    """The configuration with its server address made canonical. Raises ConfigError."""
    level = config.log_level.upper()
    if level not in LOG_LEVELS:
        raise ConfigError(f"log_level is {config.log_level!r}; allowed: {', '.join(LOG_LEVELS)}")
    if not 1 <= config.poll_seconds <= 3600:
        raise ConfigError(f"poll_seconds is {config.poll_seconds!r}; allowed: 1 to 3600")
    if config.server is None:
        return replace(config, log_level=level)
    try:
        return replace(config, log_level=level, server=normalise_server(config.server))
    except BadServer as error:
        raise ConfigError(f"server is {config.server!r}: {error.detail}") from None


def _from_file(path: Path) -> ClientConfig:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ClientConfig()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        return ClientConfig(**_typed(values))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    known = {item.name: (int, float) if item.name == "poll_seconds" else (str,) for item in fields(ClientConfig)}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}; known: {', '.join(known)}")
        if not isinstance(value, known[name]) or isinstance(value, bool):
            expected = "a number" if float in known[name] else "text"
            raise ConfigError(f"{name} is {value!r}; expected {expected}")
    return dict(values)


def normalise_server(text: str) -> str:
    """`https://host[:port][/path]`, without a slash at the end. Raises BadServer.

    http is refused except on this machine: the token would go over the network for anyone to read.
    """
    address = text.strip()
    if "://" not in address:
        address = f"{'http' if _is_loopback(_host(address)) else 'https'}://{address}"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _bad_server(text) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() for c in address):
        raise _bad_server(text)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _bad_server(text)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise BadServer(
            f"La dirección de {parts.hostname} debe empezar con https:// para que nadie pueda leer la contraseña.",
            "http:// is only for this machine, because the password would travel in the clear; use https://",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def _bad_server(text: str) -> BadServer:
    return BadServer(
        "La dirección del servidor no es válida; debe ser como https://crm.ejemplo.com",
        f"{text!r} is not a server address; it should look like https://crm.example.com",
    )


def _host(address: str) -> str:
    try:
        return urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
