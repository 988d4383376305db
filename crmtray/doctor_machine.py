"""The checks of `crmtray doctor` that need neither network nor desktop: program, cache, disk, log, other processes."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import sqlite3
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

from . import __version__, paths
from .autostart import for_profile
from .cache_file import claim, read_only
from .checks import Check
from .config import ClientConfig
from .crash import Reports
from .protocol import PROTOCOL
from .threads import in_daemon_thread

LITTLE, TOO_LITTLE = 200_000_000, 20_000_000
_FIXED_BY_START = "end crmtray, then start it again: it sets the file aside and reads everything anew"


def at_once(config: ClientConfig) -> list[Check]:
    """The first is the program itself."""
    return [version(), disk(config.profile), log(config), instance(config.profile), autostart(config.profile)]


def version() -> Check:
    system = f"{platform.system()} {platform.release()}"
    detail = f"crmtray {__version__}, protocol {PROTOCOL}, Python {platform.python_version()}, {system}"
    return Check("version", "ok", detail)


def known_server(config: ClientConfig) -> str | None:
    """Of the configuration, or the one that the cache is of."""
    if config.server is not None:
        return config.server
    path = paths.cache_file(config.profile)
    with contextlib.suppress(sqlite3.Error, ValueError, LookupError, TypeError):
        if path.exists():
            [[owner]] = read_only(path, "SELECT value FROM meta WHERE name = 'owner'")
            return str(json.loads(owner)[0])
    return None


# --- the cache ---------------------------------------------------------------------------------------------------


async def cache(profile: str) -> Check:
    path = paths.cache_file(profile)
    if not path.exists():
        return Check("cache", "ok", f"nothing is kept yet ({path})")
    problem = await in_daemon_thread(lambda: _damage(path), "cache check")
    if problem is not None:
        return Check("cache", "broken", f"{path}: {problem}", _FIXED_BY_START)
    if sys.platform != "win32" and (open_to_others := _open_to_others(path)):
        return Check("cache", "warning", f"others may read {open_to_others}", f"chmod go= {open_to_others}")
    [[items]] = read_only(path, "SELECT count(*) FROM items")
    return Check("cache", "ok", f"sound, {items} items, {path.stat().st_size // 1000} kB ({path})")


def _damage(path: Path) -> str | None:
    try:
        [[verdict], *_] = read_only(path, "PRAGMA integrity_check(1)")
        read_only(path, "SELECT count(*) FROM items")
    except sqlite3.Error as error:
        return str(error)
    return None if verdict == "ok" else str(verdict)


def _open_to_others(path: Path) -> str:
    places = (path.parent, path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", ".lock")))
    return " ".join(str(place) for place in places if place.exists() and stat.S_IMODE(place.stat().st_mode) & 0o077)


# --- the rest ----------------------------------------------------------------------------------------------------


def disk(profile: str) -> Check:
    folder = paths.data_dir(profile)
    free = shutil.disk_usage(folder).free
    detail = f"{free // 1_000_000} MB free for {folder}"
    if free < LITTLE:
        return Check("disk", "broken" if free < TOO_LITTLE else "warning", detail, "make room: alerts are kept there")
    return Check("disk", "ok", detail)


def log(config: ClientConfig) -> Check:
    path = paths.log_file(config.profile)
    reports = Reports(path).all()
    detail = f"{path} ({config.log_level}); crash reports: {len(reports)}"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return Check("log", "warning", f"{path} cannot be written", "look at who owns it")
    if reports and _days_old(reports[-1]) < 1:
        return Check("log", "warning", detail, f"send {reports[-1]} to whoever looks after crmtray")
    return Check("log", "ok", detail)


def _days_old(path: Path) -> float:
    return (datetime.now(UTC).timestamp() - path.stat().st_mtime) / 86_400


def instance(profile: str) -> Check:
    """Whether the tray app runs: its lock says that something does, its socket that it answers."""
    if not _locked(paths.cache_file(profile)):
        return Check("instance", "ok", f"crmtray does not run with the profile {profile!r} now")
    if sys.platform == "win32" or _listens(paths.instance_socket(profile)):
        return Check("instance", "ok", f"crmtray runs with the profile {profile!r}")
    detail = f"a process has the profile {profile!r}, and is not a tray app that answers"
    return Check("instance", "warning", detail, "if it is not `crmtray listen`, end it and start crmtray again")


def _locked(path: Path) -> bool:
    if not path.with_name(path.name + ".lock").exists():
        return False
    handle = claim(path)
    if handle is not None:
        os.close(handle)
    return handle is None


def _listens(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1)
        try:
            caller.connect(name)
        except OSError:
            return False
    return True


def autostart(profile: str) -> Check:
    try:
        enabled = for_profile(profile).enabled()
    except OSError as error:
        return Check("autostart", "warning", f"cannot be read: {error.strerror}", "look at who owns the entry")
    return Check("autostart", "ok", "starts with the desktop" if enabled else "does not start with the desktop")
