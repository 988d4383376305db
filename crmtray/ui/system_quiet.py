"""Whether the desktop itself is set to "do not disturb" (Linux), and when that changes.

Owns the reading: the notification service's `Inhibited` (KDE and others), dunst's `paused`, Xfce's setting, GNOME's.
What does not exist on a desktop says nothing. Windows and macOS hold toasts back themselves, and tell no program.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QProcess, Signal

from .freedesktop_toasts import NAME, PATH
from .session_bus import PROPERTIES, BusError, SessionBus, owner_rule
from .tasks import Spawn

if TYPE_CHECKING:
    from dbus_fast import Message

log = logging.getLogger(__name__)

DUNST = "org.dunstproject.cmd0"
XFCONF, XFCONF_PATH, XFCONF_INTERFACE = "org.xfce.Xfconf", "/org/xfce/Xfconf", "org.xfce.Xfconf"
XFCE_SETTING = ("xfce4-notifyd", "/do-not-disturb")
GNOME_SETTING = ("org.gnome.desktop.notifications", "show-banners")


class SystemQuiet(QObject):
    changed = Signal(bool)

    def __init__(self, spawn: Spawn, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.active = False
        self._spawn = spawn
        self._on_bus = self._in_gnome = False
        rules = [
            f"type='signal',interface='{PROPERTIES}',member='PropertiesChanged',path='{PATH}'",
            f"type='signal',interface='{XFCONF_INTERFACE}',path='{XFCONF_PATH}',arg0='{XFCE_SETTING[0]}'",
            owner_rule(NAME),
            owner_rule(XFCONF),
        ]
        self._bus = SessionBus(rules, self._heard)
        self._reading = asyncio.Lock()
        self._gsettings: QProcess | None = None

    async def start(self) -> None:
        if not sys.platform.startswith("linux"):
            return
        self._watch_gnome()
        await self._read()

    def close(self) -> None:
        self._bus.close()
        if self._gsettings is not None:
            self._gsettings.readyReadStandardOutput.disconnect(self._gnome_said)
            self._gsettings.kill()
            self._gsettings.waitForFinished(1000)
            self._gsettings = None

    # --- on the bus ---------------------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        self._spawn(self._read(), "read the desktop's do not disturb")

    async def _read(self) -> None:
        async with self._reading:  # so that the last answer is the newest
            await self._read_bus()

    async def _read_bus(self) -> None:
        try:
            await self._bus.listen()
        except BusError as error:
            log.info("whether the desktop is set to do not disturb cannot be read: %s", error)
            return
        answers = [await self._property(NAME, "Inhibited"), await self._property(DUNST, "paused"), await self._xfce()]
        self._on_bus = any(answers)
        self._tell()

    async def _property(self, interface: str, name: str) -> bool:
        try:
            return await self._bus.property(NAME, PATH, interface, name) is True
        except BusError:
            return False  # this service has no such property, or there is none

    async def _xfce(self) -> bool:
        try:
            call = (XFCONF, XFCONF_PATH, XFCONF_INTERFACE, "GetProperty", "ss", XFCE_SETTING)
            [value] = await self._bus.call(*call, start=False)
        except BusError:
            return False  # not this desktop, or never set
        return _unpacked(value) is True

    # --- GNOME --------------------------------------------------------------------------------------------------

    def _watch_gnome(self) -> None:
        """Its settings are in a file of its own format that only its library reads: its tool tells of changes."""
        program = shutil.which("gsettings")
        if program is None or "GNOME" not in os.environ.get("XDG_CURRENT_DESKTOP", "").split(":"):
            return
        self._gsettings = QProcess(self)
        self._gsettings.readyReadStandardOutput.connect(self._gnome_said)
        self._gsettings.start(program, ["monitor", *GNOME_SETTING])
        self._ask = QProcess(self)
        self._ask.finished.connect(lambda: self._gnome_is(_output(self._ask)))
        self._ask.start(program, ["get", *GNOME_SETTING])

    def _gnome_said(self) -> None:
        if self._gsettings is not None:
            self._gnome_is(_output(self._gsettings))

    def _gnome_is(self, text: str) -> None:
        """`true`, or lines such as `show-banners: false`; the last one holds."""
        words = text.split()
        if words and words[-1] in ("true", "false"):
            self._in_gnome = words[-1] == "false"
            self._tell()

    def _tell(self) -> None:
        active = self._on_bus or self._in_gnome
        if active != self.active:
            self.active = active
            self.changed.emit(active)


def _output(process: QProcess) -> str:
    return bytes(process.readAllStandardOutput().data()).decode(errors="replace")


def _unpacked(value: Any) -> Any:
    return getattr(value, "value", value)
