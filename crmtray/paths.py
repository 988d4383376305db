"""Where things are: data, configuration, logs, and the files that come with the program.

The only module that knows the places. Folders are made 0700: other accounts of the machine have no business in them.
"""

from __future__ import annotations

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


def log_dir() -> Path:
    return _folder(platformdirs.user_log_path(APP, appauthor=False))


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
