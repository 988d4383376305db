"""The languages of the person, as the system has them, for programs without Qt.

Must agree with what Qt says of the same machine (`QLocale.system().uiLanguages()`), or the terminal would speak another
language than the tray.
"""

from __future__ import annotations

import ctypes
import os
import plistlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .words import SPANISH, SPOKEN

_MAC_PREFERENCES = Path("Library", "Preferences", ".GlobalPreferences.plist")
_MUI_LANGUAGE_NAME = 8


def language_of(names: Sequence[str]) -> str:
    """The first that the program speaks; Spanish when it is none of them."""
    codes = (name.replace("_", "-").partition("-")[0].lower() for name in names)
    return next((code for code in codes if code in SPOKEN), SPANISH)


def system_language() -> str:
    if sys.platform == "win32":
        return language_of(_of_windows(ctypes.windll.kernel32))
    return language_of(of_mac(Path.home()) if sys.platform == "darwin" else of_environment(os.environ))


def of_environment(environment: Mapping[str, str]) -> Sequence[str]:
    """In the order in which the C library and Qt look at them."""
    if languages := environment.get("LANGUAGE"):
        return languages.split(":")
    names = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return [next((name for name in names if name), "").partition(".")[0]]


def of_mac(home: Path) -> Sequence[str]:
    try:
        kept = plistlib.loads((home / _MAC_PREFERENCES).read_bytes())
    except (OSError, ValueError):
        return []
    names = kept.get("AppleLanguages") if isinstance(kept, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _of_windows(kernel: ctypes.CDLL) -> Sequence[str]:
    """See GetUserPreferredUILanguages: names that end with a zero each."""
    count, size = ctypes.c_ulong(), ctypes.c_ulong()
    ask = kernel.GetUserPreferredUILanguages
    if not ask(_MUI_LANGUAGE_NAME, ctypes.byref(count), None, ctypes.byref(size)):
        return []
    names = ctypes.create_unicode_buffer(size.value)
    if not ask(_MUI_LANGUAGE_NAME, ctypes.byref(count), names, ctypes.byref(size)):
        return []
    return [name for name in "".join(names[: size.value]).split("\0") if name]
