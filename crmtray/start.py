"""Starting the tray app, from what the desktop asked for to its exit status.

Logins, launchers and links start us in three forms only, understood here without the library of the command line: that
takes as long to load as all else until the icon is there, and would stay in memory as long as the program runs. Owns
what has to be there before Qt is; every other word on the command line is for `command_line`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .failure import Failure
from .links import is_link, notification_id

if TYPE_CHECKING:
    from .config import ClientConfig


@dataclass(frozen=True, slots=True)
class Start:
    """What `launch` and desktop entries write. `link`: one of ours, to open the center at."""

    profile: str | None = None
    minimized: bool = False
    link: str | None = None

    def run(self) -> int:
        return in_sight(self._run)

    def _run(self) -> int:
        config = configuration(server=None, profile=self.profile, log_level=None)
        notification = None if self.link is None else notification_id(self.link)
        return run_tray(config, self.minimized, notification)


def understood(words: Sequence[str]) -> Start | None:
    """None: there is more in it than a start of the tray app."""
    profile, rest = None, list(words)
    if len(rest) > 1 and rest[0] == "--profile" and not rest[1].startswith("-"):
        profile, rest = rest[1], rest[2:]
    if rest[:1] == ["--"]:
        rest = rest[1:]
        if not rest or not is_link(rest[0]):
            return None
    if not rest:
        return Start(profile)
    if rest == ["--minimized"]:
        return Start(profile, minimized=True)
    return Start(profile, link=rest[0]) if len(rest) == 1 and is_link(rest[0]) else None


def configuration(**given: Any) -> ClientConfig:
    """What files and the environment say, and what was given on the command line. Logging begins here."""
    from .config import ConfigError, load
    from .log_file import log_to_stderr
    from .paths import config_file, policy_file

    try:
        config = load(config_file(), policy=policy_file(), **given)
    except ConfigError as error:
        raise Failure(str(error)) from error
    log_to_stderr(config.log_level)
    for sentence in config.overruled:
        logging.getLogger("crmtray.config").warning(sentence)
    return config


def in_sight(start: Callable[[], int]) -> int:
    """The desktop starts us without a terminal: then what went wrong is said in a window too."""
    try:
        return start()
    except (Failure, ValueError) as error:
        if "--debug" in sys.argv[1:] or sys.stderr.isatty() or not qt_works():
            raise
        print(f"crmtray: {error}", file=sys.stderr, flush=True)
        from .ui.app import show_failure

        show_failure(error)
        return 1


def run_tray(config: ClientConfig, minimized: bool, notification: str | None = None) -> int:
    if not has_display():
        raise Failure("there is no display for the tray app; use `crmtray listen` to see alerts in a terminal")
    _need_qt()
    from .crash import catch_faults, write_reports
    from .log_file import log_to_file
    from .paths import log_file

    # The tray app has no terminal to complain to.
    path = log_file(config.profile)
    log_to_file(path)
    catch_faults()
    write_reports(path)
    from .ui.app import run

    try:
        return run(config, minimized=minimized, notification=notification)
    except (Failure, ValueError):
        raise
    except Exception:
        logging.getLogger("crmtray").critical("crmtray ended by a fault", exc_info=True)
        raise


# --- surroundings ----------------------------------------------------------------------------------------------


def has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def has_qt() -> bool:
    return importlib.util.find_spec("PySide6") is not None


def qt_works() -> bool:
    """Asked of a process of its own: without its system libraries Qt does not raise, it aborts."""
    if not has_display() or not has_qt():
        return False
    if getattr(sys, "frozen", False):
        return True
    import subprocess

    probe = "from PySide6.QtWidgets import QApplication; QApplication([])"
    try:
        done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _need_qt() -> None:
    if not has_qt():
        raise Failure("PySide6 is not installed; install crmtray[client], or use `crmtray listen`")
