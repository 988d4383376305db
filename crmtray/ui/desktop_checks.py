"""The checks of `crmtray doctor` that are about the desktop: its tray and its notification service.

Run in the tray app itself, or by `crmtray desktop-checks`, a process of its own: without its system libraries Qt does
not raise, it aborts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from PySide6.QtCore import QLibraryInfo
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from ..checks import Check
from .freedesktop_toasts import NAME, PATH
from .session_bus import BusError, SessionBus

WANTED = ("actions", "body")
SECONDS = 4.0


def print_checks() -> None:
    """As JSON, for the process that asked."""
    app = QApplication.instance() or QApplication(["crmtray"])
    found = asyncio.run(desktop_checks())
    print(json.dumps([asdict(check) for check in found]), flush=True)
    del app


async def desktop_checks() -> Sequence[Check]:
    return [_tray(), await _notifications()]


def _tray() -> Check:
    qt = f"Qt {QLibraryInfo.version().toString()}, {QApplication.platformName()}"
    if QSystemTrayIcon.isSystemTrayAvailable():
        return Check("tray", "ok", f"there is one ({qt})")
    hint = "on GNOME install the extension AppIndicator; without a tray crmtray stays in a window"
    return Check("tray", "warning", f"this desktop has none ({qt})", hint)


async def _notifications() -> Check:
    if not sys.platform.startswith("linux"):
        return await _of_the_system()
    bus = SessionBus([], lambda message: None, limit=SECONDS / 2)
    try:
        [name, _, version, _] = await bus.call(NAME, PATH, NAME, "GetServerInformation")
        [can] = await bus.call(NAME, PATH, NAME, "GetCapabilities")
        return _judged(f"{name} {version}", [str(one) for one in can], await _inhibited(bus))
    except BusError as error:
        hint = "install one (xfce4-notifyd, dunst); until then crmtray draws its own toasts"
        return Check("notifications", "warning", f"no notification service: {error}", hint)
    finally:
        bus.close()


def _judged(service: str, can: list[str], inhibited: bool) -> Check:
    detail = f"{service} ({', '.join(sorted(can))})"
    if inhibited:
        return Check(
            "notifications", "warning", f"{detail}; it is told not to disturb", "switch that off in the desktop"
        )
    missing = [one for one in WANTED if one not in can]
    if missing:
        hint = "toasts come without it; the buttons are in the center too"
        return Check("notifications", "warning", f"{detail}; it has no {', '.join(missing)}", hint)
    return Check("notifications", "ok", detail)


async def _inhibited(bus: SessionBus) -> bool:
    try:
        return bool(await bus.property(NAME, PATH, NAME, "Inhibited"))
    except BusError:
        return False  # only some have it


async def _of_the_system() -> Check:
    from desktop_notifier import DesktopNotifier

    if await DesktopNotifier(app_name="crmtray").has_authorisation():
        return Check("notifications", "ok", "the system's own")
    return Check("notifications", "warning", "the system does not let crmtray show any", "allow it in its settings")
