"""The filters of the center: numbers, chips, priorities, the snoozed ones, and a search."""

from __future__ import annotations

from datetime import timedelta

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.outbox import Outbox
from crmtray.protocol import FOLLOW_UP
from crmtray.ui.center import Center
from tests.client.support import NOW, gone, item, page
from tests.ui.center_support import opened, painted, shown_ids
from tests.ui.support import bring


def counted(center: Center) -> dict[str, str]:
    return {kind: chip.text() for kind, chip in center.header.filters.chips.items()}


def test_chips_count_and_narrow_and_follow_the_feed(center: Center, cache: Cache, qtbot: QtBot) -> None:
    opened(center, cache, item("a", 1), item("b", 2, type=FOLLOW_UP), item("c", 3))
    assert counted(center) == {"hot_lead": "2", FOLLOW_UP: "1"}
    QTest.mouseClick(center.header.filters.chips[FOLLOW_UP], Qt.MouseButton.LeftButton)
    assert shown_ids(center) == ["b"] and not center.clear_button.isEnabled()
    bring(cache, item("d", 4, type=FOLLOW_UP), item("e", 5))
    center._model.refresh({"d", "e"})
    assert shown_ids(center) == ["d", "b"]
    qtbot.waitUntil(lambda: counted(center) == {"hot_lead": "3", FOLLOW_UP: "2"})
    QTest.mouseClick(center.header.filters.chips[FOLLOW_UP], Qt.MouseButton.LeftButton)
    assert center._model.rowCount() == 5


def test_priorities_are_chosen_from_a_menu_with_numbers_and_taken_back(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1, priority="urgent"), item("b", 2), item("c", 3, priority="low"))
    filters = center.header.filters
    filters.fill_menu()
    entries = filters.priority_menu.actions()
    assert [entry.text() for entry in entries] == ["Urgente (1)", "Alta (1)", "Media (0)", "Baja (1)"]
    entries[0].trigger()
    entries[3].trigger()
    assert shown_ids(center) == ["c", "a"] and filters.priority_button.text().startswith("Urgente +1")
    filters.fill_menu()
    filters.priority_menu.actions()[-1].trigger()
    assert center._model.rowCount() == 3 and filters.priority_button.text().startswith("Prioridad")


def test_kinds_without_a_hit_stay_in_their_place_while_a_priority_is_chosen(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1, priority="urgent"), item("b", 2, type=FOLLOW_UP, priority="low"))
    filters = center.header.filters
    QTest.mouseClick(filters.chips[FOLLOW_UP], Qt.MouseButton.LeftButton)
    center._show_counts()
    filters.fill_menu()
    assert [entry.text() for entry in filters.priority_menu.actions()[:4]] == [
        "Urgente (0)",
        "Alta (0)",
        "Media (0)",
        "Baja (1)",
    ]
    filters.priority_menu.actions()[0].trigger()
    center._show_counts()
    assert counted(center) == {"hot_lead": "1", FOLLOW_UP: "0"} and shown_ids(center) == []
    chosen = filters.chips[FOLLOW_UP]
    assert chosen.isChecked() and chosen.isEnabled(), "it can be taken back"
    QTest.mouseClick(chosen, Qt.MouseButton.LeftButton)
    center._show_counts()
    assert counted(center) == {"hot_lead": "1", FOLLOW_UP: "0"} and shown_ids(center) == ["a"]
    assert not filters.chips[FOLLOW_UP].isEnabled() and filters.chips["hot_lead"].isEnabled()


def test_a_filter_that_lets_nothing_through_says_so_and_can_be_taken_back(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2, type=FOLLOW_UP))
    QTest.mouseClick(center.header.filters.chips[FOLLOW_UP], Qt.MouseButton.LeftButton)
    cache.apply(page(gone("b", 3)), now=NOW)
    center._model.refresh({"b"})
    assert center.empty.isVisible() and center.empty.title == "Nada con estos filtros"
    QTest.mouseClick(center.empty.button, Qt.MouseButton.LeftButton)
    assert shown_ids(center) == ["a"]


def test_the_snoozed_ones_have_a_tab_with_their_number(center: Center, cache: Cache, outbox: Outbox) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    outbox.snooze("a", NOW + timedelta(hours=3))
    center._show_counts()
    assert center.header.snoozed_tab.text() == "Pospuestas  1"
    center.header.snoozed_tab.click()
    assert shown_ids(center) == ["a"]
    center.show_item("b")
    assert shown_ids(center) == ["b"] and center.header.all_tab.isChecked()
    center.show_item("a")
    assert shown_ids(center) == ["a"] and center.header.snoozed_tab.isChecked()


def test_typing_in_the_list_begins_a_search_and_hits_are_marked(center: Center, cache: Cache, qtbot: QtBot) -> None:
    opened(center, cache, item("a", 1, message="Pidió reunión"), item("b", 2))
    before = painted(center, center._theme.colours.hit)
    QTest.keyClick(center.list, Qt.Key.Key_R)
    assert center.header.search.text() == "r" and center.header.search.hasFocus()
    QTest.keyClicks(center.header.search, "eu")
    qtbot.waitUntil(lambda: shown_ids(center) == ["a"])
    assert before == 0 and painted(center, center._theme.colours.hit) > 20


def test_all_is_offered_only_while_all_is_shown(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2, type=FOLLOW_UP))
    center.set_unread(2)
    chip = center.header.filters.chips[FOLLOW_UP]
    for tab, read_all, clear in (
        (center.header.unread_tab, True, False),
        (center.header.snoozed_tab, False, False),
        (center.header.all_tab, True, True),
        (chip, False, False),
        (chip, True, True),
    ):
        tab.click()
        assert (center.read_all_button.isEnabled(), center.clear_button.isEnabled()) == (read_all, clear), tab.text()
