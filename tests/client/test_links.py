"""Links from e-mails: what they may say, and how the system learns of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crmtray import command_line, launch, link_handler, paths
from crmtray import start as starting
from crmtray.config import ClientConfig
from crmtray.links import BadLink, is_link, link, notification_id
from tests.client.fake_registry import FakeRegistry

ID = "0b2f6c1e-3a4d-4f5a-8b6c-7d8e9f0a1b2c"


def test_a_link_leads_to_its_notification() -> None:
    assert notification_id(link(ID)) == ID
    assert notification_id(f"CRMTRAY://notification/{ID.upper()}/") == ID


@pytest.mark.parametrize(
    "text",
    [
        "crmtray://notification/",
        "crmtray://notification/7",
        f"crmtray://notification/{ID}/read",
        f"crmtray://notification/{ID}?action=assign",
        f"crmtray://notification/{ID}#x",
        f"crmtray://action/{ID}",
        f"crmtray://notification/{ID}\n",
        f"crmtray://notification/../{ID}",
        f"crmtray:notification/{ID}",
        f"https://notification/{ID}",
    ],
)
def test_nothing_else_is_taken(text: str) -> None:
    with pytest.raises(BadLink):
        notification_id(text)


def test_what_is_meant_for_us_is_known_by_its_scheme() -> None:
    assert is_link("crmtray://x") and is_link("CRMTRAY:x")
    assert not is_link("crmtrays://x") and not is_link("list")


# --- the command line --------------------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str | None]]:
    """Profile and notification the tray app is started for."""
    seen: list[tuple[str, str | None]] = []

    def start(config: ClientConfig, minimized: bool, notification: str | None = None) -> int:
        seen.append((config.profile, notification))
        return 0

    monkeypatch.setattr(starting, "run_tray", start)
    monkeypatch.setattr(starting, "qt_works", lambda: False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return seen


def test_the_command_line_takes_a_link(opened: list[tuple[str, str | None]]) -> None:
    for arguments in ([link(ID)], ["--", link(ID)], ["--profile", "work", "--", link(ID)]):
        assert CliRunner().invoke(command_line.app, arguments).exit_code == 0
    assert opened == [("default", ID), ("default", ID), ("work", ID)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--", "crmtray://x", "--server", "https://evil.example"],
        ["--", "crmtray://x", "--server", "https://evil.example", link(ID)],
        ["--", link(ID), link(ID)],
        ["list", link(ID)],
    ],
)
def test_what_a_link_smuggles_in_is_refused(opened: list[tuple[str, str | None]], arguments: list[str]) -> None:
    assert CliRunner().invoke(command_line.app, arguments).exit_code == 2
    assert opened == []


def test_a_bad_link_is_one_line(opened: list[tuple[str, str | None]]) -> None:
    done = CliRunner().invoke(command_line.app, ["crmtray://notification/7"])
    assert isinstance(done.exception, BadLink) and opened == []


def test_a_start_by_the_desktop_is_what_the_command_line_makes_of_it(opened: list[tuple[str, str | None]]) -> None:
    """These forms do without the command line's library; it must make the same of them."""
    for arguments in ([], ["--minimized"], ["--profile", "work", "--minimized"], ["--", link(ID)], [link(ID)]):
        asked = starting.understood(arguments)
        assert asked is not None and asked.run() == 0
        assert CliRunner().invoke(command_line.app, arguments).exit_code == 0
        assert opened.pop() == opened.pop()


@pytest.mark.parametrize("arguments", [["list"], ["--debug"], ["--profile"], ["--", "list"], ["--minimized", link(ID)]])
def test_any_other_word_is_the_command_lines(arguments: list[str]) -> None:
    assert starting.understood(arguments) is None


# --- telling the system ------------------------------------------------------------------------------------------


def test_an_entry_is_written_once_and_the_desktop_is_told(tmp_path: Path) -> None:
    told: list[Path] = []
    folder = tmp_path / "applications"
    assert link_handler.register_entry("default", folder, [], told.append)
    assert not link_handler.register_entry("default", folder, [], told.append)
    assert told == [folder]
    text = (folder / "crmtray.desktop").read_text()
    assert "MimeType=x-scheme-handler/crmtray;\n" in text and text.splitlines()[0] == "[Desktop Entry]"
    [command] = [line for line in text.splitlines() if line.startswith("Exec=")]
    assert command.endswith("-m crmtray -- %u") and sys.executable in command


def test_a_package_that_handles_links_is_left_to_it(tmp_path: Path) -> None:
    installed = tmp_path / "usr"
    installed.mkdir()
    (installed / "crmtray.desktop").write_text("[Desktop Entry]\nMimeType=x-scheme-handler/crmtray;\n")
    assert not link_handler.register_entry("default", tmp_path / "mine", [installed])
    assert not (tmp_path / "mine").exists()


def test_links_are_of_the_default_profile_when_there_is_one(tmp_path: Path) -> None:
    told: list[Path] = []
    file = tmp_path / "crmtray.desktop"
    assert link_handler.register_entry("work", tmp_path, [], told.append)
    assert "--profile work" in file.read_text()
    assert link_handler.register_entry("default", tmp_path, [], told.append)
    assert not link_handler.register_entry("work", tmp_path, [], told.append)
    assert "--profile" not in file.read_text()


def test_a_home_that_cannot_be_written_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(paths, "applications_dir", lambda: tmp_path / "file" / "applications")
    link_handler.register("default")


def test_the_windows_command_keeps_a_link_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_program", lambda: [r"C:\Program Files\crmtray\crmtray.exe"])
    registry = FakeRegistry()
    assert link_handler.register_class("default", registry)
    assert not link_handler.register_class("default", registry)
    assert not link_handler.register_class("work", registry)
    assert registry.values == {
        (r"Software\Classes\crmtray", ""): "URL:crmtray",
        (r"Software\Classes\crmtray", "URL Protocol"): "",
        (r"Software\Classes\crmtray\shell\open\command", ""): '"C:\\Program Files\\crmtray\\crmtray.exe" -- "%1"',
    }


def test_the_desktop_opens_a_link_with_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By glib's own look-up, as file managers, browsers and mail programs do it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    link_handler.register("default")
    shown = subprocess.run(["gio", "mime", link_handler.MIME_TYPE], capture_output=True, text=True, check=False)
    assert "crmtray.desktop" in shown.stdout, shown
