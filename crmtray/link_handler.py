"""Telling the system that crmtray:// links are ours, where no installer has done it.

On Linux a file in the person's own applications folder, on Windows a key of their part of the registry; on macOS the
bundle itself says it (CFBundleURLTypes), and nothing is to be done at run time.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import desktop_entry, launch, paths
from .links import SCHEME
from .registry import Registry

log = logging.getLogger(__name__)

ENTRY = f"{paths.APP}.desktop"
MIME_TYPE = f"x-scheme-handler/{SCHEME}"
CLASS = rf"Software\Classes\{SCHEME}"
TOOL_LIMIT = 3.0


def register(profile: str) -> None:
    """Never an obstacle: without it links do not work, and everything else does. Takes a moment: not on the loop."""
    try:
        if sys.platform == "win32":
            from .registry import UserRegistry

            register_class(profile, UserRegistry())
        elif sys.platform != "darwin":
            register_entry(profile, paths.applications_dir(), paths.system_applications_dirs())
    except OSError as error:
        log.info("links of crmtray could not be registered: %s", error)


def register_entry(
    profile: str, folder: Path, installed: Sequence[Path], tell: Callable[[Path], None] | None = None
) -> bool:
    """True: written. `installed` are the folders of packages, whose entry is better than ours."""
    if any(_handles_links(place / ENTRY) for place in installed):
        return False
    file = folder / ENTRY
    if file.is_file() and profile != launch.DEFAULT_PROFILE:
        return False  # links are of the default profile, when there is one
    if not desktop_entry.put(file, _entry(profile)):
        return False
    (tell or _tell_the_desktop)(folder)
    return True


def _handles_links(file: Path) -> bool:
    try:
        return MIME_TYPE in file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _entry(profile: str) -> str:
    values = {
        "Name": paths.APP,
        "GenericName": "CRM alerts",
        "GenericName[es]": "Alertas del CRM",
        "Exec": desktop_entry.exec_line(launch.command("--", profile=profile), "%u"),
        "Icon": str(paths.resource("icons/crmtray-128.png")),
        "Terminal": "false",
        "Categories": "Office;",
        "MimeType": f"{MIME_TYPE};",
        "StartupNotify": "false",
    }
    return desktop_entry.entry(values)


def _tell_the_desktop(folder: Path) -> None:
    """The index that desktops look into; without the tool for it, the person's own list of programs for types."""
    told = _run("update-desktop-database", str(folder)) or _run("xdg-mime", "default", ENTRY, MIME_TYPE)
    if not told:
        log.info("neither update-desktop-database nor xdg-mime could tell the desktop about our links")


def _run(program: str, *arguments: str) -> bool:
    if shutil.which(program) is None:
        return False
    try:
        done = subprocess.run([program, *arguments], capture_output=True, timeout=TOOL_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def register_class(profile: str, registry: Registry) -> bool:
    """True: written."""
    key = rf"{CLASS}\shell\open\command"
    # Behind "--", because a link with a quotation mark in it could otherwise bring options of its own.
    command = f'{subprocess.list2cmdline(launch.command("--", profile=profile))} "%1"'
    before = registry.get(key, "")
    if before == command or (before is not None and profile != launch.DEFAULT_PROFILE):
        return False
    registry.set(CLASS, "", f"URL:{paths.APP}")
    registry.set(CLASS, "URL Protocol", "")
    registry.set(key, "", command)
    return True
