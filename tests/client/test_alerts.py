"""Which alerts interrupt: as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from crmtray.alerts import Told, decide, summary_text, waits
from crmtray.protocol import Notification
from tests.client.support import NOW, item


def fresh(*ids: str, **more: Any) -> list[Notification]:
    return [item(id, 1, created_at=NOW - timedelta(seconds=5), **more) for id in ids]


@pytest.mark.parametrize(
    ("pending", "reason"),
    [
        (item("n", 1, created_at=NOW, silent=True, reason="quiet_hours"), "quiet_hours"),
        (item("n", 1, created_at=NOW, silent=True), "silent"),
        (item("n", 1, created_at=NOW, read=True), "read"),
        (item("n", 1, created_at=NOW - timedelta(minutes=10, seconds=1)), "too_old"),
        (item("n", 1, created_at=NOW, snoozed_until=NOW + timedelta(hours=1)), "snoozed"),
    ],
)
def test_no_toast_and_why(pending: Notification, reason: str) -> None:
    decision = decide([pending], now=NOW, catching_up=False, recent=[])
    assert decision.toasts == [] and decision.skipped == {"n": reason}


def test_an_alert_whose_snooze_has_just_ended_is_not_old() -> None:
    woken = item("n", 1, created_at=NOW - timedelta(days=1), snoozed_until=NOW - timedelta(seconds=1))
    decision = decide([woken], now=NOW, catching_up=False, recent=[])
    assert [toast.kind for toast in decision.toasts] == ["single"]


def test_what_came_in_the_night_is_told_in_the_morning_but_not_after_the_holidays() -> None:
    night = item("night", 1, created_at=NOW - timedelta(hours=9))
    holidays = item("holidays", 2, created_at=NOW - timedelta(days=8))
    decision = decide([holidays, night], now=NOW, catching_up=True, recent=[])
    assert [toast.notifications for toast in decision.toasts] == [(night,)]
    assert decision.skipped == {"holidays": "too_old"}


@pytest.mark.parametrize(
    ("pending", "catching_up", "recent_seconds", "kinds"),
    [
        (fresh(), False, [], []),
        (fresh("a", "b", "c"), False, [], ["single"] * 3),
        (fresh("a", "b", "c", "d"), False, [], ["summary"]),
        (fresh("a"), True, [], ["single"]),
        (fresh("a", "b"), True, [], ["summary"]),
        (fresh("a", "b", "c", "d"), True, [], ["summary"]),
        (fresh("a", "b"), False, [1, 9], ["summary"]),
        (fresh("a", "b"), False, [1, 11], ["single"] * 2),
        (fresh("a"), False, [1, 2, 3], ["summary"]),
        (fresh("a"), False, [1, 2, 11], ["single"]),
    ],
)
def test_an_absence_and_more_than_three_in_ten_seconds_fold_into_one(
    pending: list[Notification], catching_up: bool, recent_seconds: Sequence[int], kinds: list[str]
) -> None:
    recent = [NOW - timedelta(seconds=seconds) for seconds in recent_seconds]
    decision = decide(pending, now=NOW, catching_up=catching_up, recent=recent)
    assert [toast.kind for toast in decision.toasts] == kinds
    assert [entry for toast in decision.toasts for entry in toast.notifications] == pending


def test_what_does_not_fit_on_the_screen_joins_the_summary_and_urgent_ones_come_first() -> None:
    calm, urgent = fresh("calm"), fresh("urgent", priority="urgent")
    decision = decide([*calm, *urgent], now=NOW, catching_up=False, recent=[], room=1, summed_up=fresh("before"))
    shown = [(toast.kind, [entry.id for entry in toast.notifications]) for toast in decision.toasts]
    assert shown == [("single", ["urgent"]), ("summary", ["before", "calm"])]
    nothing_fits = decide(urgent, now=NOW, catching_up=False, recent=[], room=-1)
    assert [toast.kind for toast in nothing_fits.toasts] == ["summary"]


def test_an_urgent_item_is_told_again_three_times_with_time_in_between() -> None:
    told, every = Told(NOW), timedelta(minutes=5)
    assert not told.due(NOW + timedelta(minutes=4, seconds=59), every)
    assert told.due(NOW + timedelta(minutes=5), every)
    assert Told(NOW, again=2).due(NOW + every, every)
    assert not Told(NOW, again=3).due(NOW + timedelta(days=1), every) and Told(NOW, again=3).over


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (item("n", 1), True),
        (item("n", 1, read=True), False),
        (item("n", 1, snoozed_until=NOW + timedelta(minutes=1)), False),
        (item("n", 1, snoozed_until=NOW), True),
    ],
)
def test_a_toast_is_for_what_is_still_to_be_done(entry: Notification, expected: bool) -> None:
    assert waits(entry, NOW) is expected


@pytest.mark.parametrize(
    ("types", "text"),
    [
        (["unanswered_conversation"] * 3 + ["hot_lead"], "3 sin responder, 1 lead caliente"),
        (["hot_lead"] * 2 + ["unanswered_conversation"], "2 leads calientes, 1 sin responder"),
        (["follow_up_reminder", "performance_alert"], "1 seguimiento, 1 alerta de rendimiento"),
        (["follow_up_reminder"] * 2 + ["performance_alert"] * 2, "2 seguimientos, 2 alertas de rendimiento"),
        (["backup_done"], "1 otra"),
        (["backup_done", "other", "hot_lead"], "2 otras, 1 lead caliente"),
        ([], ""),
    ],
)
def test_a_summary_counts_in_words(types: list[str], text: str) -> None:
    assert summary_text([item(str(number), 1, type=type) for number, type in enumerate(types)]) == text
