"""Settings: where they come from, what is refused, and which server addresses are safe."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from crmtray import paths
from crmtray.config import BadServer, ClientConfig, ConfigError, load, normalise_server


def test_defaults_then_file_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert load(file) == ClientConfig()
    file.write_text('server = "crm.example.com"\npoll_seconds = 60\n')
    assert load(file) == ClientConfig(server="https://crm.example.com", poll_seconds=60)
    assert load(file, server="localhost:8000", profile=None).server == "http://localhost:8000"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('sever = "x"', ["sever", "server, profile, poll_seconds, log_level"]),
        ("poll_seconds = 0", ["poll_seconds", "0", "1 to 3600"]),
        ('poll_seconds = "soon"', ["poll_seconds", "soon", "number"]),
        ("poll_seconds = true", ["poll_seconds", "number"]),
        ('log_level = "LOUD"', ["log_level", "LOUD", "DEBUG"]),
        ('server = "http://crm.example.com"', ["http://crm.example.com", "https://"]),
        ("server = [", ["config.toml"]),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, named: list[str]) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    for part in named:
        assert part in str(caught.value)


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
