"""The center over a large cache: how long it takes to open, to search, and to take in a burst of news.

Without a screen, so painting is by Qt's software into memory; the reference is the same Qt painting one full page.
"""

from __future__ import annotations

import asyncio
import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.*=false")

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import qasync  # isort: skip

from crmtray.cache import Cache
from crmtray.protocol import KINDS, PRIORITIES, Change, ChangesPage, Notification, NotificationAction
from crmtray.sync import Reports, Sync
from crmtray.ui.center import Center
from crmtray.ui.models import NotificationModel
from crmtray.ui.theme import Theme

KEPT = 100_000
UNREAD = 500
BURST = 500
PAGE = 200
"""Changes in one page of the feed."""
ROUNDS = 5
NAMES = ("Ana", "Micaela", "Paula", "Bruno", "Carla", "Diego")
BUTTONS = tuple(NotificationAction(label, "view_lead") for label in ("Contactar", "Ver detalles", "Asignar"))
START = datetime.now(UTC) - timedelta(days=90)


def item(number: int, chance: random.Random) -> Notification:
    name = chance.choice(NAMES)
    return Notification(
        id=f"n{number}", seq=number, type=chance.choice(KINDS), title="🔥 Lead Caliente Detectado",
        message=f"Lead {number} de Meta Ads con 85% probabilidad de conversión",
        data={"lead_name": f"{name} Gómez", "phone_number": f"+54911{number:08}"}, actions=BUTTONS,
        priority=chance.choice(PRIORITIES), created_at=START + timedelta(seconds=60 * number),
        read=number <= KEPT - UNREAD,
    )  # fmt: skip


def take_in(cache: Cache, items: list[Notification], *, reset: bool = False) -> set[str]:
    changes = tuple(Change(one.seq, one.id, one) for one in items)
    page = ChangesPage("bench", items[-1].seq, changes, False, reset, 0)
    return cache.apply(page, now=datetime.now(UTC), live=not reset).changed


def fill(cache: Cache) -> None:
    chance = random.Random(7)
    for first in range(1, KEPT, 5000):
        take_in(cache, [item(number, chance) for number in range(first, first + 5000)], reset=first == 1)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def report(what: str, figures: list[float], page: float) -> None:
    middle, worst = statistics.median(figures), max(figures)
    print(f"{what}: {middle:.3g} ms, at worst {worst:.3g}; {middle / page:.1f} times painting one page", flush=True)


class Bench:
    def __init__(self, cache: Cache) -> None:
        self.cache, self.number, self.chance = cache, KEPT, random.Random(11)
        self.model = NotificationModel(cache)
        self.center = Center(self.model, Theme(app()), _nobody, lambda work, name: work.close())
        self.center.set_loaded(True)

    def paint(self) -> None:
        self.center.grab()
        QApplication.processEvents()

    def open(self) -> None:
        self.center.open()
        self.paint()

    def search(self, words: str) -> None:
        self.center.header.search.setText(words)
        self.center.header._narrow()
        self.paint()

    def searches(self, words: str) -> list[float]:
        figures = []
        for _ in range(ROUNDS):
            self.search("")
            figures.append(timed(lambda: self.search(words)))
        return figures

    def burst(self) -> tuple[float, float]:
        """From the feed's answer until all is stored, told to the rows and painted; and the longest that Qt's loop had
        to wait for its turn meanwhile."""
        loop = qasync.QEventLoop(app(), already_running=False)
        try:
            figures: tuple[float, float] = loop.run_until_complete(self._burst())
            return figures
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    async def _burst(self) -> tuple[float, float]:
        feed = Feed([item(self.number + at + 1, self.chance) for at in range(BURST)])
        self.number += BURST
        reports = Reports(self.model.refresh, _ignore, _ignore, _ignore)
        sync = Sync(self.cache, feed.changes, _nobody, reports, poll_seconds=3600)
        running = asyncio.ensure_future(sync.run())
        turns, start = Turns(), time.perf_counter()
        await sync.pull_now()
        self.center._show_counts()
        self.center.repaint()
        await asyncio.sleep(0)
        whole = (time.perf_counter() - start) * 1e3
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return whole, turns.end()


class Feed:
    """The server's answers, a page at a time."""

    def __init__(self, items: list[Notification]) -> None:
        self._items = items

    async def changes(self, _cursor: object) -> ChangesPage:
        page, self._items = self._items[:PAGE], self._items[PAGE:]
        changes = tuple(Change(one.seq, one.id, one) for one in page)
        return ChangesPage("bench", page[-1].seq, changes, bool(self._items), False, 0)


class Turns:
    """How long Qt's loop went without a turn, at the longest."""

    def __init__(self) -> None:
        self._worst, self._last = 0.0, time.perf_counter()
        self._timer = QTimer(interval=0)
        self._timer.timeout.connect(self._turn)
        self._timer.start()

    def _turn(self) -> None:
        now = time.perf_counter()
        self._worst, self._last = max(self._worst, now - self._last), now

    def end(self) -> float:
        self._turn()
        self._timer.stop()
        return self._worst * 1e3


async def _nobody(_what: object) -> Any:
    return {}


def _ignore(*_told: object) -> None: ...


def app() -> QApplication:
    found = QApplication.instance()
    return found if isinstance(found, QApplication) else QApplication([])


def measure(bench: Bench) -> None:
    center = bench.center
    bench.open()
    page = statistics.median(timed(bench.paint) for _ in range(ROUNDS))
    print(f"{KEPT} items kept; painting one page: {page:.3g} ms")
    opened = []
    for _ in range(ROUNDS):
        center.close()
        opened.append(timed(bench.open))
    report("opened and painted", opened, page)
    center.header.search_button.setChecked(True)
    for words in ("p", "lead", "lead meta", "micaela gomez", "00099999", "nada de esto"):
        report(f"searched for {words!r} and painted", bench.searches(words), page)
    center.header.stop_search()
    center.list.scrollToBottom()
    report("scrolled by a page", [timed(lambda: _scroll(bench)) for _ in range(4 * ROUNDS)], page)
    center.list.scrollToTop()
    whole, frames = zip(*(bench.burst() for _ in range(ROUNDS)), strict=True)
    report(f"{BURST} changes stored and painted", list(whole), page)
    report("the longest that the window stood still meanwhile", list(frames), page)


def _scroll(bench: Bench) -> None:
    bar = bench.center.list.verticalScrollBar()
    bar.setValue(bar.value() + bar.pageStep())
    bench.paint()


def main() -> None:
    application = app()
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache.open(Path(folder) / "cache.db")
        try:
            fill(cache)
            bench = Bench(cache)
            QTest.qWait(1)
            measure(bench)
            bench.center.close()
        finally:
            cache.close()
    application.quit()


if __name__ == "__main__":
    main()
