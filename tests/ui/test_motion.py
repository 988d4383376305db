"""Who asks the system for less motion gets it: from the portal, from XSETTINGS, on Windows; and it comes back."""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from crmtray.ui import motion as motions
from crmtray.ui.motion import Motion
from crmtray.ui.tasks import Tasks
from crmtray.ui.x11_settings import numbers, whole_number
from tests.client.support import wait_until
from tests.harness.desktop import Desktop, desktop
from tests.harness.desktop import wait_until as until


@pytest.fixture(scope="module")
def session() -> Iterator[Desktop]:
    with desktop(tray=False, notifications=False, keyring=False) as opened:
        yield opened


@pytest.fixture
def on_bus(session: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", session.environment["DBUS_SESSION_BUS_ADDRESS"])
    monkeypatch.setattr(motions, "x11_asks", lambda: False)


@pytest.fixture
def moving(qapp: QApplication) -> Iterator[None]:
    """A desktop whose menus slide and whose caret blinks."""
    before = qapp.cursorFlashTime()
    qapp.setEffectEnabled(Qt.UIEffect.UI_General, True)
    qapp.setCursorFlashTime(1000)
    yield
    qapp.setEffectEnabled(Qt.UIEffect.UI_General, False)
    qapp.setCursorFlashTime(before)


class FakePortal:
    """The settings of a desktop, on a real bus."""

    def __init__(self, values: dict[tuple[str, str], Any]) -> None:
        self.values = values

    async def start(self) -> None:
        from dbus_fast import Message, MessageType
        from dbus_fast.aio import MessageBus

        self.bus = await MessageBus().connect()

        def answer(message: Message) -> Message | None:
            if message.message_type is not MessageType.METHOD_CALL or message.member != "Read":
                return None
            value = self.values.get(tuple(message.body))
            if value is None:
                return Message.new_error(message, "org.freedesktop.portal.Error.NotFound", "no such setting")
            return Message.new_method_return(message, "v", [_twice(value)])

        self.bus.add_message_handler(answer)
        await self.bus.request_name(motions.PORTAL)

    async def change(self, name: tuple[str, str], value: Any) -> None:
        from dbus_fast import Message

        self.values[name] = value
        signal = Message.new_signal(
            motions.PORTAL_PATH, motions.SETTINGS, "SettingChanged", "ssv", [*name, _variant(value)]
        )
        await self.bus.send(signal)


def _variant(value: Any) -> Any:
    from dbus_fast import Variant

    return Variant({bool: "b", int: "u", str: "s"}[type(value)], value)


def _twice(value: Any) -> Any:
    from dbus_fast import Variant

    return Variant("v", _variant(value))


GNOME = ("org.gnome.desktop.interface", "enable-animations")


@pytest.mark.parametrize(
    ("values", "reduced"),
    [
        ({GNOME: False}, True),
        ({GNOME: True}, False),
        ({("org.freedesktop.appearance", "reduced-motion"): 1, GNOME: True}, True),
        ({("org.freedesktop.appearance", "reduced-motion"): 0}, False),
        ({("org.kde.kdeglobals.KDE", "AnimationDurationFactor"): "0"}, True),
        ({("org.kde.kdeglobals.KDE", "AnimationDurationFactor"): "0.5"}, False),
        ({}, False),
    ],
)
async def test_the_portal_is_asked(on_bus: None, moving: None, values: dict[Any, Any], reduced: bool) -> None:
    portal, tasks = FakePortal(dict(values)), Tasks()
    await portal.start()
    motion = Motion(tasks.spawn)
    await motion.look()
    assert motion.reduced is reduced
    assert QApplication.isEffectEnabled(Qt.UIEffect.UI_General) is not reduced
    assert (QApplication.cursorFlashTime() == 0) is reduced
    await _end(motion, tasks, portal)


async def test_a_change_counts_at_once_and_what_moved_before_moves_again(on_bus: None, moving: None) -> None:
    portal, tasks = FakePortal({GNOME: True}), Tasks()
    await portal.start()
    motion = Motion(tasks.spawn)
    await motion.look()
    await portal.change(GNOME, False)
    await wait_until(lambda: motion.reduced, "less motion")
    assert not QApplication.isEffectEnabled(Qt.UIEffect.UI_General) and QApplication.cursorFlashTime() == 0
    await portal.change(GNOME, True)
    await wait_until(lambda: not motion.reduced, "motion again")
    assert QApplication.isEffectEnabled(Qt.UIEffect.UI_General) and QApplication.cursorFlashTime() == 1000
    await _end(motion, tasks, portal)


async def _end(motion: Motion, tasks: Tasks, portal: FakePortal) -> None:
    motion.close()
    await tasks.cancel()
    portal.bus.disconnect()
    await wait_until(lambda: not portal.bus.connected, "the end of the portal")


async def test_without_a_portal_everything_moves_as_before(on_bus: None, moving: None) -> None:
    motion = Motion(Tasks().spawn)
    await motion.look()
    assert not motion.reduced and QApplication.cursorFlashTime() == 1000
    motion.close()


@pytest.mark.parametrize("wanted", [0, 1])
def test_a_real_settings_service_is_read(
    session: Desktop, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, wanted: int
) -> None:
    monkeypatch.setenv("DISPLAY", session.environment["DISPLAY"])
    assert whole_number(motions.XSETTING) is None, "there is no service yet"
    file = tmp_path / "xsettingsd"
    file.write_text(f'Net/ThemeName "Some"\nXft/DPI 98304\nGtk/EnableAnimations {wanted}\n')
    service = session.start(["xsettingsd", "-c", str(file)], tmp_path / "log")
    try:
        until(lambda: whole_number(motions.XSETTING) is not None, "the service")
        assert whole_number(motions.XSETTING) == wanted and whole_number("Xft/DPI") == 98304
    finally:
        service.terminate()
        service.wait()
    until(lambda: whole_number(motions.XSETTING) is None, "that it is gone")


def test_no_display_is_no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    assert whole_number(motions.XSETTING) is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_kind_of_setting_is_passed_over(order: str) -> None:
    def head(kind: int, name: bytes) -> bytes:
        return struct.pack(f"{order}BBH", kind, 0, len(name)) + name + b"\0" * (-len(name) % 4) + b"\0" * 4

    text = head(1, b"Net/Theme") + struct.pack(f"{order}I", 5) + b"Other\0\0\0"
    colour = head(2, b"A") + b"\1\0" * 4
    number = head(0, b"Gtk/EnableAnimations") + struct.pack(f"{order}i", -3)
    start = struct.pack(f"{order}BBBBII", 0 if order == "<" else 1, 0, 0, 0, 1, 3)
    assert numbers(start + text + colour + number) == {"Gtk/EnableAnimations": -3}
    with pytest.raises(struct.error):
        numbers((start + text)[:-6])
    with pytest.raises(ValueError):
        numbers(b"")


class FakeUser32:
    """Windows' answer to the one question."""

    def __init__(self, shown: int, known: int = 1) -> None:
        self.shown, self.known = shown, known

    def SystemParametersInfoW(self, question: int, _size: int, answer: Any, _flags: int) -> int:
        assert question == 0x1042
        answer._obj.value = self.shown
        return self.known


@pytest.mark.parametrize(("shown", "known", "reduced"), [(0, 1, True), (1, 1, False), (0, 0, False)])
def test_windows_is_asked(monkeypatch: pytest.MonkeyPatch, shown: int, known: int, reduced: bool) -> None:
    class FakeWindll:
        user32 = FakeUser32(shown, known)

    monkeypatch.setattr(ctypes, "windll", FakeWindll, raising=False)
    assert motions.windows_asks() is reduced


@pytest.mark.parametrize("wish", [True, False])
async def test_macos_is_asked(monkeypatch: pytest.MonkeyPatch, moving: None, wish: bool) -> None:
    class FakeWorkspace:
        accessibilityDisplayShouldReduceMotion = wish

    class FakeClass:
        sharedWorkspace = FakeWorkspace

    class FakeRubicon:
        @staticmethod
        def ObjCClass(name: str) -> Any:
            assert name == "NSWorkspace"
            return FakeClass

    monkeypatch.setitem(sys.modules, "rubicon", FakeRubicon)
    monkeypatch.setitem(sys.modules, "rubicon.objc", FakeRubicon)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert motions.macos_asks() is wish
    motion = Motion(Tasks().spawn)
    await motion.look()
    assert motion.reduced is wish
    motion._hold(False)
    motion.close()
