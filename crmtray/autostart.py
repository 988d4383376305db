"""Starting with the desktop: whether, and switching it on and off. One entry for each profile.

The entry in the system is the truth: there is no setting that could say something else. Each system has its own kind;
`for_profile` gives the one of this machine.
"""

from __future__ import annotations

import plistlib
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

from . import desktop_entry, launch, paths
from .registry import Registry

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"


class Autostart(Protocol):
    """Raises OSError when the system does not let us."""

    def enabled(self) -> bool: ...

    def enable(self) -> None:
        """Also mends an entry that starts another installation."""

    def disable(self) -> None: ...


def for_profile(profile: str) -> Autostart:
    """Of this machine."""
    if sys.platform == "win32":
        from .registry import UserRegistry

        return RunKey(profile, UserRegistry())
    if sys.platform == "darwin":
        return LaunchAgent(profile, Path.home() / "Library" / "LaunchAgents")
    return XdgAutostart(profile, paths.user_config_dir() / "autostart")


def _name(profile: str) -> str:
    return paths.APP if profile == launch.DEFAULT_PROFILE else f"{paths.APP}-{profile}"


def _title(profile: str) -> str:
    return paths.APP if profile == launch.DEFAULT_PROFILE else f"{paths.APP} ({profile})"


def _command(profile: str) -> list[str]:
    return launch.command("--minimized", profile=profile)


class XdgAutostart:
    """Linux desktops: a file in ~/.config/autostart."""

    def __init__(self, profile: str, folder: Path) -> None:
        self._profile, self._file = profile, folder / f"{_name(profile)}.desktop"

    def enabled(self) -> bool:
        """The desktops' own dialogs switch an entry off by a line in it, and leave the file."""
        try:
            lines = [line.replace(" ", "") for line in self._file.read_text(encoding="utf-8").splitlines()]
        except (FileNotFoundError, NotADirectoryError):
            return False
        return "Hidden=true" not in lines and "X-GNOME-Autostart-enabled=false" not in lines

    def enable(self) -> None:
        values = {
            "Name": _title(self._profile),
            "Comment": "Real-time alerts of your CRM in the system tray",
            "Comment[es]": "Alertas de tu CRM en tiempo real, en la bandeja del sistema",
            "Exec": desktop_entry.exec_line(_command(self._profile)),
            "Icon": paths.APP,
            "Terminal": "false",
            "X-GNOME-Autostart-enabled": "true",
        }
        desktop_entry.put(self._file, desktop_entry.entry(values))

    def disable(self) -> None:
        self._file.unlink(missing_ok=True)


class RunKey:
    """Windows: a value of the Run key."""

    def __init__(self, profile: str, registry: Registry) -> None:
        self._profile, self._registry = profile, registry

    def enabled(self) -> bool:
        return self._registry.get(RUN, _name(self._profile)) is not None

    def enable(self) -> None:
        self._registry.set(RUN, _name(self._profile), subprocess.list2cmdline(_command(self._profile)))
        # What the person once switched off in the Task Manager stays off as long as this value is there.
        self._registry.delete(APPROVED, _name(self._profile))

    def disable(self) -> None:
        self._registry.delete(RUN, _name(self._profile))


class LaunchAgent:
    """macOS: a property list that launchd reads at login."""

    def __init__(self, profile: str, folder: Path) -> None:
        self._profile, self._label = profile, f"app.{_name(profile)}"
        self._file = folder / f"{self._label}.plist"

    def enabled(self) -> bool:
        try:
            job: dict[str, Any] = plistlib.loads(self._file.read_bytes())
        except (FileNotFoundError, NotADirectoryError, plistlib.InvalidFileException):
            return False
        return bool(job.get("RunAtLoad")) and not job.get("Disabled", False)

    def enable(self) -> None:
        job = {
            "Label": self._label,
            "ProgramArguments": _command(self._profile),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(plistlib.dumps(job))

    def disable(self) -> None:
        self._file.unlink(missing_ok=True)
