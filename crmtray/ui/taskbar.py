"""Under which name Windows groups our windows, and takes our toasts for ours.

Owns the call. Without it the taskbar shows Python's icon, and its pin starts Python; the toasts have a name that
nothing in the start menu explains. On other systems the desktop file says all this.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from typing import Protocol

log = logging.getLogger(__name__)

AUMID = "crmtray"
"""That of the shortcut that the installer makes, see packaging/windows."""


class Shell(Protocol):
    """What is used of shell32."""

    def SetCurrentProcessExplicitAppUserModelID(self, id: str, /) -> int: ...


def name_process() -> None:
    """Before the first window, and so before the QApplication."""
    if sys.platform == "win32":
        tell(ctypes.windll.shell32)


def tell(shell: Shell) -> None:
    result = shell.SetCurrentProcessExplicitAppUserModelID(AUMID)
    if result != 0:
        log.info("Windows did not take the name %s: %#x", AUMID, result & 0xFFFFFFFF)
