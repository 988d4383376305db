"""Reserving a combination of keys on an X11 desktop, by the display's own library.

Owns a second connection to the display: what arrives on Qt's is Qt's. https://tronche.com/gui/x/xlib/input/XGrabKey.html
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p
from typing import Any

from PySide6.QtCore import QObject, QSocketNotifier, Signal

_HELD = {"Shift": 1, "Ctrl": 4, "Alt": 8, "Meta": 64}
_CAPS_LOCK, _NUM_LOCK = 2, 16
_NAMES = {"Space": "space", "PgUp": "Prior", "PgDown": "Next"}
_PRESS, _RELEASE = 2, 3
_ASYNC = 1
_ErrorHandler = CFUNCTYPE(c_int, c_void_p, c_void_p)


class X11Keys(QObject):
    pressed = Signal()

    def __init__(self) -> None:
        """Raises OSError when there is no display, or not the library."""
        super().__init__()
        self._x = _library()
        self._display = self._x.XOpenDisplay(None)
        if not self._display:
            raise OSError("the display cannot be opened")
        self._root = self._x.XDefaultRootWindow(self._display)
        # A key that is held down would else come as many presses.
        self._x.XkbSetDetectableAutoRepeat(self._display, 1, None)
        self._code, self._down = 0, False
        self._notifier = QSocketNotifier(self._x.XConnectionNumber(self._display), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._read)

    def take(self, held: list[str], key: str) -> bool:
        name = _NAMES.get(key, key.lower() if len(key) == 1 else key)
        self._code = self._x.XKeysymToKeycode(self._display, self._x.XStringToKeysym(name.encode()))
        if not self._code or not self._grabbed(sum(_HELD[word] for word in held)):
            self.give_back()
            return False
        return True

    def give_back(self) -> None:
        if self._code:
            any_modifier = 1 << 15
            self._x.XUngrabKey(self._display, self._code, any_modifier, self._root)
            self._x.XSync(self._display, 0)
        self._code, self._down = 0, False

    def close(self) -> None:
        if self._display:
            self.give_back()
            self._notifier.setEnabled(False)
            self._x.XCloseDisplay(self._display)
            self._display = None

    def _grabbed(self, modifiers: int) -> bool:
        """With and without the two locks, which count as keys that are held."""
        refused: list[int] = []

        def refuse(display: int, error: int) -> int:
            refused.append(error)
            return 0

        handler = _ErrorHandler(refuse)
        before = self._x.XSetErrorHandler(handler)
        try:
            for locks in (0, _CAPS_LOCK, _NUM_LOCK, _CAPS_LOCK | _NUM_LOCK):
                self._x.XGrabKey(self._display, self._code, modifiers | locks, self._root, 0, _ASYNC, _ASYNC)
            self._x.XSync(self._display, 0)  # a refusal comes later than the call
        finally:
            self._x.XSetErrorHandler(before)
        return not refused

    def _read(self) -> None:
        event = (c_long * 24)()
        while self._display and self._x.XPending(self._display):
            self._x.XNextEvent(self._display, byref(event))
            kind = ctypes.cast(event, POINTER(c_int))[0]
            if kind == _PRESS and not self._down:
                self._down = True
                self.pressed.emit()
            elif kind == _RELEASE:
                self._down = False


def _library() -> Any:
    x = ctypes.CDLL("libX11.so.6")
    for name, result, arguments in (
        ("XOpenDisplay", c_void_p, [c_char_p]),
        ("XCloseDisplay", c_int, [c_void_p]),
        ("XDefaultRootWindow", c_ulong, [c_void_p]),
        ("XConnectionNumber", c_int, [c_void_p]),
        ("XkbSetDetectableAutoRepeat", c_int, [c_void_p, c_int, c_void_p]),
        ("XStringToKeysym", c_ulong, [c_char_p]),
        ("XKeysymToKeycode", c_int, [c_void_p, c_ulong]),
        ("XGrabKey", c_int, [c_void_p, c_int, c_uint, c_ulong, c_int, c_int, c_int]),
        ("XUngrabKey", c_int, [c_void_p, c_int, c_uint, c_ulong]),
        ("XSync", c_int, [c_void_p, c_int]),
        ("XPending", c_int, [c_void_p]),
        ("XNextEvent", c_int, [c_void_p, c_void_p]),
        ("XSetErrorHandler", c_void_p, [c_void_p]),
    ):
        function = getattr(x, name)
        function.restype, function.argtypes = result, arguments
    return x
