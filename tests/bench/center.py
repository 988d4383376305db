"""The center over a large cache: how long it takes to open, to search, and to take in a burst of news.

Without a screen, so painting is by Qt's software into memory; the reference is the same Qt painting one full page.
"""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.*=false")

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from crmtray.cache import Cache
from crmtray.protocol import KINDS, PRIORITIES, Change, ChangesPage, Json, Notification, NotificationAction
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

    def news(self, count: int) -> None:
        """One page of the feed: stored, told to the rows, painted. Then Qt's own turn, as between two pages."""
        items = [item(self.number + at + 1, self.chance) for at in range(count)]
        self.number += count
        self.model.refresh(take_in(self.cache, items))
        self.paint()

    def burst(self) -> tuple[float, float]:
        """The whole of it, and the longest the screen had to wait."""
        frames = [timed(partial(self.news, count)) for count in (PAGE, PAGE, BURST - 2 * PAGE)]
        frames.append(timed(self.center._show_counts))
        return sum(frames), max(frames)


async def _nobody(_id: str) -> Json:
    return {}


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
    report("the longest frame of those", list(frames), page)


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
