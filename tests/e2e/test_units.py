"""The systemd units, as systemd itself reads them, and the rotation of logs, as logrotate does it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crmtray_server.__main__ import app
from crmtray_server.config import Settings

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "packaging" / "systemd").glob("*.service"))
MOST_EXPOSED = 15
"""In tenths, as systemd-analyze takes it: 1.5 of 10."""


def run(*command: str, fails: bool = False) -> str:
    found = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found is not None, f"{command[0]} is not installed: scripts/system-packages test"
    done = subprocess.run([found, *command[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def placed(unit: Path, folder: Path) -> Path:
    """With a program that is there: systemd-analyze looks for it. A template gets an instance."""
    text = unit.read_text().replace("/opt/crmtray/venv/bin/crmtray-server", sys.executable)
    file = folder / unit.name.replace("@.", "@8001.")
    file.write_text(text)
    return file


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    assert run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(placed(unit, tmp_path))) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_service_can_do_little_but_its_work(unit: Path, tmp_path: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager"]
    said = run(*command, f"--threshold={MOST_EXPOSED}", str(placed(unit, tmp_path)))
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure is not None and float(exposure[1]) * 10 <= MOST_EXPOSED
    # And the threshold is one.
    run(*command, "--threshold=1", str(placed(unit, tmp_path)), fails=True)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_starts_a_command_that_exists(unit: Path) -> None:
    [started] = re.findall(r"^ExecStart=/opt/crmtray/venv/bin/crmtray-server (\w+)", unit.read_text(), re.MULTILINE)
    assert started in {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    settings = {name.upper() for name in Settings.model_fields}
    named = re.findall(r"Environment=([A-Z_]+?)(?:_FILE)?=", unit.read_text())
    assert named and set(named) <= settings


def test_a_units_hardening_is_that_of_the_others() -> None:
    """Whoever changes one changes all."""
    tails = {unit.read_text().partition("Restart=always")[2] for unit in UNITS}
    assert len(UNITS) == 3 and len(tails) == 1


def test_a_log_file_is_rotated_while_it_is_written(tmp_path: Path) -> None:
    logs = tmp_path / "log"
    logs.mkdir()
    os.chmod(logs, 0o755)
    config = tmp_path / "crmtray"
    config.write_text((ROOT / "packaging" / "logrotate" / "crmtray").read_text().replace("/var/log/crmtray", str(logs)))
    os.chmod(config, 0o644)
    command = ["logrotate", "--force", "--state", str(tmp_path / "state"), str(config)]
    with (logs / "server.log").open("a") as log:
        log.write("first\n")
        log.flush()
        run(*command)
        log.write("second\n")
        log.flush()
    assert (logs / "server.log").read_text() == "second\n"
    [older] = [file for file in logs.iterdir() if file.name != "server.log"]
    assert older.read_text() == "first\n"
