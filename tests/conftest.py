"""What every test gets: databases of its own, and a failure for what a passing test would hide.

Unexpected warnings, log records and tasks left behind fail the test. A test that means to provoke a record says so,
`@pytest.mark.expects_log("part of the message")`, or asks for `caplog` and judges the records itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports PySide6

import pytest

from tests.harness.postgres import Postgres, running_postgres

WATCHED = ("crmtray", "crmtray_server", "asyncio", "socketio", "engineio", "aiohttp")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "expects_log(text): a warning or error with this text is expected")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The address of an empty PostgreSQL database."""
    return postgres.new_database()


class _Unexpected(logging.Handler):
    def __init__(self, expected: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.expected = expected
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not any(text in record.getMessage() for text in self.expected):
            self.records.append(record)


@pytest.fixture(autouse=True)
def no_unexpected_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    expected = [str(text) for marker in request.node.iter_markers("expects_log") for text in marker.args]
    handler = _Unexpected(expected)
    for name in WATCHED:
        logging.getLogger(name).addHandler(handler)
    yield
    for name in WATCHED:
        logging.getLogger(name).removeHandler(handler)
    said = [f"{record.name}: {record.levelname}: {record.getMessage()}" for record in handler.records]
    assert not said or "caplog" in request.fixturenames, "unexpected log records:\n" + "\n".join(said)


@pytest.fixture
async def no_tasks_left() -> AsyncIterator[None]:
    """Ask for it first: what the test and its other fixtures started must have ended when it is torn down."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {task for task in (asyncio.current_task(),) if task is not None}
    assert not left, f"tasks left behind: {left}"
