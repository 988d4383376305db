"""The part of the Windows registry that belongs to the person signed in (HKEY_CURRENT_USER), by three operations.

Nothing else touches `winreg`.
"""

from __future__ import annotations

import sys
from typing import Protocol


class Registry(Protocol):
    """`key` as in `Software\\Classes\\crmtray`; `name` empty: the key's default value. Raises OSError."""

    def get(self, key: str, name: str) -> str | None: ...

    def set(self, key: str, name: str, value: str) -> None: ...

    def delete(self, key: str, name: str) -> None:
        """One that is not there is no error."""


if sys.platform == "win32":
    import contextlib
    import winreg

    class UserRegistry:
        """The real one."""

        def get(self, key: str, name: str) -> str | None:
            try:
                with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                    return str(winreg.QueryValueEx(opened, name)[0])
            except FileNotFoundError:
                return None

        def set(self, key: str, name: str, value: str) -> None:
            with winreg.CreateKey(winreg.HKEY_CURRENT_USER, key) as opened:
                winreg.SetValueEx(opened, name, 0, winreg.REG_SZ, value)

        def delete(self, key: str, name: str) -> None:
            with (
                contextlib.suppress(FileNotFoundError),
                winreg.OpenKey(winreg.HKEY_CURRENT_USER, key, 0, winreg.KEY_SET_VALUE) as opened,
            ):
                winreg.DeleteValue(opened, name)
