"""Toasts: once each, never a storm, gone when read elsewhere, ours when the desktop has none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.outbox import Outbox
from crmtray.ui.desktop_toasts import DesktopToasts
from crmtray.ui.theme import Theme
from crmtray.ui.toast_card import Card, ToastButton
from crmtray.ui.toast_window import ToastStack
from crmtray.ui.toasts import Toasts
from tests.client.support import NOW, item, wait_until
from tests.ui.support import FakeDesktop, Spawner, bring, fill


@pytest.fixture
def stack(theme: Theme) -> Iterator[ToastStack]:
    stack = ToastStack(theme)
    yield stack
    asyncio.run(stack.close())


@pytest.fixture
def toasts(cache: Cache, desktop: FakeDesktop, stack: ToastStack, spawner: Spawner, qapp: QApplication) -> Toasts:
    fill(cache, [])
    return Toasts(cache, desktop, stack, spawner, clock=lambda: NOW)


def arrive(toasts: Toasts, cache: Cache, *ids: str, first_seq: int = 1, catching_up: bool = False, **more: Any) -> None:
    bring(cache, *(item(id, first_seq + at, created_at=NOW, **more) for at, id in enumerate(ids)))
    toasts.arrived(catching_up)


def test_each_is_shown_once(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    arrive(toasts, cache, "a", "b")
    assert set(desktop.cards) == {"a", "b"}
    desktop.cards.clear()
    toasts.arrived(False)
    assert desktop.cards == {}


def test_it_is_marked_before_it_is_shown(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    """A crash in between costs a toast; the other way round it would come twice."""
    pending: list[int] = []
    show = desktop.show

    async def look(card: Card) -> bool:
        pending.append(len(cache.pending_toasts(now=NOW)))
        return await show(card)

    desktop.show = look  # type: ignore[method-assign]
    arrive(toasts, cache, "a", priority="urgent")
    assert pending == [0]


def test_after_an_absence_there_is_one_summary(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    arrive(toasts, cache, "a", "b", "c", "d", catching_up=True)
    [card] = desktop.cards.values()
    assert card.title == "4 notificaciones nuevas" and card.body == "4 leads calientes"
    opened: list[object] = []
    toasts.opened.connect(opened.append)
    card.buttons[0].pressed()
    assert card.buttons[0].label == "Abrir" and opened == [None]


def test_a_burst_folds(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    arrive(toasts, cache, "a", "b", "c")
    arrive(toasts, cache, "d", "e", first_seq=4)
    assert len(desktop.cards) == 4 and sum(key.startswith("summary") for key in desktop.cards) == 1


def test_silent_and_old_ones_make_no_toast(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    bring(cache, item("quiet", 1, silent=True, created_at=NOW), item("old", 2, created_at=NOW - timedelta(hours=1)))
    toasts.arrived(False)
    assert desktop.cards == {}


def test_it_goes_when_it_was_read(toasts: Toasts, cache: Cache, desktop: FakeDesktop, outbox: Outbox) -> None:
    arrive(toasts, cache, "a", "b")
    outbox.mark_read("a")
    toasts.changed({"a"})
    assert desktop.withdrawn == ["a"] and set(desktop.cards) == {"b"}


def test_buttons_do_what_those_of_the_center_do(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    arrive(toasts, cache, "a")
    triggered: list[tuple[str, str]] = []
    opened: list[object] = []
    toasts.triggered.connect(lambda id, action: triggered.append((id, action.action)))
    toasts.opened.connect(opened.append)
    card = desktop.cards["a"]
    assert [button.label for button in card.buttons] == ["Contactar", "Abrir"]
    card.buttons[0].pressed()
    card.buttons[1].pressed()
    card.clicked()
    assert triggered == [("a", "contact_lead")] and opened == ["a", "a"]


def test_one_critical_toast_at_a_time(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    arrive(toasts, cache, "a", "b", priority="urgent")
    arrive(toasts, cache, "c", first_seq=3, priority="low")
    assert [desktop.cards[id].urgency for id in "abc"] == ["critical", "normal", "low"]
    assert all(card.seconds > 0 for card in desktop.cards.values())


def test_without_a_service_our_own_window_comes_and_only_that(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, stack: ToastStack
) -> None:
    desktop.works = False
    arrive(toasts, cache, "a")
    assert desktop.cards == {} and list(stack.windows) == ["a"]
    window = stack.windows["a"]
    triggered: list[str] = []
    toasts.triggered.connect(lambda id, action: triggered.append(action.action))
    assert [button.text() for button in window.buttons] == ["Contactar", "Abrir"]
    QTest.mouseClick(window.buttons[0], Qt.MouseButton.LeftButton)
    assert triggered == ["contact_lead"] and stack.windows == {}


def test_a_sentence_of_ours_is_a_toast_too(toasts: Toasts, desktop: FakeDesktop) -> None:
    toasts.notice("El servidor no aceptó los datos.")
    assert [card.body for card in desktop.cards.values()] == ["El servidor no aceptó los datos."]


# --- our own windows -------------------------------------------------------------------------------------------


def card(key: str = "k", *, seconds: float = 10.0, title: str = "Título", body: str = "Texto") -> Card:
    buttons = (ToastButton("Abrir", lambda: None),)
    return Card(key, "hot_lead", title, body, buttons, lambda: None, "normal", seconds)


def test_own_windows_go_by_themselves_unless_the_pointer_is_on_them(stack: ToastStack, qtbot: QtBot) -> None:
    asyncio.run(stack.show(card("held", seconds=0.05)))
    asyncio.run(stack.show(card("free", seconds=0.05)))
    held = stack.windows["held"]
    where = QPointF(5, 5)
    QApplication.sendEvent(held, QEnterEvent(where, where, where))
    qtbot.waitUntil(lambda: "free" not in stack.windows)
    assert held.isVisible()
    QApplication.sendEvent(held, QEvent(QEvent.Type.Leave))
    qtbot.waitUntil(lambda: not stack.windows)


def test_own_windows_do_not_take_the_focus_nor_overlap(stack: ToastStack, qtbot: QtBot) -> None:
    for number in range(6):
        asyncio.run(stack.show(card(f"k{number}")))
    windows = list(stack.windows.values())
    assert list(stack.windows) == ["k2", "k3", "k4", "k5"]
    assert all(window.windowFlags() & Qt.WindowType.WindowDoesNotAcceptFocus for window in windows)
    assert not any(one.geometry().intersects(two.geometry()) for one in windows for two in windows if one is not two)
    free = windows[0].screen().availableGeometry()
    assert all(free.contains(window.geometry()) for window in windows)


def test_own_windows_show_text_as_it_is(stack: ToastStack) -> None:
    from PySide6.QtWidgets import QLabel

    asyncio.run(stack.show(card(title="<b>x</b>", body="<img src=x>")))
    labels = stack.windows["k"].findChildren(QLabel)
    assert {"<b>x</b>", "<img src=x>"} <= {label.text() for label in labels}
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels if label.text())


# --- the desktop's service -------------------------------------------------------------------------------------


class Library:
    """desktop-notifier's DesktopNotifier, as far as it is used, with each of its traps at will."""

    def __init__(self, *, markup: bool = True) -> None:
        self.sent: list[dict[str, Any]] = []
        self.cleared: list[str] = []
        self.hangs = False
        self.swallows = False
        self.absent = False
        self.bus = SimpleNamespace(connected=True, disconnect=lambda: None)
        capabilities = ["actions", "body", *(["body-markup"] if markup else [])]
        self._backend = SimpleNamespace(bus=self.bus, interface=self)
        self._capabilities = capabilities

    async def call_get_capabilities(self) -> list[str]:
        return self._capabilities

    async def get_capabilities(self) -> frozenset[str]:
        if self.absent:
            raise ConnectionError("no bus")
        return frozenset()

    async def send(self, **given: Any) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        if not self.swallows:
            self.sent.append(given)
            given["on_dispatched"]()
        return f"id{len(self.sent)}"

    async def clear(self, identifier: str) -> None:
        self.cleared.append(identifier)


