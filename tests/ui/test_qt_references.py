"""Guards against a Qt that loses references to None and True and aborts the process after some thousand calls.

PySide6 6.12.0 does on Python 3.10 and 3.11: each call that returns nothing takes one reference to None too many.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

CALLS = 300


class Emitter(QObject):
    signal = Signal()


def test_calls_into_qt_leave_none_and_true_as_they_are(qapp: QApplication) -> None:
    emitter = Emitter()
    before = sys.getrefcount(None), sys.getrefcount(True)
    for _ in range(CALLS):
        qapp.processEvents()
        emitter.signal.emit()
    after = sys.getrefcount(None), sys.getrefcount(True)
    assert before[0] - after[0] < CALLS / 2 and before[1] - after[1] < CALLS / 2
