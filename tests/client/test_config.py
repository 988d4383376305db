"""Settings: where they come from, what is refused, and which server addresses are safe."""

from __future__ import annotations

import stat
import sys
import tomllib
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from crmtray import paths
from crmtray.addresses import BadServer, normalise_server
from crmtray.config import SETTINGS, ClientConfig, ConfigError, load


def test_defaults_then_file_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert load(file) == ClientConfig()
    file.write_text('server = "crm.example.com"\npoll_seconds = 60\n')
    assert load(file) == ClientConfig(server="https://crm.example.com", poll_seconds=60)
    assert load(file, server="localhost:8000", profile=None).server == "http://localhost:8000"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('sever = "x"', ["sever", "known: server, log_level, poll_seconds"]),
        ("poll_seconds = 0", ["poll_seconds", "0", "1 to 3600"]),
        ('poll_seconds = "soon"', ["poll_seconds", "soon", "number"]),
        ("poll_seconds = true", ["poll_seconds", "number"]),
        ('log_level = "LOUD"', ["log_level", "LOUD", "DEBUG"]),
        ('server = "http://crm.example.com"', ["http://crm.example.com", "https://"]),
        ("server = [", ["config.toml"]),
        ('profile = "work"', ["profile", "--profile"]),
        ('language = "fr"', ["language", "fr", "auto, es, en"]),
        ("sounds = 1", ["sounds", "true or false"]),
        ("repeat_urgent_minutes = 0", ["repeat_urgent_minutes", "1 to 120"]),
        ('do_not_disturb_until = "later"', ["do_not_disturb_until", "2026-03-01T18:00:00-03:00"]),
        ('shortcut = "N"', ["shortcut", "Ctrl+Alt+N"]),
        ('shortcut = "Ctrl+Hyper+N"', ["shortcut", "Ctrl+Hyper+N"]),
        ('ca_file = "ca.pem"', ["ca_file", "whole path"]),
        ('ca_file = "/nowhere/ca.pem"', ["ca_file", "/nowhere/ca.pem", "No such file"]),
        ('proxy = "socks5://localhost:1080"', ["proxy", "http://proxy.example.com:3128"]),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, named: list[str]) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    for part in named:
        assert part in str(caught.value)


def test_a_bad_proxy_with_a_password_in_it_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('proxy = "socks5://ana:secret@localhost:1080"')
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    (tmp_path / "config.toml").write_text(f'ca_file = "{tmp_path}/ca.pem"')
    with pytest.raises(ConfigError, match="no certificate"):
        load(tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('language = "EN"', "language", "en"),
        ('shortcut = "alt+ctrl + n"', "shortcut", "Ctrl+Alt+N"),
        ('shortcut = "Meta+F12"', "shortcut", "Meta+F12"),
        ('shortcut = ""', "shortcut", ""),
        ('proxy = "none"', "proxy", "none"),
        ('proxy = "http://ana:secret@proxy.example:3128"', "proxy", "http://ana:secret@proxy.example:3128"),
        ("repeat_urgent = true", "repeat_urgent", True),
        (
            "do_not_disturb_until = 2026-03-01T18:00:00-03:00",
            "do_not_disturb_until",
            datetime(2026, 3, 1, 21, 0, tzinfo=UTC),
        ),
    ],
)
def test_values_are_made_canonical(tmp_path: Path, text: str, name: str, value: Any) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    assert getattr(load(file), name) == value


# --- writing it --------------------------------------------------------------------------------------------------

BY_HAND = """\
# Ours.
server = "https://crm.example.com"   # the one in Madrid

"sounds" = true  # # loud
poll_seconds=60
"""


