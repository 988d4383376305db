"""Toasts: once each, never a storm, gone when read elsewhere, ours when the desktop has none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.outbox import Outbox
from crmtray.ui.desktop_toasts import DesktopToasts
from crmtray.ui.sounds import Sound
from crmtray.ui.theme import Theme
from crmtray.ui.toast_card import Card, ToastButton
from crmtray.ui.toast_window import ToastStack
from crmtray.ui.toasts import Toasts
from tests.client.support import NOW, gone, item, page
from tests.ui.support import FakeDesktop, Spawner, bring, fill


class Clock:
    def __init__(self) -> None:
        self.now, self.quiet = NOW, False

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def played() -> list[Sound]:
    return []


@pytest.fixture
def stack(theme: Theme, played: list[Sound]) -> Iterator[ToastStack]:
    stack = ToastStack(theme, play=played.append)
    yield stack
    asyncio.run(stack.close())


@pytest.fixture
def toasts(
    cache: Cache, desktop: FakeDesktop, stack: ToastStack, spawner: Spawner, clock: Clock, qapp: QApplication
) -> Iterator[Toasts]:
    fill(cache, [])
    toasts = Toasts(cache, desktop, stack, spawner, quiet=lambda: clock.quiet, clock=clock)
    yield toasts
    asyncio.run(toasts.close())


def arrive(toasts: Toasts, cache: Cache, *ids: str, first_seq: int = 1, **more: Any) -> None:
    bring(cache, *(item(id, first_seq + at, created_at=toasts._clock(), **more) for at, id in enumerate(ids)))
    toasts.arrived(False)


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


def test_after_an_absence_there_is_one_summary_of_all_its_pages(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, qtbot: QtBot
) -> None:
    for seq in (1, 3, 5):
        long_ago = NOW - timedelta(hours=9)
        bring(cache, *(item(f"n{number}", number, created_at=long_ago) for number in (seq, seq + 1)))
        toasts.arrived(True)
    qtbot.waitUntil(lambda: bool(desktop.cards))
    [card] = desktop.cards.values()
    assert card.title == "6 notificaciones nuevas" and card.body == "6 leads calientes"
    opened: list[object] = []
    toasts.opened.connect(opened.append)
    card.buttons[0].pressed()
    assert card.buttons[0].label == "Abrir" and opened == [None]


def test_a_storm_is_three_toasts_and_one_summary_that_grows(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, clock: Clock
) -> None:
    for number in range(20):
        arrive(toasts, cache, f"n{number:02}", first_seq=number + 1)
        clock.advance(seconds=0.5)
    assert set(desktop.cards) == {"n00", "n01", "n02", "summary"}
    assert desktop.cards["summary"].body == "17 leads calientes"


def test_the_rest_of_one_is_told_by_its_title_and_opens_it(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    arrive(toasts, cache, "a", "b", "c")
    arrive(toasts, cache, "d", first_seq=4)
    card = desktop.cards["summary"]
    assert (card.title, card.body) == ("1 notificación más", "Lead caliente: Ana Pérez quiere comprar")
    opened: list[object] = []
    toasts.opened.connect(opened.append)
    card.clicked()
    assert opened == ["d"]


def test_urgent_ones_stay_and_a_fourth_joins_the_summary(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, clock: Clock
) -> None:
    for number, id in enumerate("abcde"):
        arrive(toasts, cache, id, first_seq=number + 1, priority="urgent")
        clock.advance(minutes=1)
    assert [card.urgency for card in desktop.cards.values()] == ["critical"] * 3 + ["normal"]
    assert [card.seconds for card in desktop.cards.values()][:3] == [None] * 3
    desktop.closed("a")
    arrive(toasts, cache, "f", first_seq=6, priority="urgent")
    assert desktop.cards["f"].urgency == "critical"


def test_a_snoozed_item_that_comes_back_is_told_again_unless_silent(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, clock: Clock, outbox: Outbox
) -> None:
    arrive(toasts, cache, "a")
    bring(cache, item("s", 2, created_at=NOW, silent=True))
    for id in ("a", "s"):
        outbox.snooze(id, NOW + timedelta(hours=1))
    toasts.changed({"a", "s"})
    assert desktop.withdrawn == ["a"]
    clock.advance(hours=1)
    cache.wake(now=clock())
    toasts.arrived(False)
    assert list(desktop.cards) == ["a"]


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


def test_it_goes_when_another_device_removed_it_and_a_summary_when_all_its_items_went(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop
) -> None:
    arrive(toasts, cache, "a", "b", "c", "d")
    for number, id in enumerate("abcd"):
        assert list(desktop.cards) == ["summary"]
        cache.apply(page(gone(id, 5 + number)), now=NOW)
        toasts.changed({id})
    assert desktop.withdrawn == ["summary"]


def test_what_was_read_before_its_turn_never_comes_up(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, outbox: Outbox
) -> None:
    work: list[Any] = []
    toasts._spawn = lambda task, name: work.append(task)
    arrive(toasts, cache, "a")
    outbox.mark_read("a")
    toasts.changed({"a"})
    for task in work:
        asyncio.run(task)
    assert desktop.cards == {}


def test_a_center_that_opens_shows_them_itself(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, qtbot: QtBot
) -> None:
    center = QWidget()
    qtbot.addWidget(center)
    toasts.give_way_to(center)
    arrive(toasts, cache, "a", priority="urgent")
    toasts.notice("El servidor no aceptó los datos.")
    center.show()
    assert desktop.withdrawn == ["a"] and len(desktop.cards) == 1
    arrive(toasts, cache, "b", first_seq=2)
    assert "b" in desktop.cards


# --- do not disturb, again, and sounds --------------------------------------------------------------------------


def test_in_do_not_disturb_nothing_comes_and_its_end_tells_it_in_one(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, clock: Clock, outbox: Outbox
) -> None:
    clock.quiet = True
    arrive(toasts, cache, "a", priority="urgent")
    arrive(toasts, cache, "b", "read", first_seq=2, type="unanswered_conversation")
    outbox.mark_read("read")
    assert desktop.cards == {}
    clock.advance(hours=12)
    clock.quiet = False
    toasts.quiet_ended()
    [card] = desktop.cards.values()
    assert (card.title, card.body) == ("Mientras no molestaban", "1 lead caliente, 1 sin responder")
    desktop.cards.clear()
    toasts.quiet_ended()
    assert desktop.cards == {}


def test_a_quiet_time_without_news_ends_without_a_word(toasts: Toasts, cache: Cache, desktop: FakeDesktop) -> None:
    toasts.quiet_ended()
    assert desktop.cards == {}


def repeating(toasts: Toasts) -> None:
    toasts.configure(ClientConfig(repeat_urgent=True, repeat_urgent_minutes=5))


def test_an_urgent_one_comes_again_three_times_in_the_place_of_the_earlier(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, clock: Clock
) -> None:
    repeating(toasts)
    arrive(toasts, cache, "a", priority="urgent")
    arrive(toasts, cache, "calm", first_seq=2)
    times = 0
    for _ in range(10):
        desktop.cards.clear()
        clock.advance(minutes=5)
        toasts.repeat()
        times += list(desktop.cards) == ["a"]
    assert times == 3


@pytest.mark.parametrize("why", ["read", "quiet", "off"])
def test_it_does_not_come_again(
    why: str, toasts: Toasts, cache: Cache, desktop: FakeDesktop, clock: Clock, outbox: Outbox
) -> None:
    if why != "off":
        repeating(toasts)
    arrive(toasts, cache, "a", priority="urgent")
    desktop.cards.clear()
    if why == "read":
        outbox.mark_read("a")
    clock.quiet = why == "quiet"
    clock.advance(minutes=6)
    toasts.repeat()
    assert desktop.cards == {}


def test_how_often_it_came_holds_over_a_restart(
    cache: Cache, desktop: FakeDesktop, stack: ToastStack, spawner: Spawner, clock: Clock, qapp: QApplication
) -> None:
    fill(cache, [])
    times = 0
    for start in range(4):
        toasts = Toasts(cache, desktop, stack, spawner, clock=clock)
        repeating(toasts)
        if start == 0:
            arrive(toasts, cache, "a", priority="urgent")
        desktop.cards.clear()
        toasts.repeat()
        assert desktop.cards == {}, "a start is no reason to be told again"
        for _ in range(2):
            clock.advance(minutes=5)
            toasts.repeat()
            times += list(desktop.cards) == ["a"]
            desktop.cards.clear()
        asyncio.run(toasts.close())
    assert times == 3 and cache.told == {}


def test_sounds_follow_the_priority_one_at_a_time_and_can_be_off(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, clock: Clock
) -> None:
    def sound(id: str) -> str | None:
        made = desktop.cards[id].sound
        return None if made is None else made.resource

    arrive(toasts, cache, "a", "b", priority="urgent")
    assert sound("a") == "sounds/urgent.wav" and sound("b") is None
    clock.advance(minutes=1)
    arrive(toasts, cache, "c", first_seq=3, priority="low")
    assert sound("c") is None and desktop.cards["c"].urgency == "low"
    toasts.configure(ClientConfig(sounds=False))
    clock.advance(minutes=1)
    desktop.closed("a")
    arrive(toasts, cache, "d", first_seq=4)
    assert sound("d") is None


# --- without a service ------------------------------------------------------------------------------------------


def test_a_service_that_dies_with_toasts_on_the_screen_loses_none_that_still_waits(
    toasts: Toasts, cache: Cache, desktop: FakeDesktop, stack: ToastStack, outbox: Outbox, clock: Clock
) -> None:
    arrive(toasts, cache, "late")
    clock.advance(minutes=1)
    arrive(toasts, cache, "a", "read", first_seq=2, priority="urgent")
    outbox.mark_read("read")
    desktop.works = False
    desktop.lost(["late", "a", "read"])
    assert list(stack.windows) == ["a"]
    desktop.works = True
    arrive(toasts, cache, "b", first_seq=4)
    assert "b" in desktop.cards and list(stack.windows) == ["a"]
    outbox.mark_read("a")
    toasts.changed({"a"})
    assert stack.windows == {}


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


# --- beside the center ------------------------------------------------------------------------------------------


@pytest.fixture
def center(stack: ToastStack, qtbot: QtBot) -> QWidget:
    """Where a click on a tray icon at the lower right opens it."""
    center = QWidget(None, Qt.WindowType.Tool | Qt.WindowType.FramelessWindowHint)
    qtbot.addWidget(center)
    free = center.screen().availableGeometry()
    center.setGeometry(free.right() - 400, free.bottom() - 500, 384, 492)
    stack.give_way_to(center)
    return center


def test_an_own_window_is_never_over_the_open_center(stack: ToastStack, center: QWidget) -> None:
    asyncio.run(stack.show(card("before", seconds=None)))
    usual = stack.windows["before"].geometry()
    center.show()
    assert not stack.windows["before"].geometry().intersects(center.frameGeometry())
    asyncio.run(stack.show(card("after", seconds=None)))
    windows = list(stack.windows.values())
    free = center.screen().availableGeometry()
    assert all(free.contains(window.geometry()) for window in windows)
    assert not any(window.geometry().intersects(center.frameGeometry()) for window in windows)
    center.move(free.left() + 20, free.top() + 20)
    assert stack.windows["after"].geometry() == usual
    center.move(free.right() - 400, free.bottom() - 500)
    center.close()
    assert stack.windows["after"].geometry() == usual


@pytest.mark.parametrize("again", [False, True])
def test_while_the_center_is_in_use_it_is_told_there(
    again: bool,
    cache: Cache,
    desktop: FakeDesktop,
    stack: ToastStack,
    spawner: Spawner,
    clock: Clock,
    played: list[Sound],
) -> None:
    fill(cache, [])
    in_use, told = not again, list[tuple[str, object]]()
    toasts = Toasts(cache, desktop, stack, spawner, looked_at=lambda: in_use, play=played.append, clock=clock)
    toasts.seen.connect(lambda title, id: told.append((title, id)))
    repeating(toasts)
    desktop.works = again
    arrive(toasts, cache, "a", priority="urgent")
    if again:
        in_use = True
        desktop.cards.clear()
        clock.advance(minutes=5)
        toasts.repeat()
    assert told == [("Lead caliente", "a")] and [sound.resource for sound in played] == ["sounds/urgent.wav"]
    assert stack.windows == {} and desktop.cards == {}
    in_use = False
    clock.advance(minutes=5)
    toasts.repeat()
    assert "a" in (desktop.cards if again else stack.windows), "it is still unread"
    asyncio.run(toasts.close())


# --- our own windows -------------------------------------------------------------------------------------------


def card(key: str = "k", *, seconds: float | None = 10.0, title: str = "Título", body: str = "Texto") -> Card:
    buttons = (ToastButton("Abrir", lambda: None),)
    return Card(key, "hot_lead", title, body, buttons, lambda: None, "normal", seconds)


def work_on_something_else(qtbot: QtBot) -> None:
    """Without a window manager every window that comes up is the active one."""
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    qtbot.waitUntil(other.isActiveWindow)


def test_own_windows_go_by_themselves_unless_the_pointer_is_on_them(stack: ToastStack, qtbot: QtBot) -> None:
    asyncio.run(stack.show(card("held", seconds=0.05)))
    asyncio.run(stack.show(card("free", seconds=0.05)))
    work_on_something_else(qtbot)
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
    assert all(window.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating) for window in windows)
    assert not any(one.geometry().intersects(two.geometry()) for one in windows for two in windows if one is not two)
    free = windows[0].screen().availableGeometry()
    assert all(free.contains(window.geometry()) for window in windows)


def test_own_windows_show_text_as_it_is(stack: ToastStack) -> None:
    asyncio.run(stack.show(card(title="<b>x</b>", body="<img src=x>")))
    labels = stack.windows["k"].findChildren(QLabel)
    assert {"<b>x</b>", "<img src=x>"} <= {label.text() for label in labels}
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels if label.text())


def test_an_urgent_own_window_stays_and_gives_way_last(stack: ToastStack) -> None:
    asyncio.run(stack.show(card("urgent", seconds=None)))
    for number in range(5):
        asyncio.run(stack.show(card(f"k{number}")))
    assert list(stack.windows) == ["urgent", "k2", "k3", "k4"]
    assert not stack.windows["urgent"]._timer.isActive() and stack.windows["k4"]._timer.isActive()


def test_an_urgent_own_window_says_so(stack: ToastStack) -> None:
    asyncio.run(stack.show(replace(card("urgent"), urgency="critical")))
    asyncio.run(stack.show(card("calm")))
    words = {key: {label.text() for label in window.findChildren(QLabel)} for key, window in stack.windows.items()}
    assert "Urgente" in words["urgent"] and "Urgente" not in words["calm"]


def test_own_windows_close_by_key_and_open_by_key(stack: ToastStack) -> None:
    clicked: list[str] = []
    for key in ("closed", "opened"):
        asyncio.run(stack.show(replace(card(key), clicked=lambda: clicked.append("opened"))))
    told: list[str] = []
    stack.closed = told.append
    QTest.keyClick(stack.windows["closed"], Qt.Key.Key_Escape)
    QTest.keyClick(stack.windows["opened"], Qt.Key.Key_Return)
    assert stack.windows == {} and clicked == ["opened"] and told == ["closed", "opened"]


def test_labels_of_buttons_are_never_cut(stack: ToastStack) -> None:
    labels = ("Responder", "Marcar como contactado", "Reasignar a otra persona")
    buttons = tuple(ToastButton(label, lambda: None) for label in labels)
    asyncio.run(stack.show(replace(card(), buttons=buttons)))
    window = stack.windows["k"]
    assert all(button.width() >= button.sizeHint().width() for button in window.buttons)
    assert all(window.rect().contains(button.geometry()) for button in window.buttons)


def test_own_windows_make_the_sound_of_the_card(stack: ToastStack, played: list[Sound]) -> None:
    sound = Sound("dialog-warning", "", "sounds/urgent.wav")
    asyncio.run(stack.show(replace(card(), sound=sound)))
    asyncio.run(stack.show(card("silent")))
    assert played == [sound]


# --- Windows and macOS ------------------------------------------------------------------------------------------


class FakeNotifier:
    """desktop-notifier's DesktopNotifier on a system that is not here, with each of its traps at will."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.cleared: list[str] = []
        self.fault = ""

    async def get_capabilities(self) -> frozenset[str]:
        if self.fault == "absent":
            raise OSError("no notification service")
        return frozenset()

    async def send(self, **given: Any) -> str:
        if self.fault == "hangs":
            await asyncio.Event().wait()
        if self.fault != "swallows":
            self.sent.append(given)
            given["on_dispatched"]()
        return f"id{len(self.sent)}"

    async def clear(self, identifier: str) -> None:
        self.cleared.append(identifier)


