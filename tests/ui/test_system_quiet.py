"""The desktop's own do not disturb: dunst's and Xfce's for real, GNOME's setting for real, KDE's property by a fake."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dbus_fast import PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool
from dbus_fast.service import ServiceInterface, dbus_property

from crmtray.ui.freedesktop_toasts import NAME, PATH
from crmtray.ui.system_quiet import SystemQuiet
from crmtray.ui.tasks import Tasks
from tests.client.support import wait_until
from tests.harness.desktop import Desktop, desktop


@pytest.fixture(scope="module")
def session() -> Iterator[Desktop]:
    with desktop(tray=False, notifications=False, keyring=False) as session:
        yield session


@pytest.fixture
def here(session: Desktop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desktop:
    """This process is a program of that desktop."""
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, session.environment[name])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return session


@asynccontextmanager
async def watching() -> AsyncIterator[list[bool]]:
    """What it tells, from the first answer on."""
    tasks, told = Tasks(), list[bool]()
    quiet = SystemQuiet(tasks.spawn)
    quiet.changed.connect(told.append)
    await quiet.start()
    try:
        yield told
    finally:
        quiet.close()
        await tasks.cancel()


async def answers(told: list[bool], expected: list[bool]) -> None:
    await wait_until(lambda: told == expected, f"{expected}, not {told}")


async def test_dunst_that_is_paused(here: Desktop, tmp_path: Path) -> None:
    process = here.start(["dunst"], tmp_path / "dunst.log")
    try:
        _until(lambda: _paused(here, "true"))
        async with watching() as told:
            assert told == [True]
            _paused(here, "false")
            await answers(told, [True, False])
            _paused(here, "true")
            await answers(told, [True, False, True])
            process.kill()
            await answers(told, [True, False, True, False])
    finally:
        process.kill()
        process.wait()


def _paused(session: Desktop, value: str) -> bool:
    try:
        session.run(["dunstctl", "set-paused", value])
    except AssertionError:
        return False
    return session.run(["dunstctl", "is-paused"]).strip() == value


def _until(look: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not look():
        assert time.monotonic() < end, "dunst did not come up"


async def test_xfces_setting(here: Desktop) -> None:
    setting = ["xfconf-query", "-c", "xfce4-notifyd", "-p", "/do-not-disturb"]
    here.run([*setting, "-n", "-t", "bool", "-s", "true"])
    async with watching() as told:
        assert told == [True]
        here.run([*setting, "-s", "false"])
        await answers(told, [True, False])
        here.run([*setting, "-s", "true"])
        await answers(told, [True, False, True])
        here.run([*setting, "-r"])
        await answers(told, [True, False, True, False])


async def test_gnomes_setting(here: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GSETTINGS_BACKEND", "keyfile")
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "ubuntu:GNOME")

    def show_banners(value: str) -> None:
        Desktop(dict(os.environ)).run(["gsettings", "set", "org.gnome.desktop.notifications", "show-banners", value])

    show_banners("false")
    async with watching() as told:
        await answers(told, [True])
        show_banners("true")
        await answers(told, [True, False])
        show_banners("false")
        await answers(told, [True, False, True])


class FakePlasma(ServiceInterface):
    """KDE's notification service, as far as it says whether it is inhibited."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.inhibited = False

    @dbus_property(access=PropertyAccess.READ)
    def Inhibited(self) -> DBusBool:
        return self.inhibited

    def set(self, inhibited: bool) -> None:
        self.inhibited = inhibited
        self.emit_properties_changed({"Inhibited": inhibited})


async def test_the_property_of_kdes_service(here: Desktop) -> None:
    bus, plasma = await MessageBus().connect(), FakePlasma()
    bus.export(PATH, plasma)
    async with watching() as told:
        await bus.request_name(NAME)
        plasma.set(True)
        await answers(told, [True])
        plasma.set(False)
        await answers(told, [True, False])
        plasma.set(True)
        await answers(told, [True, False, True])
        await bus.release_name(NAME)
        await answers(told, [True, False, True, False])
    bus.disconnect()


async def test_without_a_bus_it_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    async with watching() as told:
        assert told == []
