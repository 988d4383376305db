"""A pytest plugin: what a passing test would hide, fails it.

An unexpected log record, a task left behind, a way out of this machine. A test that means to provoke a record says so,
`@pytest.mark.expects_log("part of the message")`, or asks for `caplog` and judges the records itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports PySide6

import pytest

WATCHED = ("crmtray", "crmtray_server", "asyncio", "socketio", "engineio", "aiohttp")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "expects_log(text): a warning or error with this text is expected")
    sys.addaudithook(_refuse_other_machines)


# --- log records -------------------------------------------------------------------------------------------------


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


# --- tasks -------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_tasks_left(request: pytest.FixtureRequest) -> None:
    """Set up before what the test asks for, so torn down after it: by then all of it must have ended."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("_no_tasks_left")


@pytest.fixture
async def _no_tasks_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        if _is_engineios(task):
            task.cancel()
    if left:  # what was told to end may need another turn of the loop
        _, left = await asyncio.wait(left, timeout=1)
    assert not left, f"tasks left behind: {left}"


def _is_engineios(task: asyncio.Task[Any]) -> bool:
    """The library's loops notice that their socket or server is gone only when their next ping is due."""
    name = getattr(task.get_coro(), "__qualname__", "")
    return name in ("AsyncSocket._send_ping", "AsyncServer._service_task")


# --- the network -------------------------------------------------------------------------------------------------

_refused: list[str] = []


class OtherMachineError(Exception):
    """A test reached for another machine. Not an OSError: the code under test must not take it for bad weather."""


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        connection, address = arguments
        if connection.family in (socket.AF_INET, socket.AF_INET6) and not _is_this_machine(address[0]):
            _refuse(f"{event} {address}")
    elif event == "socket.getaddrinfo" and not _needs_no_asking(arguments[0]):
        _refuse(f"{event} {arguments[0]}")


def _refuse(what: str) -> None:
    _refused.append(what)
    raise OtherMachineError(what)


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return host in ("", "localhost") or (address is not None and address.is_loopback)


def _needs_no_asking(host: str | bytes | None) -> bool:
    """Numbers are not looked up: only a name makes the resolver ask another machine."""
    name = host.decode() if isinstance(host, bytes) else host or ""
    return name in ("", "localhost") or _address(name) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0])
    return None


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    _refused.clear()
    yield
    assert not _refused, f"reached for another machine: {_refused}"
