"""Starting with the desktop: the entry is there, starts this installation, and goes away again."""

from __future__ import annotations

import plistlib
import subprocess
import sys
from pathlib import Path

import pytest

from crmtray import autostart, launch, paths
from crmtray.autostart import APPROVED, RUN, Autostart, LaunchAgent, RunKey, XdgAutostart
from tests.client.fake_registry import FakeRegistry


@pytest.fixture(params=["xdg", "run key", "launch agent"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Autostart, Autostart]:
    """That of the default profile, and that of another, on one machine."""
    if request.param == "run key":
        registry = FakeRegistry()
        return RunKey("default", registry), RunKey("work", registry)
    kind = XdgAutostart if request.param == "xdg" else LaunchAgent
    folder = tmp_path / "not yet there"
    return kind("default", folder), kind("work", folder)


def test_each_profile_has_an_entry_of_its_own(both: tuple[Autostart, Autostart]) -> None:
    mine, other = both
    assert not mine.enabled()
    mine.disable()
    mine.enable()
    mine.enable()
    assert mine.enabled() and not other.enabled()
    other.enable()
    mine.disable()
    assert not mine.enabled() and other.enabled()


@pytest.fixture
def for_everybody(tmp_path: Path) -> Path:
    """As the .deb's example, put into /etc/xdg/autostart by an administrator."""
    file = tmp_path / "etc" / "autostart" / "crmtray.desktop"
    file.parent.mkdir(parents=True)
    file.write_bytes((Path(__file__).parents[2] / "packaging" / "linux" / "autostart.desktop").read_bytes())
    return file


def test_an_entry_for_everybody_counts_until_the_persons_own_says_no(
    tmp_path: Path, for_everybody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", f"{tmp_path / 'none'}:{for_everybody.parent.parent}")
    start, own = autostart.for_profile("default"), tmp_path / "mine" / "autostart" / "crmtray.desktop"
    before = for_everybody.read_bytes()
    assert start.enabled() and not autostart.for_profile("work").enabled()
    start.disable()
    assert not start.enabled() and "Hidden=true" in own.read_text() and for_everybody.read_bytes() == before
    start.enable()
    assert start.enabled() and "Hidden" not in own.read_text()
    own.unlink()
    for_everybody.write_text(for_everybody.read_text() + "Hidden=true\n")
    assert not start.enabled()


def test_where_systems_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_DIRS", raising=False)
    assert paths.system_config_dirs() == [Path("/etc/xdg")]


def test_this_machine_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    autostart.for_profile("default").enable()
    assert (tmp_path / "autostart" / "crmtray.desktop").is_file()


@pytest.mark.parametrize(
    "program",
    [
        [sys.executable, "-P", "-m", "crmtray"],
        ["/opt/crm tray/bin/crm$tray"],
        ['/home/a "b" `c`/100% \\x/crmtray'],
    ],
)
def test_the_desktop_starts_exactly_this_program(
    program: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back by glib, which desktops use."""
    monkeypatch.setattr(launch, "_program", lambda: program)
    XdgAutostart("work", tmp_path).enable()
    assert words_of(tmp_path / "crmtray-work.desktop") == [*program, "--profile", "work", "--minimized"]


def words_of(file: Path) -> list[str]:
    code = (
        "import sys; from gi.repository import GLib\n"
        "k = GLib.KeyFile(); k.load_from_file(sys.argv[1], GLib.KeyFileFlags.NONE)\n"
        "ok, words = GLib.shell_parse_argv(k.get_string('Desktop Entry', 'Exec').replace('%%', '%'))\n"
        "assert k.get_boolean('Desktop Entry', 'X-GNOME-Autostart-enabled')\n"
        "sys.stdout.write(chr(0).join(words))"
    )
    done = subprocess.run(["/usr/bin/python3", "-c", code, str(file)], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled = false"])
def test_switched_off_in_the_desktops_own_dialog_is_off(line: str, tmp_path: Path) -> None:
    start = XdgAutostart("default", tmp_path)
    start.enable()
    file = tmp_path / "crmtray.desktop"
    file.write_text(file.read_text().replace("X-GNOME-Autostart-enabled=true", line))
    assert not start.enabled()
    start.enable()
    assert start.enabled()


def test_an_entry_of_another_installation_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_program", lambda: ["/old/crmtray"])
    XdgAutostart("default", tmp_path).enable()
    monkeypatch.setattr(launch, "_program", lambda: ["/new/crmtray"])
    XdgAutostart("default", tmp_path).enable()
    assert words_of(tmp_path / "crmtray.desktop") == ["/new/crmtray", "--minimized"]


def test_windows_starts_it_quoted_also_after_the_task_manager_said_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_program", lambda: [r"C:\Program Files\crmtray\crmtray.exe"])
    registry = FakeRegistry()
    registry.set(APPROVED, "crmtray-work", "off")
    RunKey("work", registry).enable()
    command = r'"C:\Program Files\crmtray\crmtray.exe" --profile work --minimized'
    assert registry.values == {(RUN, "crmtray-work"): command}


def test_launchd_is_given_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_program", lambda: ["/Applications/crmtray.app/Contents/MacOS/crmtray"])
    LaunchAgent("default", tmp_path).enable()
    [file] = tmp_path.iterdir()
    job = plistlib.loads(file.read_bytes())
    assert job["RunAtLoad"] is True and job["Label"] == file.stem == "app.crmtray"
    assert job["ProgramArguments"] == ["/Applications/crmtray.app/Contents/MacOS/crmtray", "--minimized"]
    file.write_bytes(b"not a property list")
    assert not LaunchAgent("default", tmp_path).enabled()


def test_a_bundle_starts_itself_and_a_checkout_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.command("--minimized") == [sys.executable, "-P", "-m", "crmtray", "--minimized"]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/crmtray/crmtray")
    assert launch.command(profile="work") == ["/opt/crmtray/crmtray", "--profile", "work"]
