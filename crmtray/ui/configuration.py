"""The configuration in use while the tray app runs: one value, changed in one place, and every change told.

Owns which configuration counts now. What may stand in it and how it is written is `config`'s; who acts on a change
listens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..config import ClientConfig


class Configuration(QObject):
    changed = Signal(object)
    """The ClientConfig that counts from now on."""

    def __init__(self, value: ClientConfig) -> None:
        super().__init__()
        self.value = value

    def save(self, changes: Mapping[str, Any]) -> None:
        """Raises ConfigError, and then nothing has changed."""
        made = self.value.save(changes)
        if made != self.value:
            self.value = made
            self.changed.emit(made)
