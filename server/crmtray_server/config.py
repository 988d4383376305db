"""The server's settings: defaults < TOML file (`CRMTRAY_CONFIG`) < environment.

Owns names, defaults and validation; units are read once, here. Every setting is described in docs/settings.md.
Nothing else reads the environment.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, parse_qs, urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: an HS256 key is at least as long as the hash."""

LINK_PATHS = {
    "open_chat": "/chats?conversation={conversation_id}",
    "contact_lead": "/chats?lead={lead_id}",
    "view_lead": "/leads/{lead_id}",
    "view_metrics": "/sellers/{seller_id}/metrics",
}
"""Where the link actions lead below a plain `CRM_WEB_URL`."""

PREFERENCE_TYPES = ("unanswered", "hot_lead", "follow_up", "performance")
"""The kinds of alert by the names that preferences use."""

SECRETS = frozenset({"JWT_SECRET_KEY", "SMTP_URL", "DATABASE_URL", "CRM_DATABASE_URL", "REDIS_URL"})
"""Settings whose value no message shows: they are, or hold, a password."""

CommaList = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """The administrator's world: one sentence a line, naming the key, the value and what is allowed."""


class Settings(BaseSettings):
    """One field a setting, named as the environment variable in lower case."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="forbid", hide_input_in_errors=True, frozen=True)

    jwt_secret_key: SecretStr
    database_url: str = ""
    crm_database_url: str | None = None
    crm_mapping: str | None = None
    crm_actions: str = "off"
    crm_web_url: str | dict[str, str] | None = None
    crm_login_url: str | None = None
    crm_private_hosts: CommaList = ()
    trusted_proxies: CommaList = ()
    socketio_cors_origins: CommaList = ()
    socketio_transports: CommaList = ("websocket",)
    socketio_ping_interval: Annotated[int, Field(ge=1000, le=300_000)] = 25_000
    socketio_ping_timeout: Annotated[int, Field(ge=1000, le=300_000)] = 20_000
    socketio_max_http_buffer_size: Annotated[int, Field(ge=1024, le=100_000_000)] = 1_000_000
    socketio_max_connections: Annotated[int, Field(ge=1)] = 1000
    socketio_avg_latency_ms_threshold: Annotated[float, Field(gt=0)] = 100.0
    socketio_error_rate_threshold: Annotated[float, Field(gt=0, le=1)] = 0.05
    socketio_reconnect_rate_threshold: Annotated[float, Field(gt=0, le=1)] = 0.1
    unanswered_conversation_hours: Annotated[float, Field(gt=0)] = 1.0
    hot_lead_probability_threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    followup_reminder_hours: Annotated[float, Field(gt=0)] = 24.0
    performance_alert_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    high_value_areas: CommaList = ()
    detection_interval_seconds: Annotated[float, Field(ge=0.2, le=86_400)] = 30.0
    notification_retention_days: Annotated[float, Field(gt=0, le=3650)] = 7.0
    notification_delivery_timeout_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 5000
    notification_max_retries: Annotated[int, Field(ge=0, le=100)] = 3
    notification_batch_size: Annotated[int, Field(ge=1, le=1000)] = 50
    default_notification_types: CommaList = PREFERENCE_TYPES
    default_push_notifications: bool = True
    default_email_notifications: bool = False
    smtp_url: SecretStr | None = None
    email_from: str | None = None
    redis_url: SecretStr | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    @field_validator(
        "socketio_cors_origins",
        "socketio_transports",
        "high_value_areas",
        "crm_private_hosts",
        "trusted_proxies",
        "default_notification_types",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("socketio_max_http_buffer_size", mode="before")
    @classmethod
    def _accept_scientific(cls, value: Any) -> Any:
        if isinstance(value, str) and "e" in value.lower():
            return int(float(value))
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("jwt_secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"must be at least {MIN_SECRET_BYTES} bytes of random text, for example from `openssl rand -hex 32`"
            )
        return value

    @field_validator("socketio_transports")
    @classmethod
    def _known_transports(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= {"websocket", "polling"}:
            raise ValueError("must be a comma list of websocket and polling")
        return value

    @field_validator("database_url")
    @classmethod
    def _default_store(cls, value: str) -> str:
        return check_database_url(value) if value else default_database_url()

    @field_validator("crm_database_url")
    @classmethod
    def _crm_database(cls, value: str | None) -> str | None:
        return value if value is None else check_database_url(value)

    @field_validator("crm_actions")
    @classmethod
    def _known_actions(cls, value: str) -> str:
        return value if value in ("off", "sql") else check_web_address(value, "off, sql, or ")

    @field_validator("crm_login_url")
    @classmethod
    def _login_address(cls, value: str | None) -> str | None:
        return value if value is None else check_web_address(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not _is_network(text):
                raise ValueError("must be a comma list of addresses and networks, such as 127.0.0.1, 10.0.0.0/8")
        return value

    @field_validator("default_notification_types")
    @classmethod
    def _known_types(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(PREFERENCE_TYPES):
            raise ValueError(f"must be a comma list of {', '.join(PREFERENCE_TYPES)}")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value else None
        if parts and (parts.scheme not in ("smtp", "smtps") or not parts.hostname or not _has_port(parts)):
            raise ValueError("must be smtp://user:password@host:587 or smtps://user:password@host:465")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is None else SecretStr(check_redis_url(value.get_secret_value()))

    @field_validator("email_from")
    @classmethod
    def _one_sender(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise ValueError('must be one address, such as crmtray@example.com or "CRM alerts <crmtray@example.com>"')
        return value

    @field_validator("crm_web_url")
    @classmethod
    def _web_links(cls, value: str | dict[str, str] | None) -> str | dict[str, str] | None:
        links = value.values() if isinstance(value, dict) else (value,) if value else ()
        for link in links:
            if urlsplit(link).scheme not in ("http", "https") or not urlsplit(link).netloc:
                raise ValueError("must be an http or https address")
            _fields(link)
        if isinstance(value, dict) and not set(value) <= set(LINK_PATHS):
            raise ValueError(f"has a key that is not one of {', '.join(LINK_PATHS)}")
        return value

    @property
    def links(self) -> dict[str, str]:
        """Link templates by action; empty when the CRM has no web address."""
        if not self.crm_web_url:
            return {}
        if isinstance(self.crm_web_url, dict):
            return dict(self.crm_web_url)
        named, base = _fields(self.crm_web_url), self.crm_web_url.rstrip("/")
        if not named:
            return {action: base + path for action, path in LINK_PATHS.items()}
        # One template: for the actions that have what it names; the others lead to the same host.
        parts = urlsplit(base)
        host = f"{parts.scheme}://{parts.netloc}"
        return {
            action: self.crm_web_url if named <= _fields(path) else host + path for action, path in LINK_PATHS.items()
        }

    @property
    def unanswered_after(self) -> timedelta:
        return timedelta(hours=self.unanswered_conversation_hours)

    @property
    def followup_within(self) -> timedelta:
        return timedelta(hours=self.followup_reminder_hours)

    @property
    def email_after(self) -> timedelta:
        return timedelta(milliseconds=self.notification_delivery_timeout_ms)

    @property
    def retention(self) -> timedelta:
        return timedelta(days=self.notification_retention_days)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def _fields(template: str) -> set[str]:
    """What a link's template names in braces. Raises ValueError."""
    try:
        return {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        raise ValueError("has a brace without its other half") from None


def check_web_address(url: str, otherwise: str = "") -> str:
    """The URL as given, or ValueError with what is allowed."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _has_port(parts):
        raise ValueError(f"must be {otherwise}an http or https address")
    return url


def _is_network(text: str) -> bool:
    """An address, or a network that is not the whole world: whoever trusts everybody trusts a forged header."""
    try:
        return ipaddress.ip_network(text).prefixlen > 0
    except ValueError:
        return False


def _has_port(parts: SplitResult) -> bool:
    """Whether what stands where a port may stand is one."""
    try:
        return parts.port is None or parts.port > 0  # raises for what is none
    except ValueError:
        return False


def check_database_url(url: str) -> str:
    """The URL as given, or ValueError with what is allowed."""
    if url.startswith("sqlite:///") and url not in ("sqlite:///", "sqlite:///:memory:"):
        return url
    if url.startswith(("postgresql://", "postgresql+psycopg://")) and _has_port(urlsplit(url)):
        return url
    raise ValueError("must be sqlite:///path/to/file or postgresql://user:password@host/database")


def check_redis_url(url: str) -> str:
    """The URL as given, or ValueError with what is allowed."""
    parts = urlsplit(url)
    there = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in ("redis", "rediss", "unix") or not there or not _has_port(parts):
        raise ValueError("must be redis://account:password@host:6379, rediss:// when encrypted, or unix:///path")
    # Nothing that would switch the check of the certificate off.
    if not set(parse_qs(parts.query)) <= {"db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}:
        raise ValueError("may have only db, ssl_ca_certs, ssl_certfile and ssl_keyfile behind the question mark")
    return url


def default_database_url() -> str:
    folder = Path(platformdirs.user_data_dir("crmtray-server", appauthor=False))
    return f"sqlite:///{folder / 'crmtray.db'}"


def load() -> Settings:
    """Reads file and environment. Raises SettingsError with one line for each wrong key."""
    values = _read_file(os.environ.get("CRMTRAY_CONFIG"))
    values |= _read_secret_files()
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(item) for item in error.errors())) from None


def _read_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"CRMTRAY_CONFIG={path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"CRMTRAY_CONFIG={path}: not a TOML file: {error}") from None


def _read_secret_files() -> dict[str, str]:
    """`NAME_FILE` names a file that holds the value, as container platforms mount secrets."""
    values = {}
    for name in Settings.model_fields:
        path = os.environ.get(f"{name.upper()}_FILE")
        if path and not os.environ.get(name.upper()):
            try:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsError(f"{name.upper()}_FILE={path}: cannot be read: {error.strerror}") from None
    return values


def _sentence(item: Any) -> str:
    name = str(item["loc"][0]).upper() if item["loc"] else "settings"
    if item["type"] == "missing":
        return f"{name} is not set. {_HOW_TO_SET.get(name, 'See docs/settings.md.')}"
    if item["type"] == "extra_forbidden":
        return f"{name.lower()}: unknown setting in the file. docs/settings.md lists those there are."
    message = item["msg"].removeprefix("Value error, ")
    value = "" if name in SECRETS else f"={item.get('input')!r}"
    return f"{name}{value}: {message}"


_HOW_TO_SET = {"JWT_SECRET_KEY": "Give at least 32 random bytes, for example JWT_SECRET_KEY=$(openssl rand -hex 32)."}