def service(*notifiers: FakeNotifier, clock: Any = lambda: 0.0) -> DesktopToasts:
    made = iter(notifiers)
    return DesktopToasts(Path("icon.png"), make=lambda icon: next(made), limit=0.05, clock=clock)


@pytest.mark.parametrize("fault", ["absent", "swallows", "hangs"])
async def test_a_failure_the_library_hides_is_seen_and_it_is_tried_again_later(fault: str) -> None:
    broken, fresh = FakeNotifier(), FakeNotifier()
    broken.fault = fault
    now = [0.0]
    desktop = service(broken, fresh, clock=lambda: now[0])
    assert not await desktop.show(card())
    assert not await desktop.show(card())
    now[0] = 31.0
    assert await desktop.show(card()) and len(fresh.sent) == 1


async def test_it_is_withdrawn_by_its_key_once() -> None:
    notifier = FakeNotifier()
    desktop = service(notifier)
    await desktop.show(card("a"))
    await desktop.withdraw("a")
    await desktop.withdraw("a")
    assert notifier.cleared == ["id1"]


async def test_another_under_the_same_key_takes_its_place() -> None:
    notifier = FakeNotifier()
    desktop = service(notifier)
    await desktop.show(card("a"))
    await desktop.show(card("a", body="Otro"))
    assert notifier.cleared == ["id1"] and [given["message"] for given in notifier.sent] == ["Texto", "Otro"]


async def test_a_toast_the_person_closed_is_told_and_without_a_sound_it_is_silent() -> None:
    notifier = FakeNotifier()
    desktop = service(notifier)
    closed: list[str] = []
    desktop.closed = closed.append
    await desktop.show(replace(card("a", seconds=None), sound=Sound("bell", "", "sounds/normal.wav")))
    await desktop.show(card("b"))
    notifier.sent[0]["on_dismissed"]()
    assert closed == ["a"]
    assert [(given["timeout"], given["sound"] is None) for given in notifier.sent] == [(-1, False), (10, True)]