def service(*libraries: Library, clock: Any = lambda: 0.0, limit: float = 0.05) -> DesktopToasts:
    made = iter(libraries)
    return DesktopToasts(Path("icon.png"), make=lambda icon: next(made), limit=limit, clock=clock)


@pytest.mark.parametrize(("markup", "expected"), [(True, "&lt;b&gt;A&lt;/b&gt; &amp; B"), (False, "<b>A</b> & B")])
async def test_the_body_is_escaped_where_it_is_markup(markup: bool, expected: str) -> None:
    library = Library(markup=markup)
    assert await service(library).show(card(body="<b>A</b> & B"))
    assert library.sent[0]["message"] == expected


async def test_a_service_that_hangs_is_given_up_and_tried_again_later() -> None:
    hung, fresh = Library(), Library()
    hung.hangs = True
    now = [0.0]
    desktop = service(hung, fresh, clock=lambda: now[0])
    assert not await desktop.show(card())
    assert not await desktop.show(card())
    now[0] = 31.0
    assert await desktop.show(card()) and len(fresh.sent) == 1


async def test_a_bus_that_died_is_replaced() -> None:
    dead, fresh = Library(), Library()
    desktop = service(dead, fresh)
    assert await desktop.show(card("a"))
    dead.bus.connected = False
    assert await desktop.show(card("b"))
    assert len(dead.sent) == 1 and len(fresh.sent) == 1


@pytest.mark.parametrize("fault", ["absent", "swallows"])
async def test_a_failure_the_library_hides_is_seen(fault: str) -> None:
    library = Library()
    setattr(library, fault, True)
    assert not await service(library).show(card())


async def test_it_is_withdrawn_by_its_key_once() -> None:
    library = Library()
    desktop = service(library)
    await desktop.show(card("a"))
    await desktop.withdraw("a")
    await desktop.withdraw("a")
    assert library.cleared == ["id1"]


async def test_a_critical_one_is_taken_off_by_us() -> None:
    library = Library()
    desktop = service(library)
    await desktop.show(Card("a", "", "t", "b", (), lambda: None, "critical", 0.01))
    await wait_until(lambda: library.cleared, "the end of a critical toast")
    assert library.cleared == ["id1"]
    await desktop.close()
