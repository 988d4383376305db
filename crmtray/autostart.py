"""Starting with the desktop: whether, and switching it on and off. One entry for each profile.

The entry in the system is the truth: there is no setting that could say something else. Each system has its own kind;
`for_profile` gives the one of this machine.
"""

from __future__ import annotations

import plistlib
import subprocess
import sys
from collections.abc import Sequence
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
    system = [folder / "autostart" for folder in paths.system_config_dirs()]
    return XdgAutostart(profile, paths.user_config_dir() / "autostart", system)


def _name(profile: str) -> str:
    return paths.APP if profile == launch.DEFAULT_PROFILE else f"{paths.APP}-{profile}"


def _title(profile: str) -> str:
    return paths.APP if profile == launch.DEFAULT_PROFILE else f"{paths.APP} ({profile})"


def _command(profile: str) -> list[str]:
    return launch.command("--minimized", profile=profile)


class XdgAutostart:
    """Linux desktops: a file in ~/.config/autostart. It hides one of the same name that a package or an administrator
    put into `system`, as the Desktop Application Autostart Specification says."""

    def __init__(self, profile: str, folder: Path, system: Sequence[Path] = ()) -> None:
        name = f"{_name(profile)}.desktop"
        self._profile, self._file = profile, folder / name
        self._system = [place / name for place in system]

    def enabled(self) -> bool:
        """What the first file of this name says; without any, no."""
        said = (_switched_on(file) for file in (self._file, *self._system))
        return next((on for on in said if on is not None), False)

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
        """One that is for everybody is not ours to remove: a file of the person's own says no to it."""
        if any(_switched_on(file) is not None for file in self._system):
            desktop_entry.put(self._file, desktop_entry.entry({"Name": _title(self._profile), "Hidden": "true"}))
        else:
            self._file.unlink(missing_ok=True)


def _switched_on(file: Path) -> bool | None:
    """None: there is no such file. The desktops' own dialogs switch an entry off by a line in it."""
    try:
        lines = [line.replace(" ", "") for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return "Hidden=true" not in lines and "X-GNOME-Autostart-enabled=false" not in lines


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
