"""A combination of keys that reaches crmtray wherever the person is working.

Owns which one is in use, and whether this desktop lets a program reserve one at all. How it is reserved is a matter of
the system: x11_keys and windows_keys.
"""

from __future__ import annotations

import logging
import sys
from typing import Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance
from PySide6.QtGui import QGuiApplication

log = logging.getLogger(__name__)


class Keys(Protocol):
    """At most one combination at a time."""

    pressed: SignalInstance

    def take(self, held: list[str], key: str) -> bool:
        """False: another program has it, or this keyboard has no such key."""

    def give_back(self) -> None: ...

    def close(self) -> None: ...


class Shortcut(QObject):
    pressed = Signal()

    def __init__(self, keys: Keys | None) -> None:
        """`keys` None: this desktop keeps shortcuts to itself (Wayland, macOS)."""
        super().__init__()
        self._keys = keys
        if keys is not None:
            keys.pressed.connect(self.pressed)

    @property
    def available(self) -> bool:
        return self._keys is not None

    def use(self, shortcut: str) -> bool:
        """As the configuration writes it; empty: none. False: it cannot be had."""
        if self._keys is None:
            return not shortcut
        self._keys.give_back()
        if not shortcut:
            return True
        *held, key = shortcut.split("+")
        if self._keys.take(held, key):
            return True
        log.info("the shortcut %s cannot be had", shortcut)
        return False

    def close(self) -> None:
        if self._keys is not None:
            self._keys.close()


def system_keys() -> Keys | None:
    """Of this machine."""
    try:
        if sys.platform == "win32":
            from .windows_keys import WindowsKeys

            return WindowsKeys()
        if QGuiApplication.platformName() == "xcb":
            from .x11_keys import X11Keys

            return X11Keys()
    except OSError as error:
        log.info("no shortcuts on this desktop: %s", error)
    return None
