"""The client's settings: built in, by the administrator, from the configuration file, from flags; in this order.

Owns the names, types and limits of the settings, and the only way to write the configuration file. Which kinds of
alert a person wants is not here: that lives on the server, so that all devices agree.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from . import policy_file, toml_edit
from .addresses import BadServer, host_list, is_proxy, normalise_server

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LANGUAGES = ("auto", "es", "en")
MODIFIERS = ("Ctrl", "Alt", "Shift", "Meta")
_KEY = re.compile(r"[A-Z0-9]|F([1-9]|1[0-9]|2[0-4])|Space|Home|End|Insert|PgUp|PgDown")


class ConfigError(ValueError):
    """A setting that cannot be used; says which, and what is allowed."""


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """`server` None means: the one signed in to last."""

    server: str | None = None
    poll_seconds: float = 30
    log_level: str = "WARNING"
    language: str = "auto"
    sounds: bool = True
    do_not_disturb_until: datetime | None = None
    repeat_urgent: bool = False
    repeat_urgent_minutes: float = 5
    shortcut: str = ""
    """Such as Ctrl+Alt+N; empty: none."""
    ca_file: str | None = None
    """Certificate authorities to trust besides the system's, in PEM."""
    proxy: str = "auto"
    """`auto`, `none` or an address."""
    crm_hosts: str = ""
    """Comma list: links to pages of these hosts open without a question."""
    profile: str = "default"
    """Only a flag: a profile cannot say which profile it is of."""
    file: Path | None = field(default=None, compare=False)
    """Where `save` writes; None: nowhere, and a change lasts as long as the process."""
    locked: frozenset[str] = field(default=frozenset(), compare=False)
    """What the administrator has decided: a settings window shows it and cannot change it."""
    presets: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The administrator's defaults: what holds when the configuration file does not say."""
    overruled: tuple[str, ...] = field(default=(), compare=False)
    """A sentence for each value that the person gave and that a locked one replaced."""

    def save(self, changes: Mapping[str, Any]) -> ClientConfig:
        """Writes these settings into the file, and no other; None: as if never set. The configuration with them.

        Raises ConfigError for a value that is not allowed, a locked key, or a file that cannot be written.
        """
        fixed = sorted(self.locked & changes.keys())
        if fixed:
            raise ConfigError(f"{fixed[0]} is set by the administrator of this machine")
        good = _checked({name: value for name, value in changes.items() if value is not None})
        unset = {name: self._preset(name) for name, value in changes.items() if value is None}
        if self.file is not None:
            _write(self.file, {**good, **dict.fromkeys(unset)})
        return replace(self, **good, **unset)

    def _preset(self, name: str) -> Any:
        if name not in SETTINGS:
            raise _unknown(name)
        return self.presets.get(name, _built_in(name))


def load(path: Path, *, policy: Path | None = None, **flags: Any) -> ClientConfig:
    """Built-in values, then the policy's defaults, the file, the flags that were given (not None), what is locked.

    Raises ConfigError.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    profile = given.pop("profile", _built_in("profile"))
    presets, locked = _policy(policy)
    try:
        from_file = _checked(_read(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    mine = {**from_file, **_checked(given)}
    overruled = [_overruled(name, policy) for name in locked if name in mine and mine[name] != locked[name]]
    return ClientConfig(
        **{**presets, **mine, **locked},
        profile=profile,
        file=path,
        locked=frozenset(locked),
        presets=presets,
        overruled=tuple(overruled),
    )


def _policy(path: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        policy = policy_file.Policy() if path is None else policy_file.read(path)
    except policy_file.PolicyError as error:
        raise ConfigError(str(error)) from None
    try:
        return _checked(policy.defaults), _checked(policy.locked)
    except ConfigError as error:
        raise ConfigError(f"the policy {path}: {error}") from None


def _overruled(name: str, policy: Path | None) -> str:
    return f"{name} is set by the administrator of this machine ({policy}); the value given here is not used"


def _built_in(name: str) -> Any:
    default = next(item.default for item in fields(ClientConfig) if item.name == name)
    assert default is not MISSING
    return default


# --- the file ----------------------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(error)) from None


def _write(path: Path, changes: toml_edit.Changes) -> None:
    """At once or not at all: a machine that goes off meanwhile must not leave half a file."""
    try:
        text = toml_edit.edited(_text(path), changes)
        place = path.resolve()  # a link into a folder of dotfiles stays one
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(place, text)
    except (ConfigError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def _replace(place: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            os.chmod(name, place.stat().st_mode & 0o777)
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


# --- what each may be --------------------------------------------------------------------------------------------


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Canonical values. Raises ConfigError for the first that is not one of ours, or not allowed."""
    made = {}
    for name, value in values.items():
        if name == "profile":
            raise ConfigError("profile is not a setting; start crmtray with --profile NAME")
        if name not in SETTINGS:
            raise _unknown(name)
        made[name] = SETTINGS[name](name, value)
    return made


