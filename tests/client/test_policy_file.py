"""The administrator's file: presets, locked values, and what the person is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from crmtray import paths
from crmtray.addresses import normalise_server
from crmtray.cache import Cache
from crmtray.command_line import app
from crmtray.config import ClientConfig, ConfigError, load
from crmtray.credentials import Credentials
from crmtray.session import LoginFailed, Session
from tests.client.support import Recorder


class Machine:
    """A configuration file and a policy."""

    def __init__(self, folder: Path) -> None:
        self.file, self.policy = folder / "config.toml", folder / "policy.toml"

    def load(self, **flags: object) -> ClientConfig:
        return load(self.file, policy=self.policy, **flags)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_policy_nothing_is_locked(machine: Machine) -> None:
    assert machine.load() == ClientConfig() and machine.load().locked == frozenset()


def test_presets_give_way_to_the_person_and_locked_values_do_not(machine: Machine) -> None:
    machine.policy.write_text(
        '[defaults]\nlanguage = "en"\nsounds = false\n'
        '[locked]\nserver = "crm.example.com"\npoll_seconds = 60\nlog_level = "info"\n'
    )
    machine.file.write_text('sounds = true\nserver = "https://other.example"\npoll_seconds = 60\n')
    config = machine.load(log_level="DEBUG")
    assert (config.language, config.sounds) == ("en", True)
    assert (config.server, config.poll_seconds, config.log_level) == ("https://crm.example.com", 60, "INFO")
    assert config.locked == {"server", "poll_seconds", "log_level"}
    assert sorted(line.split()[0] for line in config.overruled) == ["log_level", "server"]
    assert all(str(machine.policy) in line for line in config.overruled)


def test_a_locked_setting_cannot_be_saved_and_an_unset_one_is_the_preset(machine: Machine) -> None:
    machine.policy.write_text('[defaults]\nlanguage = "en"\n[locked]\nsounds = false\n')
    machine.file.write_text('language = "es"\n')
    config = machine.load()
    with pytest.raises(ConfigError, match="sounds is set by the administrator"):
        config.save({"sounds": True, "language": "en"})
    assert machine.file.read_text() == 'language = "es"\n'
    assert config.save({"language": None}).language == "en" == machine.load().language


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[locked]\nsever = "x"', ["sever", "known: server"]),
        ("[defaults]\npoll_seconds = 0", ["poll_seconds", "1 to 3600"]),
        ('[locked]\nserver = "http://crm.example.com"', ["server", "https://"]),
        ('[locked]\nprofile = "x"', ["profile", "--profile"]),
        ('server = "crm.example.com"', ["server", "[defaults] or [locked]"]),
        ("[lock]", ["lock", "[defaults] or [locked]"]),
        ("locked = 1", ["locked", "table"]),
        ("[locked", ["policy.toml"]),
        ("\xff", ["policy.toml"]),
    ],
)
def test_a_bad_policy_is_said_in_one_sentence(machine: Machine, text: str, named: list[str]) -> None:
    machine.policy.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        machine.load()
    said = str(caught.value)
    assert str(machine.policy) in said and "\n" not in said
    assert [part for part in named if part not in said] == []


def test_the_command_says_which_value_is_not_used(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine.policy.write_text('[locked]\nlog_level = "WARNING"\n')
    monkeypatch.setattr(paths, "policy_file", lambda: machine.policy)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["--log-level", "DEBUG", "list"])
    assert done.exit_code == 0, done.output
    [record] = [record for record in caplog.records if record.name == "crmtray.config"]
    assert record.getMessage().startswith("log_level is set by the administrator")


async def test_nobody_signs_in_at_another_server_than_the_locked_one(machine: Machine) -> None:
    machine.policy.write_text('[locked]\nserver = "crm.example.com"\n')
    cache = Cache.open(None)
    session = Session(machine.load(), Recorder(), cache=cache, credentials=Credentials("test", memory_only=True))
    try:
        with pytest.raises(LoginFailed, match=r"solo permite el servidor https://crm\.example\.com"):
            await session.login("https://other.example", "ana@example.com", "secret")
        assert session.server == normalise_server("crm.example.com")
    finally:
        await session.stop()
        cache.close()
