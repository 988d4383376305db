"""Reserving a combination of keys on Windows: RegisterHotKey, and the message it sends to this thread.

https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-registerhotkey
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from PySide6.QtCore import QAbstractNativeEventFilter, QCoreApplication, QObject, Signal

_HELD = {"Alt": 1, "Ctrl": 2, "Shift": 4, "Meta": 8}
_NO_REPEAT = 0x4000
_KEYS = {"Space": 0x20, "PgUp": 0x21, "PgDown": 0x22, "End": 0x23, "Home": 0x24, "Insert": 0x2D}
_F1 = 0x70
_WM_HOTKEY = 0x0312
_ID = 1


def virtual_key(key: str) -> int:
    """The system's number of a key; letters and digits have those of their characters."""
    if len(key) == 1:
        return ord(key)
    return _KEYS[key] if key in _KEYS else _F1 + int(key[1:]) - 1


class _Filter(QAbstractNativeEventFilter):
    def __init__(self, keys: WindowsKeys) -> None:
        super().__init__()
        self._keys = keys

    def nativeEventFilter(self, kind: Any, message: int) -> object:
        if sys.platform == "win32":
            from ctypes import wintypes

            told = wintypes.MSG.from_address(int(message))
            if told.message == _WM_HOTKEY and told.wParam == _ID:
                self._keys.pressed.emit()
                return True, 0
        return False, 0


class WindowsKeys(QObject):
    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._taken = False
        self._filter = _Filter(self)
        application = QCoreApplication.instance()
        if application is not None:
            application.installNativeEventFilter(self._filter)

    def take(self, held: list[str], key: str) -> bool:
        if sys.platform == "win32":
            modifiers = sum(_HELD[word] for word in held) | _NO_REPEAT
            self._taken = bool(ctypes.windll.user32.RegisterHotKey(None, _ID, modifiers, virtual_key(key)))
        return self._taken

    def give_back(self) -> None:
        if sys.platform == "win32" and self._taken:
            ctypes.windll.user32.UnregisterHotKey(None, _ID)
        self._taken = False

    def close(self) -> None:
        self.give_back()
        application = QCoreApplication.instance()
        if application is not None:
            application.removeNativeEventFilter(self._filter)
