"""Faults of ours: each leaves a report with what is needed and no secret, also when the process dies of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmtray import __version__
from crmtray.crash import KEPT, Reports

CANARY = "canario-9f3d"
BEGIN = """
import asyncio, gc, logging, sys, threading
from pathlib import Path
from crmtray import crash, log_file
path = Path(sys.argv[1])
log_file.log_to_stderr("INFO")
log_file.log_to_file(path)
crash.catch_faults()
reports = crash.write_reports(path)
for n in range(80):
    logging.getLogger("crmtray.sync").info("step %d", n)
"""


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", BEGIN + script, str(folder / "crmtray.log")]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=60, check=False)


def reports_in(folder: Path) -> list[str]:
    return [path.read_text() for path in Reports(folder / "crmtray.log").all()]


UNCAUGHT = f"raise RuntimeError('password={CANARY}')"
IN_A_THREAD = """
thread = threading.Thread(target=lambda: 1 / 0, name="sound")
thread.start()
thread.join()
"""
IN_A_TASK = """
async def main():
    asyncio.get_running_loop().create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
async def fails():
    {}["missing"]
asyncio.run(main())
"""
IN_A_CALLBACK = """
async def main():
    asyncio.get_running_loop().call_soon(lambda: [][1])
    await asyncio.sleep(0)
asyncio.run(main())
"""
IN_A_DESTRUCTOR = """
class Thing:
    def __del__(self):
        raise OSError("gone")
Thing()
"""
LOGGED = """
try:
    int("x")
except ValueError:
    logging.getLogger("crmtray.session").exception("sync failed; it starts again in 5 s")
"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (UNCAUGHT, "RuntimeError: password=[secret]"),
        (IN_A_THREAD, "ZeroDivisionError"),
        (IN_A_TASK, "KeyError: 'missing'"),
        (IN_A_CALLBACK, "IndexError"),
        (IN_A_DESTRUCTOR, "OSError: gone"),
        (LOGGED, "sync failed; it starts again in 5 s"),
    ],
)
def test_whatever_nobody_caught_is_in_the_log_and_in_a_report(tmp_path: Path, script: str, said: str) -> None:
    done = run(tmp_path, script)
    [text] = reports_in(tmp_path)
    assert said in text and "Traceback" in text
    assert said in (tmp_path / "crmtray.log").read_text()
    head, _, tail = text.partition("The last 50 log lines:\n")
    assert f"crmtray {__version__} at 20" in head and "Python 3." in head and "PySide6-Essentials 6." in head
    assert "step 79" in tail and "step 20" not in tail
    assert CANARY not in text + done.stdout + done.stderr
    [path] = Reports(tmp_path / "crmtray.log").all()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("death", ["os.abort()", "ctypes.string_at(0)"])
def test_a_native_crash_is_a_report_at_the_next_start(tmp_path: Path, death: str) -> None:
    died = run(tmp_path, f"import ctypes, os\nlogging.getLogger('crmtray').warning('the last words')\n{death}")
    assert died.returncode < 0 and reports_in(tmp_path) == []
    assert run(tmp_path, "").returncode == 0
    [text] = reports_in(tmp_path)
    assert "Fatal Python error" in text and "the last words" in text
    assert run(tmp_path, "").returncode == 0 and len(reports_in(tmp_path)) == 1


def test_a_clean_run_leaves_none(tmp_path: Path) -> None:
    assert run(tmp_path, "logging.getLogger('crmtray').error('no traceback')").returncode == 0
    assert run(tmp_path, "raise SystemExit(3)").returncode == 3
    assert reports_in(tmp_path) == []


def test_a_fault_at_every_turn_is_one_report(tmp_path: Path) -> None:
    script = """
for n in range(20):
    try:
        [][n]
    except IndexError:
        logging.getLogger("crmtray").exception("turn %d", n)
"""
    assert run(tmp_path, script).returncode == 0
    [text] = reports_in(tmp_path)
    assert "turn 0" in text


def test_other_peoples_complaints_are_no_crash_of_ours(tmp_path: Path) -> None:
    script = """
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("aiohttp.client").exception("odd")
"""
    run(tmp_path, script)
    assert reports_in(tmp_path) == []


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def test_the_newest_are_kept_and_told_once(tmp_path: Path) -> None:
    reports = Reports(tmp_path / "crmtray.log", clock=Clock())
    assert reports.untold() is None
    written = [reports.write(f"fault {n}", []) for n in range(8)]
    assert reports.all() == written[-KEPT:]
    assert Reports(tmp_path / "crmtray.log").untold() == written[-1]
    assert Reports(tmp_path / "crmtray.log").untold() is None
    another = reports.write("fault 9", [])
    assert Reports(tmp_path / "crmtray.log").untold() == another


def test_each_profile_has_its_own(tmp_path: Path) -> None:
    Reports(tmp_path / "crmtray-trabajo.log").write("fault", [])
    assert Reports(tmp_path / "crmtray.log").untold() is None
    assert len(Reports(tmp_path / "crmtray-trabajo.log").all()) == 1


def test_a_folder_that_is_gone_is_no_second_crash(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports(tmp_path / "gone" / "crmtray.log")
    assert reports.write("fault", []) is None and reports.open_native() is None and reports.untold() is None
    assert "no crash report could be written" in caplog.text
