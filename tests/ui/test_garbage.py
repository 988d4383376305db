"""Windows that nobody refers to any more are destroyed on their own thread, whatever a worker allocates."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from crmtray.ui.garbage import Garbage, collect


class Window(QObject):
    """With a timer, which minds, and a reference to itself, which only the collector undoes."""

    def __init__(self, ends: list[str]) -> None:
        super().__init__()
        self.me = self
        self.timer = QTimer(self)
        self.timer.start(10_000)
        weakref.finalize(self, lambda: ends.append(threading.current_thread().name))


@pytest.fixture
def collected_here(qapp: QApplication) -> Iterator[None]:
    garbage = Garbage(qapp)
    yield
    garbage.deleteLater()


def allocate() -> None:
    """Enough to have the collector run, were it on."""
    kept = [[n] for n in range(200_000)]
    assert len(kept) == 200_000


def test_a_worker_does_not_destroy_windows(collected_here: None) -> None:
    assert not gc.isenabled()
    ends: list[str] = []
    for _ in range(50):
        Window(ends)
    worker = threading.Thread(target=allocate, name="keyring")
    worker.start()
    worker.join()
    assert ends == []
    allocate()
    collect()
    collect()
    gc.collect()
    assert set(ends) == {threading.main_thread().name} and len(ends) == 50


def test_it_is_collected_from_time_to_time(collected_here: None, qtbot: object) -> None:
    ends: list[str] = []
    Window(ends)
    kept = [[n] for n in range(2_000)]
    qtbot.waitUntil(lambda: len(ends) == 1, timeout=5000)  # type: ignore[attr-defined]
    assert len(kept) == 2_000
