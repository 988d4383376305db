"""When the machine wakes up again, as the system tells it: sooner than a clock that jumped would show.

Owns the subscription to logind (Linux). Where there is none, the session's heartbeat still notices.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import SLOT, QObject, Signal, Slot

MANAGER = "org.freedesktop.login1.Manager"
PLACE = "/org/freedesktop/login1"


class Power(QObject):
    resumed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        if sys.platform.startswith("linux"):
            self._listen()

    def _listen(self) -> None:
        from PySide6.QtDBus import QDBusConnection

        bus = QDBusConnection.systemBus()
        if bus.isConnected():
            # No sender is named: logind may start later than we do, and only it may send this on the system's bus.
            bus.connect("", PLACE, MANAGER, "PrepareForSleep", self, SLOT("_prepare(bool)"))  # type: ignore[call-overload]  # it takes text only

    @Slot(bool)
    def _prepare(self, begins: bool) -> None:
        if not begins:
            self.resumed.emit()