def _unknown(name: str) -> ConfigError:
    return ConfigError(f"unknown setting {name!r}; known: {', '.join(SETTINGS)}")


def _string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} is {value!r}; expected text")
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; expected true or false")
    return value


def _number(low: float, high: float) -> Callable[[str, Any], float]:
    def check(name: str, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ConfigError(f"{name} is {value!r}; expected a number")
        if not low <= value <= high:
            raise ConfigError(f"{name} is {value!r}; allowed: {low:g} to {high:g}")
        return value

    return check


def _moment(name: str, value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise ConfigError(f"{name} is {value!r}; expected a date and a time, such as 2026-03-01T18:00:00-03:00")
    return value if value.tzinfo is not None else value.astimezone()


def _language(name: str, value: Any) -> str:
    return _one_of(LANGUAGES, name, _string(name, value), _string(name, value).lower())


def _level(name: str, value: Any) -> str:
    return _one_of(LOG_LEVELS, name, _string(name, value), _string(name, value).upper())


def _one_of(allowed: tuple[str, ...], name: str, given: str, value: str) -> str:
    if value not in allowed:
        raise ConfigError(f"{name} is {given!r}; allowed: {', '.join(allowed)}")
    return value


def _server(name: str, value: Any) -> str:
    try:
        return normalise_server(_string(name, value))
    except BadServer as error:
        raise ConfigError(f"{name} is {value!r}: {error.detail}") from None


def _shortcut(name: str, value: Any) -> str:
    parts = [part.strip() for part in _string(name, value).split("+")]
    *modifiers, key = [part[:1].upper() + part[1:] for part in parts]
    if not any(parts):
        return ""
    if not modifiers or not set(modifiers) <= set(MODIFIERS) or not _KEY.fullmatch(key):
        raise ConfigError(f"{name} is {value!r}; it should look like Ctrl+Alt+N ({', '.join(MODIFIERS)} and a key)")
    return "+".join([*(one for one in MODIFIERS if one in modifiers), key])


def _ca_file(name: str, value: Any) -> str:
    file = Path(_string(name, value)).expanduser()
    if not file.is_absolute():
        raise ConfigError(f"{name} is {value!r}; give the whole path")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        raise ConfigError(f"{name}: {file} holds no certificate in PEM form") from None
    except OSError as error:
        raise ConfigError(f"{name}: {file} cannot be read: {error.strerror}") from None
    return str(file)


def _proxy(name: str, value: Any) -> str:
    text = _string(name, value).strip()
    if text in ("auto", "none"):
        return text
    if not is_proxy(text):
        # Not the value itself: it may have a password in it.
        raise ConfigError(f"{name} should be auto, none, or an address such as http://proxy.example.com:3128")
    return text


def _hosts(name: str, value: Any) -> str:
    try:
        return ", ".join(dict.fromkeys(host_list(_string(name, value))))
    except ValueError as error:
        raise ConfigError(f"{name}: {str(error)!r} is not a host name such as crm.example.com") from None


SETTINGS: Mapping[str, Callable[[str, Any], Any]] = {
    "server": _server,
    "log_level": _level,
    "poll_seconds": _number(1, 3600),
    "language": _language,
    "sounds": _boolean,
    "do_not_disturb_until": _moment,
    "repeat_urgent": _boolean,
    "repeat_urgent_minutes": _number(1, 120),
    "shortcut": _shortcut,
    "ca_file": _ca_file,
    "proxy": _proxy,
    "crm_hosts": _hosts,
}
"""What the configuration file and the policy may set, and what makes a value good."""
