"""The strict rules fail what they are there to fail, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import asyncio, logging, socket
import pytest

def test_log_unexpected():
    logging.getLogger("crmtray.sync").warning("boom")

@pytest.mark.expects_log("another text")
def test_log_other_than_expected():
    logging.getLogger("crmtray_server").error("boom")

@pytest.mark.expects_log("boom")
def test_log_expected():
    logging.getLogger("crmtray_server").error("a boom of today")

def test_log_of_somebody_else():
    logging.getLogger("somebody").error("boom")

async def test_task_left():
    asyncio.get_running_loop().kept = asyncio.create_task(asyncio.sleep(3600))

async def test_task_that_ends_by_itself():
    asyncio.get_running_loop().kept = asyncio.create_task(asyncio.sleep(0.01))

@pytest.fixture
async def worker():
    task = asyncio.create_task(asyncio.sleep(3600))
    yield
    task.cancel()

async def test_task_that_a_fixture_ends(worker):
    pass

def test_network_address():
    with pytest.raises(Exception), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))

def test_network_name():
    with pytest.raises(Exception):
        socket.getaddrinfo("crm.example", 443)

async def test_network_from_the_loop():
    with pytest.raises(Exception):
        await asyncio.open_connection("192.0.2.1", 443)

def test_network_of_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        socket.getaddrinfo("localhost", 80)

def test_warning():
    import warnings
    warnings.warn("old", DeprecationWarning)
"""

FAIL = {
    "log_unexpected": "unexpected log records",
    "log_other_than_expected": "unexpected log records",
    "task_left": "tasks left behind",
    "network_address": "reached for another machine",
    "network_name": "reached for another machine",
    "network_from_the_loop": "reached for another machine",
    "warning": "DeprecationWarning",
}
PASS = (
    "log_expected",
    "log_of_somebody_else",
    "task_that_ends_by_itself",
    "task_that_a_fixture_ends",
    "network_of_this_machine",
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of the tests above, with the project's own configuration."""
    file = tmp_path_factory.mktemp("strict") / "test_sample.py"
    file.write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    options = ["-p", "tests.harness.strict", "-p", "no:cacheprovider", "-q", "-rpEf", str(file)]
    environment = os.environ | {"COLUMNS": "200"}  # pytest cuts its summary to the width of the terminal
    result = subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return result.stdout


@pytest.mark.parametrize("name", FAIL)
def test_what_a_passing_test_would_hide_fails_it(outcomes: str, name: str) -> None:
    assert re.search(rf"^(FAILED|ERROR) \S*::test_{name} - .*{FAIL[name]}", outcomes, re.MULTILINE), outcomes


@pytest.mark.parametrize("name", PASS)
def test_what_is_in_order_passes(outcomes: str, name: str) -> None:
    said = re.findall(rf"^(PASSED|FAILED|ERROR) \S*::test_{name}\b(?: |$)", outcomes, re.MULTILINE)
    assert said == ["PASSED"], outcomes
