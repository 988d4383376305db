"""What the desktop's settings service says on X11 (XSETTINGS), for programs that do not speak D-Bus.

Reads one whole number at a time; knows no setting. https://specifications.freedesktop.org/xsettings-spec/
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_ulong, c_void_p
from typing import Any

_INTEGER, _STRING, _COLOUR = 0, 1, 2
_MOST = 1 << 16
"""In units of four bytes. A whole desktop's settings are a few thousand bytes."""


def whole_number(name: str) -> int | None:
    """None: there is no display, no such service, or it does not say."""
    try:
        return numbers(_property()).get(name)
    except (OSError, AttributeError, ValueError, struct.error):
        return None


def numbers(data: bytes) -> dict[str, int]:
    """All whole numbers of the property. Raises ValueError or struct.error when it is cut or not one."""
    order = {0: "<", 1: ">"}.get(data[0] if data else 2)
    if order is None:
        raise ValueError("not a list of settings")
    found, at = dict[str, int](), 12
    for _ in range(struct.unpack_from(f"{order}I", data, 8)[0]):
        kind, _pad, length = struct.unpack_from(f"{order}BBH", data, at)
        name = data[at + 4 : at + 4 + length].decode("ascii", "replace")
        at += 4 + _padded(length) + 4  # and the number of its last change
        if kind == _INTEGER:
            found[name] = struct.unpack_from(f"{order}i", data, at)[0]
            at += 4
        elif kind == _STRING:
            at += 4 + _padded(struct.unpack_from(f"{order}I", data, at)[0])
        elif kind == _COLOUR:
            at += 8
        else:
            raise ValueError("a setting of an unknown kind")
    return found


def _padded(length: int) -> int:
    return (length + 3) // 4 * 4


def _property() -> bytes:
    x = _library()
    display = x.XOpenDisplay(None)
    if not display:
        raise OSError("the display cannot be opened")
    try:
        return _read(x, display)
    finally:
        x.XCloseDisplay(display)


def _read(x: Any, display: int) -> bytes:
    screen = x.XDefaultScreen(display)
    selection = x.XInternAtom(display, f"_XSETTINGS_S{screen}".encode(), 0)
    settings = x.XInternAtom(display, b"_XSETTINGS_SETTINGS", 0)
    # Held: a service that ends between the two questions would leave a window that is none, which ends the program.
    x.XGrabServer(display)
    try:
        owner = x.XGetSelectionOwner(display, selection)
        return _bytes_of(x, display, owner, settings) if owner else b""
    finally:
        x.XUngrabServer(display)


def _bytes_of(x: Any, display: int, window: int, name: int) -> bytes:
    kind, form, count, left = c_ulong(), c_int(), c_ulong(), c_ulong()
    value = c_void_p()
    any_type = 0
    answer = (byref(kind), byref(form), byref(count), byref(left), byref(value))
    if x.XGetWindowProperty(display, window, name, 0, _MOST, 0, any_type, *answer) != 0 or not value:
        return b""
    try:
        return ctypes.string_at(value, count.value) if form.value == 8 else b""
    finally:
        x.XFree(value)


def _library() -> Any:
    x = ctypes.CDLL("libX11.so.6")
    display, number = c_void_p, c_ulong
    for name, result, arguments in (
        ("XOpenDisplay", c_void_p, (c_char_p,)),
        ("XCloseDisplay", c_int, (display,)),
        ("XDefaultScreen", c_int, (display,)),
        ("XInternAtom", number, (display, c_char_p, c_int)),
        ("XGrabServer", c_int, (display,)),
        ("XUngrabServer", c_int, (display,)),
        ("XGetSelectionOwner", number, (display, number)),
        ("XFree", c_int, (c_void_p,)),
        (
            "XGetWindowProperty",
            c_int,
            (
                *(display, number, number, c_long, c_long, c_int, number, POINTER(number), POINTER(c_int)),
                *(POINTER(number), POINTER(number), POINTER(c_void_p)),
            ),
        ),
    ):
        function = getattr(x, name)
        function.restype, function.argtypes = result, arguments
    return x
