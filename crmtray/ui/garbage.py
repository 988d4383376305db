"""Python's cycle collector, on the thread of the windows and nowhere else.

It runs in whichever thread happens to allocate, and destroys there what nobody refers to any more. A window destroyed
by a worker (the keyring's, the cache check's) takes the process with it: Qt's objects belong to their thread.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

MILLISECONDS = 1000


class Garbage(QObject):
    """From now on it is collected here, as long as the application lives."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self, interval=MILLISECONDS)
        self._timer.timeout.connect(collect)
        self._timer.start()


def collect() -> None:
    """What Python would have collected by itself: the youngest generation mostly, the others when they are full."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    for generation in (2, 1, 0):
        if counts[generation] > thresholds[generation]:
            gc.collect(generation)
            return