def test_a_change_keeps_everything_else_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(BY_HAND)
    until = datetime(2026, 3, 1, 18, 0, tzinfo=timezone(timedelta(hours=-3)))
    config = load(file).save({"sounds": False, "language": "en", "do_not_disturb_until": until, "poll_seconds": None})
    assert (config.sounds, config.language, config.do_not_disturb_until) == (False, "en", until)
    assert config.poll_seconds == ClientConfig().poll_seconds and load(file) == config
    assert file.read_text() == (
        '# Ours.\nserver = "https://crm.example.com"   # the one in Madrid\n\nsounds = false  # # loud\n'
        'language = "en"\ndo_not_disturb_until = 2026-03-01T18:00:00-03:00\n'
    )


@pytest.mark.parametrize("value", ['a "quoted" \\ word', "ñandú 🔔", "tab\tline\nend\x7f", "# no comment"])
def test_any_text_survives_being_written(tmp_path: Path, value: str) -> None:
    from crmtray.toml_edit import edited

    once = edited("", {"shortcut": value})
    again = edited(once, {"sounds": True})
    assert tomllib.loads(again) == {"shortcut": value, "sounds": True}


def test_a_value_over_several_lines_is_replaced_too(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('language = """\\\n  en"""\nsounds = false\n')
    assert load(file).language == "en"
    load(file).save({"language": "es"})
    assert load(file) == ClientConfig(language="es", sounds=False)


def test_the_first_change_makes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    load(file).save({"language": "en"})
    assert load(file).language == "en" and [path.name for path in file.parent.iterdir()] == ["config.toml"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("changes", [{"language": "fr"}, {"sever": "x"}, {"sever": None}, {"profile": "x"}])
def test_a_bad_change_changes_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    file = tmp_path / "config.toml"
    file.write_text(BY_HAND)
    with pytest.raises(ConfigError):
        load(file).save(changes)
    assert file.read_text() == BY_HAND


def test_a_file_broken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    config = load(file)
    file.write_text("half = [")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        config.save({"sounds": False})
    assert file.read_text() == "half = ["


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text("sounds = true\n")
    (tmp_path / "config.toml").symlink_to(tmp_path / "dotfiles.toml")
    load(tmp_path / "config.toml").save({"sounds": False})
    assert (tmp_path / "config.toml").is_symlink()
    assert (tmp_path / "dotfiles.toml").read_text() == "sounds = false\n"


def test_without_a_file_a_change_lasts_as_long_as_the_program() -> None:
    assert ClientConfig().save({"sounds": False}) == ClientConfig(sounds=False)


def test_every_setting_is_a_field_and_is_documented() -> None:
    known = {item.name for item in fields(ClientConfig)}
    document = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
    assert set(SETTINGS) <= known
    assert [name for name in SETTINGS if f"| `{name}` |" not in document] == []


# --- addresses and folders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://crm.example.com/", "https://crm.example.com"),
        ("crm.example.com:8443", "https://crm.example.com:8443"),
        (" https://CRM.example.com/alerts/ ", "https://crm.example.com/alerts"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_addresses_are_made_canonical(text: str, address: str) -> None:
    assert normalise_server(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://crm.example.com",
        "http://10.0.0.5:8000",
        "http://127.0.0.1.example.com",
        "http://localhost@evil.example.com",
        "https://ana:secret@crm.example.com",
        "ftp://crm.example.com",
        "file:///etc/passwd",
        "https://crm.example.com?x=1",
        "https://crm.example.com:port",
        "https://crm example.com",
        "https://",
    ],
)
def test_unsafe_or_senseless_addresses_are_refused(text: str) -> None:
    with pytest.raises(BadServer) as caught:
        normalise_server(text)
    assert caught.value.message.startswith("La dirección")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
def test_folders_are_for_this_account_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = paths.data_dir("work")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and tmp_path in folder.parents


@pytest.mark.parametrize("profile", ["", "..", "a/b", "/etc", "a" * 65, "x\0y"])
def test_a_profile_is_never_a_path(profile: str) -> None:
    with pytest.raises(paths.BadProfile):
        paths.data_dir(profile)


def test_a_missing_resource_says_its_name() -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such-icon\.svg"):
        paths.resource("no-such-icon.svg")
