"""A second start: what it hands over, to whom, and what is not listened to."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtNetwork import QNetworkProxy
from pytestqt.qtbot import QtBot

from crmtray.paths import instance_socket
from crmtray.ui.instance import TAKEN, Instance, Request, framed
from crmtray.ui.power import Power
from crmtray.ui.system_proxy import address, system_proxy

ID = "0b2f6c1e-3a4d-4f5a-8b6c-7d8e9f0a1b2c"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture
def first(qtbot: QtBot) -> Iterator[tuple[Instance, list[Request]]]:
    """The one that runs, and what it was asked for."""
    instance, asked = Instance("work"), list[Request]()
    instance.asked.connect(asked.append)
    assert instance.listen()
    yield instance, asked
    instance.close()


def second(profile: str, request: Request) -> subprocess.Popen[str]:
    """Another process, as it is in life."""
    code = (
        "from PySide6.QtCore import QCoreApplication; from crmtray.ui.instance import *; app = QCoreApplication([]);"
        f"print(hand_over({profile!r}, {request!r}))"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def answer(qtbot: QtBot, process: subprocess.Popen[str]) -> str:
    qtbot.waitUntil(lambda: process.poll() is not None, timeout=20_000)
    said, _ = process.communicate()
    return said.strip()


@pytest.mark.parametrize("request_", [Request(), Request(show=False), Request(notification=ID)], ids=str)
def test_what_a_second_start_wants_is_asked_of_the_first(
    qtbot: QtBot, first: tuple[Instance, list[Request]], request_: Request
) -> None:
    assert answer(qtbot, second("work", request_)) == "True"
    assert first[1] == [request_]


def test_another_profile_is_another_program(qtbot: QtBot, first: tuple[Instance, list[Request]]) -> None:
    assert answer(qtbot, second("default", Request())) == "False"
    assert first[1] == []


def test_a_socket_left_by_a_crash_is_in_nobodys_way(qtbot: QtBot) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(instance_socket("work"))
    assert answer(qtbot, second("work", Request())) == "False"
    instance = Instance("work")
    assert instance.listen()
    asked: list[Request] = []
    instance.asked.connect(asked.append)
    assert answer(qtbot, second("work", Request())) == "True" and len(asked) == 1
    instance.close()
    assert not os.path.exists(instance_socket("work"))


def test_one_that_hangs_has_not_taken_it(qtbot: QtBot) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(instance_socket("work"))
        deaf.listen()
        assert answer(qtbot, second("work", Request())) == "False"


def test_only_this_account_may_ask(first: tuple[Instance, list[Request]]) -> None:
    mode = stat.S_IMODE(os.stat(instance_socket("work")).st_mode)
    assert mode & 0o077 == 0, oct(mode)


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xffx",
        b"\0\0\0\x02{}",
        b"\0\0\0\x04null",
        b'\0\0\0\x26{"show": true, "notification": "../x"}',
        framed(Request(notification="7")),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_a_request_is_cut_off(qtbot: QtBot, first: tuple[Instance, list[Request]], sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(instance_socket("work"))
        stranger.sendall(sent)
        stranger.setblocking(False)
        qtbot.waitUntil(lambda: received(stranger) == b"", timeout=10_000)
    assert first[1] == []


def test_a_request_in_pieces_is_whole_in_the_end(qtbot: QtBot, first: tuple[Instance, list[Request]]) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(instance_socket("work"))
        slow.setblocking(False)
        for byte in framed(Request(notification=ID)):
            slow.send(bytes([byte]))
            qtbot.wait(1)
        qtbot.waitUntil(lambda: bool(first[1]))
        qtbot.waitUntil(lambda: received(slow) == TAKEN)
    assert first[1] == [Request(notification=ID)]


def received(stream: socket.socket) -> bytes | None:
    try:
        return stream.recv(10)
    except BlockingIOError:
        return None


def test_the_name_is_short_enough_for_a_socket_and_one_for_each_profile() -> None:
    names = {instance_socket(profile) for profile in ("default", "work", "w" * 64)}
    assert len(names) == 3 and all(len(Path(name).name) < 30 for name in names)


# --- the surroundings of the program -----------------------------------------------------------------------------


def test_the_system_says_when_the_machine_wakes(qtbot: QtBot, private_bus: str) -> None:
    power, woken = Power(), list[None]()
    power.resumed.connect(lambda: woken.append(None))
    for begins in ("true", "false"):
        command = ["dbus-send", f"--bus={private_bus}", "--type=signal", "/org/freedesktop/login1"]
        subprocess.run([*command, "org.freedesktop.login1.Manager.PrepareForSleep", f"boolean:{begins}"], check=True)
    qtbot.waitUntil(lambda: bool(woken), timeout=10_000)
    assert len(woken) == 1


@pytest.fixture
def private_bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bus that the program takes for the system's."""
    command = ["dbus-daemon", "--session", "--nofork", "--print-address=1"]
    bus = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert bus.stdout is not None
    try:
        at = bus.stdout.readline().strip()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", at)
        yield at
    finally:
        bus.terminate()
        bus.wait()
        bus.stdout.close()


@pytest.mark.parametrize(
    ("proxy", "plain"),
    [
        (("proxy.example", 3128, "", ""), "http://proxy.example:3128"),
        (("proxy.example", 3128, "ana", "a b@c"), "http://ana:a%20b%40c@proxy.example:3128"),
    ],
)
def test_a_proxy_of_the_desktop_becomes_a_plain_address(proxy: tuple[Any, ...], plain: str) -> None:
    assert address(QNetworkProxy(QNetworkProxy.ProxyType.HttpProxy, *proxy)) == plain


def test_the_desktops_proxy_is_asked_of_qt(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert system_proxy("https://crm.example.com") is None
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert system_proxy("http://crm.example.com") == "http://proxy.example:3128"
