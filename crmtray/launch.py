"""How this program is started again: by the login of the desktop, or by a link.

Knows the two forms, a bundle and a Python with the package in it, and nothing about who starts it.
"""

from __future__ import annotations

import sys
from pathlib import Path

DEFAULT_PROFILE = "default"


def command(*arguments: str, profile: str = DEFAULT_PROFILE) -> list[str]:
    """The words of the command line that starts this very installation, with this profile."""
    which = [] if profile == DEFAULT_PROFILE else ["--profile", profile]
    return [*_program(), *which, *arguments]


def _program() -> list[str]:
    if getattr(sys, "frozen", False):
        return [sys.executable]
    # -P: a crmtray folder where the desktop happens to start us must not be run instead.
    return [_interpreter(), "-P", "-m", "crmtray"]


def _interpreter() -> str:
    """On Windows the one without a black window."""
    windowless = Path(sys.executable).with_name("pythonw.exe")
    return str(windowless) if sys.platform == "win32" and windowless.exists() else sys.executable
