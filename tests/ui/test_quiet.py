"""Do not disturb: how long, that it survives a restart, that it ends by itself, and that it shows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.ui.quiet import Quiet, moment_of
from crmtray.ui.tray import Tray
from crmtray.ui.tray_icon import SIZES, VIOLET, picture
from tests.client.support import NOW
from tests.ui.test_tray import has


@pytest.fixture(autouse=True)
def buenos_aires(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/Argentina/Buenos_Aires")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


class Clock:
    def __init__(self) -> None:
        self.now = NOW  # noon in Buenos Aires

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("zone", "now", "morning"),
    [
        ("America/Argentina/Buenos_Aires", "2026-02-27T12:00-03:00", "2026-02-28T08:00-03:00"),
        ("America/Argentina/Buenos_Aires", "2026-02-27T07:00-03:00", "2026-02-28T08:00-03:00"),
        ("America/Argentina/Buenos_Aires", "2026-02-28T01:30-03:00", "2026-02-28T08:00-03:00"),
        ("Europe/Madrid", "2026-03-28T20:00+01:00", "2026-03-29T08:00+02:00"),
    ],
)
def test_until_tomorrow_is_eight_on_this_machines_clock(
    zone: str, now: str, morning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert moment_of("tomorrow", datetime.fromisoformat(now)) == datetime.fromisoformat(morning)


def test_it_says_until_when(cache: Cache, clock: Clock, qapp: QApplication) -> None:
    quiet = Quiet(cache, clock=clock)
    assert (quiet.active, quiet.words) == (False, "")
    quiet.choose("half_hour")
    assert (quiet.active, quiet.words, quiet.short) == (True, "No molestar hasta las 12:30", "12:30")
    quiet.choose("hour")
    assert quiet.words == "No molestar hasta las 13:00"
    quiet.choose("tomorrow")
    assert quiet.words == "No molestar hasta mañana a las 8:00"
    quiet.choose("off")
    assert (quiet.active, quiet.words) == (False, "")


def test_it_survives_a_restart_and_ends_by_itself(tmp_path: Path, clock: Clock, qtbot: QtBot) -> None:
    first = Cache.open(tmp_path / "cache.db")
    Quiet(first, clock=clock).choose("hour")
    first.close()
    again = Cache.open(tmp_path / "cache.db")
    quiet = Quiet(again, clock=clock)
    assert quiet.until == NOW + timedelta(hours=1)
    clock.now = NOW + timedelta(minutes=59, seconds=59.9)
    quiet.start()
    with qtbot.waitSignal(quiet.ended):
        clock.now = NOW + timedelta(hours=1)
    assert not quiet.active and again.do_not_disturb == [None, None]
    again.close()


def test_one_that_ended_during_a_sleep_ends_right_after_it(cache: Cache, clock: Clock, qtbot: QtBot) -> None:
    quiet, told = Quiet(cache, clock=clock), list[bool]()
    quiet.ended.connect(lambda: told.append(quiet.active))
    quiet.choose("hour")
    quiet.look()
    assert told == [] and quiet._timer.isActive()
    clock.now += timedelta(hours=7)
    quiet.look()
    assert told == [False] and not quiet._timer.isActive()


def test_one_that_ended_while_the_program_did_not_run_is_told_at_the_start(
    cache: Cache, clock: Clock, qtbot: QtBot
) -> None:
    Quiet(cache, clock=clock).choose("half_hour")
    clock.now = NOW + timedelta(hours=5)
    quiet = Quiet(cache, clock=clock)
    with qtbot.waitSignal(quiet.ended):
        quiet.start()
    assert not quiet.active


def test_the_configurations_moment_holds_until_the_person_chooses(cache: Cache, clock: Clock) -> None:
    evening = NOW + timedelta(hours=6)
    quiet = Quiet(cache, evening, clock=clock)
    assert quiet.until == evening
    quiet.choose("off")
    assert not Quiet(cache, evening, clock=clock).active
    later = evening + timedelta(days=1)
    assert Quiet(cache, later, clock=clock).until == later


def test_the_desktops_own_holds_too_and_its_end_is_the_end_only_when_nothing_else_holds(
    cache: Cache, clock: Clock, qapp: QApplication
) -> None:
    quiet = Quiet(cache, clock=clock)
    ended: list[None] = []
    quiet.ended.connect(lambda: ended.append(None))
    quiet.set_system(True)
    assert (quiet.active, quiet.words, quiet.short) == (True, "No molestar (del sistema)", "")
    quiet.choose("hour")
    quiet.set_system(False)
    assert (quiet.active, ended) == (True, [])
    quiet.choose("off")
    assert ended == [None]


def test_leaving_forgets_it_without_a_word(cache: Cache, clock: Clock, qapp: QApplication) -> None:
    quiet = Quiet(cache, clock=clock)
    quiet.choose("hour")
    ended: list[None] = []
    quiet.ended.connect(lambda: ended.append(None))
    quiet.forget()
    assert not quiet.active and ended == []


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_in_the_icon_at_every_size(qapp: QApplication, size: int) -> None:
    plain, marked = picture(size, 3, "real_time").toImage(), picture(size, 3, "real_time", quiet=True).toImage()
    assert has(marked, VIOLET, left=False) and not has(plain, VIOLET, left=False)


def test_it_shows_in_the_tooltip_and_is_chosen_in_the_menu(qapp: QApplication) -> None:
    tray = Tray()
    chosen: list[str] = []
    tray.quiet_menu.chosen.connect(chosen.append)
    assert not tray.quiet_menu.menuAction().isVisible()
    tray.set_user("Ana")
    tray.set_connection("real_time", "En tiempo real")
    tray.set_quiet("No molestar hasta las 15:30", ours=True)
    assert tray.tooltip == "crmtray — nada sin leer · En tiempo real · No molestar hasta las 15:30"
    entries = [entry for entry in tray.quiet_menu.actions() if entry.isVisible() and entry.isEnabled()]
    for entry in entries:
        entry.trigger()
    assert chosen == ["half_hour", "hour", "tomorrow", "off"]
    assert tray.quiet_menu.title() == "No molestar hasta las 15:30"
    tray.set_quiet("", ours=False)
    assert tray.quiet_menu.title() == "No molestar"
    tray.set_quiet("No molestar (del sistema)", ours=False)
    assert not next(entry for entry in tray.quiet_menu.actions() if entry.text() == "Desactivar").isEnabled()
    tray.set_user(None)
    assert tray.tooltip == "crmtray — Sesión no iniciada"


def test_the_moment_is_stored_in_universal_time(cache: Cache, clock: Clock, qapp: QApplication) -> None:
    """A laptop that travels, or a clock that changes, must not shift it."""
    Quiet(cache, clock=clock).choose("tomorrow")
    os.environ["TZ"] = "Europe/Madrid"
    time.tzset()
    assert Quiet(cache, clock=clock).until == datetime(2026, 2, 28, 11, 0, tzinfo=UTC)
