"""Whether the person's system asks programs to move less, and what then stands still.

Owns the reading: the desktop portal (GNOME, KDE), XSETTINGS (Xfce and others), Windows, macOS. Nothing of crmtray's own
moves; what Qt moves (menus and lists that slide or fade, the caret that blinks) is held here.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from .session_bus import BusError, SessionBus
from .tasks import Spawn
from .x11_settings import whole_number

if TYPE_CHECKING:
    from dbus_fast import Message

PORTAL, PORTAL_PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
SETTINGS = "org.freedesktop.portal.Settings"
WISHES: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("org.freedesktop.appearance", "reduced-motion"): lambda value: value == 1,
    ("org.gnome.desktop.interface", "enable-animations"): lambda value: value is False,
    ("org.kde.kdeglobals.KDE", "AnimationDurationFactor"): lambda value: str(value) in ("0", "0.0"),
}
"""Where desktops keep it, and what there means: less."""
XSETTING = "Gtk/EnableAnimations"
SPI_GETCLIENTAREAANIMATION = 0x1042


class Motion(QObject):
    def __init__(self, spawn: Spawn, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.reduced = False
        self._spawn = spawn
        self._before = (False, 0)
        self._bus = SessionBus([f"type='signal',interface='{SETTINGS}',member='SettingChanged'"], self._heard)
        self._reading = asyncio.Lock()

    def close(self) -> None:
        self._bus.close()

    async def look(self) -> None:
        """At the start, and whenever the portal tells of a change. XSETTINGS are read at the start only."""
        async with self._reading:
            self._hold(await self._asked())

    async def _asked(self) -> bool:
        if sys.platform == "win32":
            return windows_asks()
        if sys.platform == "darwin":
            return macos_asks()
        return await self._portal_asks() or x11_asks()

    def _heard(self, message: Message) -> None:
        if tuple(message.body[:2]) in WISHES:
            self._spawn(self.look(), "read whether to move less")

    async def _portal_asks(self) -> bool:
        try:
            await self._bus.listen()
        except BusError:
            return False
        answers = [means(await self._setting(*name)) for name, means in WISHES.items()]
        return any(answers)

    async def _setting(self, group: str, name: str) -> Any:
        """None: there is no portal, or it does not know this one."""
        try:
            [value] = await self._bus.call(PORTAL, PORTAL_PATH, SETTINGS, "Read", "ss", (group, name), start=False)
        except BusError:
            return None
        while hasattr(value, "value"):  # a variant in a variant: https://github.com/flatpak/xdg-desktop-portal/pull/953
            value = value.value
        return value

    def _hold(self, reduced: bool) -> None:
        if reduced == self.reduced:
            return
        self.reduced = reduced
        if reduced:
            self._before = QApplication.isEffectEnabled(Qt.UIEffect.UI_General), QApplication.cursorFlashTime()
        effects, blink = (False, 0) if reduced else self._before
        QApplication.setEffectEnabled(Qt.UIEffect.UI_General, effects)
        QApplication.setCursorFlashTime(blink)


def x11_asks() -> bool:
    return QGuiApplication.platformName() == "xcb" and whole_number(XSETTING) == 0


def windows_asks() -> bool:
    """https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-systemparametersinfow"""
    shown = ctypes.c_int(1)
    library: Any = getattr(ctypes, "windll").user32  # noqa: B009  # known to type checkers on Windows only
    known = library.SystemParametersInfoW(SPI_GETCLIENTAREAANIMATION, 0, ctypes.byref(shown), 0)
    return bool(known) and not shown.value


def macos_asks() -> bool:
    """Through the library that desktop-notifier brings along there."""
    from importlib import import_module

    workspace = import_module("rubicon.objc").ObjCClass("NSWorkspace").sharedWorkspace
    return bool(workspace.accessibilityDisplayShouldReduceMotion)
