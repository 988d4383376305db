"""Which alerts interrupt: as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from crmtray.alerts import decide, summary_text
from crmtray.protocol import Notification
from tests.client.support import NOW, item


def fresh(*ids: str, **more: Any) -> list[Notification]:
    return [item(id, 1, created_at=NOW - timedelta(seconds=5), **more) for id in ids]


@pytest.mark.parametrize(
    ("pending", "quiet", "reason"),
    [
        (item("n", 1, created_at=NOW, silent=True, reason="quiet_hours"), False, "quiet_hours"),
        (item("n", 1, created_at=NOW, silent=True), False, "silent"),
        (item("n", 1, created_at=NOW, read=True), False, "read"),
        (item("n", 1, created_at=NOW - timedelta(minutes=10, seconds=1)), False, "too_old"),
        (item("n", 1, created_at=NOW, snoozed_until=NOW + timedelta(hours=1)), False, "snoozed"),
        (item("n", 1, created_at=NOW), True, "quiet"),
    ],
)
def test_no_toast_and_why(pending: Notification, quiet: bool, reason: str) -> None:
    decision = decide([pending], now=NOW, catching_up=False, recent=[], quiet=quiet)
    assert decision.toasts == [] and decision.skipped == {"n": reason}


def test_an_alert_whose_snooze_has_just_ended_is_not_old() -> None:
    woken = item("n", 1, created_at=NOW - timedelta(days=1), snoozed_until=NOW - timedelta(seconds=1))
    decision = decide([woken], now=NOW, catching_up=False, recent=[])
    assert [toast.kind for toast in decision.toasts] == ["single"]


@pytest.mark.parametrize(
    ("pending", "catching_up", "recent_seconds", "kinds"),
    [
        (fresh(), False, [], []),
        (fresh("a", "b", "c"), False, [], ["single"] * 3),
        (fresh("a", "b", "c", "d"), False, [], ["summary"]),
        (fresh("a", "b", "c"), True, [], ["single"] * 3),
        (fresh("a", "b", "c", "d"), True, [], ["summary"]),
        (fresh("a", "b"), False, [1, 9], ["summary"]),
        (fresh("a", "b"), False, [1, 11], ["single"] * 2),
        (fresh("a", "b"), True, [1, 2], ["single"] * 2),
        (fresh("a"), False, [1, 2, 3, 4], ["single"]),
    ],
)
def test_more_than_three_fold_into_one(
    pending: list[Notification], catching_up: bool, recent_seconds: Sequence[int], kinds: list[str]
) -> None:
    recent = [NOW - timedelta(seconds=seconds) for seconds in recent_seconds]
    decision = decide(pending, now=NOW, catching_up=catching_up, recent=recent)
    assert [toast.kind for toast in decision.toasts] == kinds
    assert [entry for toast in decision.toasts for entry in toast.notifications] == pending


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
