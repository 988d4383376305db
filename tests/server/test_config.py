"""Settings: the environment wins, wrong values stop the start with a sentence, secrets do not leak."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crmtray_server import config
from crmtray_server.config import SettingsError
from crmtray_server.store.database import make_engine

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in config.Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.delenv("CRMTRAY_CONFIG", raising=False)
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)


def test_defaults_are_those_documented() -> None:
    settings = config.load()
    assert settings.detection_interval_seconds == 30
    assert settings.crm_actions == "off"
    assert settings.socketio_transports == ("websocket",)
    assert settings.links == {}


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "crmtray.toml"
    file.write_text('log_level = "ERROR"\nhigh_value_areas = ["Nordelta", "Recoleta"]\n', encoding="utf-8")
    monkeypatch.setenv("CRMTRAY_CONFIG", str(file))
    assert config.load().log_level == "ERROR"
    monkeypatch.setenv("LOG_LEVEL", "debug")
    settings = config.load()
    assert settings.log_level == "DEBUG" and settings.high_value_areas == ("Nordelta", "Recoleta")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JWT_SECRET_KEY", "short", "at least 32 bytes"),
        ("DATABASE_URL", "mysql://x/y", "sqlite:///path/to/file or postgresql://"),
        ("CRM_DATABASE_URL", "sqlite://", "sqlite:///path/to/file or postgresql://"),
        ("SOCKETIO_PING_TIMEOUT", "soon", "valid integer"),
        ("SOCKETIO_TRANSPORTS", "carrier-pigeon", "websocket and polling"),
        ("HOT_LEAD_PROBABILITY_THRESHOLD", "80", "less than or equal to 1"),
        ("CRM_ACTIONS", "yes", "off, sql, or an http"),
        ("CRM_WEB_URL", "javascript:alert(1)", "http or https"),
        ("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_a_wrong_value_names_the_key_and_what_is_allowed(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        config.load()
    assert str(caught.value).startswith(name) and said in str(caught.value)


def test_a_short_secret_is_not_repeated_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", "my-short-secret")
    with pytest.raises(SettingsError) as caught:
        config.load()
    assert "my-short-secret" not in str(caught.value)


def test_an_unknown_key_of_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "crmtray.toml"
    file.write_text("detection_intervall_seconds = 5\n", encoding="utf-8")
    monkeypatch.setenv("CRMTRAY_CONFIG", str(file))
    with pytest.raises(SettingsError, match="detection_intervall_seconds: unknown setting"):
        config.load()


def test_a_missing_secret_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWT_SECRET_KEY")
    with pytest.raises(SettingsError, match="openssl rand -hex 32"):
        config.load()


def test_a_secret_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWT_SECRET_KEY")
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(tmp_path / "secret"))
    assert config.load().jwt_secret_key.get_secret_value() == SECRET


def test_units_and_lists_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKETIO_MAX_HTTP_BUFFER_SIZE", "1e6")
    monkeypatch.setenv("HIGH_VALUE_AREAS", "Puerto Madero, Nordelta,")
    monkeypatch.setenv("CRM_WEB_URL", "https://crm.example/")
    settings = config.load()
    assert settings.socketio_max_http_buffer_size == 1_000_000
    assert settings.high_value_areas == ("Puerto Madero", "Nordelta")
    assert settings.links["open_chat"] == "https://crm.example/chats?conversation={conversation_id}"


def test_one_template_of_links_counts_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://crm.example/chats?conversation={conversation_id}"
    monkeypatch.setenv("CRM_WEB_URL", url)
    links = config.load().links
    assert links["open_chat"] == url
    assert links["view_lead"] == "https://crm.example/leads/{lead_id}"
    monkeypatch.setenv("CRM_WEB_URL", "https://crm.example/{lead_id")
    with pytest.raises(SettingsError, match=r"CRM_WEB_URL=.*brace"):
        config.load()


@pytest.mark.parametrize(
    "url",
    [
        "redis://crmtray:p%40ss@redis.example:6379/2",
        "rediss://crmtray:pass@redis.example?ssl_ca_certs=/etc/ca.pem",
        "unix:///run/redis/redis.sock?db=1",
    ],
)
def test_addresses_of_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("REDIS_URL", url)
    known = config.load().redis_url
    assert known is not None and known.get_secret_value() == url
    assert "pass" not in repr(known)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://u:geheim@host", "must be redis://"),
        ("redis://", "must be redis://"),
        ("redis://:geheim@host:abc", "must be redis://"),
        ("unix://", "must be redis://"),
        ("rediss://u:geheim@host?ssl_cert_reqs=none", "may have only"),
        ("rediss://u:geheim@host?ssl_check_hostname=false", "may have only"),
    ],
)
def test_what_is_no_address_of_redis(url: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(config.SettingsError) as caught:
        config.load()
    assert f"REDIS_URL: {sentence}" in str(caught.value) and "geheim" not in str(caught.value)


def test_a_postgresql_store_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'crmtray\[postgres\]'"):
        make_engine("postgresql://u@host/db")
