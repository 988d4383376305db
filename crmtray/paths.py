"""Where things are: data, configuration, logs, and the files that come with the program.

The only module that knows the places. Folders are made 0700: other accounts of the machine have no business in them.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

import platformdirs

APP = "crmtray"
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class BadProfile(ValueError):
    """A profile name that cannot be a folder's name."""


def data_dir(profile: str) -> Path:
    if not _PROFILE.fullmatch(profile):
        raise BadProfile(f"--profile {profile!r}: use letters, digits, '-', '_' and '.', at most 64")
    return _folder(platformdirs.user_data_path(APP, appauthor=False) / "profiles" / profile)


def cache_file(profile: str) -> Path:
    return data_dir(profile) / "cache.db"


def config_file() -> Path:
    """Not made by us: it is there when somebody wrote it."""
    return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"


def policy_file() -> Path:
    """The administrator's, for everybody on this machine."""
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / APP / "policy.toml"
    if sys.platform == "darwin":
        return Path("/Library/Application Support") / APP / "policy.toml"
    return Path("/etc") / APP / "policy.toml"


def instance_socket(profile: str) -> str:
    """Where a running tray app of this profile listens for a second start. Goes with the cache, as its lock does.

    A name of fixed length: the path of a socket may have some hundred bytes. On Windows it is the name of a pipe,
    and pipes of all accounts have one folder: the data folder in the digest keeps them apart.
    """
    folder = data_dir(profile)
    name = f"{APP}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if sys.platform == "win32":
        return name
    return str((Path(runtime) if os.path.isabs(runtime) else folder) / name)


def user_config_dir() -> Path:
    """Of all programs, not only of this one (Linux desktops)."""
    return platformdirs.user_config_path()


def system_config_dirs() -> list[Path]:
    """Where packages and administrators put theirs, the most important first (Linux desktops)."""
    return [Path(folder) for folder in (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if folder]


def applications_dir() -> Path:
    """Where the person's own programs are told to the desktop (Linux desktops)."""
    return platformdirs.user_data_path() / "applications"


def system_applications_dirs() -> list[Path]:
    """Where packages put theirs (Linux desktops)."""
    folders = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [Path(folder) / "applications" for folder in folders.split(":") if folder]


def log_file(profile: str) -> Path:
    """One for each profile: two programs cannot take turns in one that is rotated."""
    name = f"{APP}.log" if profile == "default" else f"{APP}-{profile}.log"
    return _folder(platformdirs.user_log_path(APP, appauthor=False)) / name


def resource(name: str) -> Path:
    """A file of `resources/`: in a frozen bundle, in the wheel, or in a checkout."""
    for folder in _resource_folders():
        found = folder / name
        if found.exists():
            return found
    raise FileNotFoundError(f"resource {name!r} is missing from this installation of {APP}")


def _resource_folders() -> list[Path]:
    here = Path(__file__).resolve().parent
    bundle = getattr(sys, "_MEIPASS", None)
    bundled = [Path(bundle) / "resources"] if bundle else []
    return [*bundled, here / "resources", here.parent / "resources"]


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform != "win32":
        path.chmod(0o700)
    return path
