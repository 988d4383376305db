"""The rows: pages, live changes without losing one's place, undoing a clear."""

from __future__ import annotations

from datetime import timedelta

import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from crmtray.cache import Cache
from crmtray.cache_views import Narrowing
from crmtray.outbox import Outbox
from crmtray.ui.models import AGE, HEADING, ITEM, MOST_LOADED, PAGE, NotificationModel
from tests.client.support import NOW, gone, item, page
from tests.ui.support import bring, fill


@pytest.fixture(autouse=True)
def tester(model: NotificationModel) -> QAbstractItemModelTester:
    mode = QAbstractItemModelTester.FailureReportingMode.Fatal
    made = QAbstractItemModelTester(model, mode)
    # It would load every page at once, inside of the signals it checks.
    made.setUseFetchMore(False)
    return made


def ids(model: QAbstractItemModel) -> list[str]:
    return [model.index(row, 0).data(ITEM).id for row in range(model.rowCount())]


def many(count: int) -> list[str]:
    return [f"n{number:04}" for number in range(count)]


def filled(cache: Cache, model: NotificationModel, count: int) -> None:
    fill(cache, [item(id, seq + 1) for seq, id in enumerate(many(count))])
    model.refresh(frozenset())


def test_a_page_first_and_older_ones_on_demand(cache: Cache, model: NotificationModel) -> None:
    count = 2 * PAGE + 10
    filled(cache, model, count)
    assert model.rowCount() == PAGE and model.canFetchMore()
    model.fetchMore()
    model.fetchMore()
    assert ids(model) == many(count)[::-1]
    assert not model.canFetchMore()


def test_a_new_item_is_inserted_at_the_top_and_nothing_else_moves(cache: Cache, model: NotificationModel) -> None:
    filled(cache, model, 3)
    inserted: list[tuple[int, int]] = []
    resets: list[None] = []
    model.rowsInserted.connect(lambda _, first, last: inserted.append((first, last)))
    model.modelReset.connect(lambda: resets.append(None))
    bring(cache, item("new", 4))
    model.refresh({"new"})
    assert ids(model)[0] == "new" and inserted == [(0, 0)] and not resets


def test_a_late_item_goes_where_its_time_says(cache: Cache, model: NotificationModel) -> None:
    filled(cache, model, 3)
    bring(cache, item("late", 4, created_at=NOW + timedelta(seconds=1.5)))
    model.refresh({"late"})
    assert ids(model) == ["n0002", "n0001", "late", "n0000"]


def test_only_the_row_that_changed_is_told(cache: Cache, model: NotificationModel, outbox: Outbox) -> None:
    filled(cache, model, 5)
    told: list[int] = []
    model.dataChanged.connect(lambda top, bottom, roles: told.extend(range(top.row(), bottom.row() + 1)))
    outbox.mark_read("n0003")
    assert told == [1]
    assert model.index(1).data(ITEM).read


def test_a_removed_item_vanishes_and_the_persistent_index_of_others_stays(
    cache: Cache, model: NotificationModel
) -> None:
    filled(cache, model, 4)
    kept = model.find("n0000")
    cache.apply(page(gone("n0002", 5)), now=NOW)
    model.refresh({"n0002"})
    assert ids(model) == ["n0003", "n0001", "n0000"] and kept.row() == 3 and model.find("n0000").row() == 2


def test_a_whole_comparison_keeps_the_rows_that_stay(cache: Cache, model: NotificationModel) -> None:
    filled(cache, model, 10)
    resets: list[None] = []
    model.modelReset.connect(lambda: resets.append(None))
    bring(cache, item("a", 11), item("b", 12))
    cache.apply(page(gone("n0005", 13)), now=NOW)
    model.refresh(frozenset())
    assert ids(model) == ["b", "a", *(id for id in many(10)[::-1] if id != "n0005")]
    assert not resets


def test_marking_hundreds_read_is_one_comparison(cache: Cache, model: NotificationModel, outbox: Outbox) -> None:
    filled(cache, model, 300)
    outbox.mark_all_read()
    assert all(model.index(row).data(ITEM).read for row in range(model.rowCount()))


def test_an_item_older_than_the_loaded_page_is_found_by_loading_it(cache: Cache, model: NotificationModel) -> None:
    filled(cache, model, 350)
    assert model.find("n0010").data(ITEM).id == "n0010"
    assert not model.find("nobody").isValid()


def test_only_unread_and_search(cache: Cache, model: NotificationModel, outbox: Outbox) -> None:
    fill(cache, [item("a", 1, message="Pidió reunión"), item("b", 2, message="Otra cosa"), item("c", 3, read=True)])
    model.narrow(Narrowing(unread=True))
    assert ids(model) == ["b", "a"]
    outbox.mark_read("b")
    assert ids(model) == ["a"]
    model.narrow(Narrowing(search='reunion "'))
    assert ids(model) == ["a"]


def test_a_snoozed_item_is_not_shown(cache: Cache, model: NotificationModel, outbox: Outbox) -> None:
    filled(cache, model, 2)
    outbox.snooze("n0001", NOW + timedelta(hours=1))
    assert ids(model) == ["n0000"]


def test_while_held_only_what_arrives_later_is_shown(cache: Cache, model: NotificationModel) -> None:
    filled(cache, model, 3)
    model.hold()
    assert ids(model) == []
    bring(cache, item("new", 4))
    model.refresh({"new"})
    assert ids(model) == []
    model.arrived(["new"])
    assert ids(model) == ["new"] and model.unread_late() == 1
    model.release()
    assert ids(model) == ["new", "n0002", "n0001", "n0000"]


def test_rows_say_everything_to_a_screen_reader(cache: Cache, model: NotificationModel) -> None:
    fill(cache, [item("a", 1, title="Aviso", priority="urgent", created_at=NOW - timedelta(minutes=5))])
    model.reload()
    spoken = model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    for part in (
        "Sin leer",
        "Urgente",
        "Lead caliente",
        "Aviso",
        "Ana Pérez quiere comprar",
        "Hace 5 min",
        "Contactar",
    ):
        assert part in spoken


def test_a_row_that_is_being_sent_says_so(cache: Cache, model: NotificationModel, outbox: Outbox) -> None:
    from crmtray.ui.models import PENDING

    filled(cache, model, 1)
    assert not model.index(0).data(PENDING)
    op_id = outbox.mark_read("n0000")
    assert model.index(0).data(PENDING)
    cache.sent(op_id, 9, now=NOW)
    model.refresh({"n0000"})
    assert not model.index(0).data(PENDING)


def test_a_short_list_fills_up_from_the_cache(cache: Cache, model: NotificationModel) -> None:
    count, left = 2 * PAGE, PAGE + 5
    filled(cache, model, count)
    late = many(count)[left - count :]
    cache.apply(page(*(gone(id, 900 + at) for at, id in enumerate(late))), now=NOW)
    for id in late:
        model.refresh({id})
    assert model.rowCount(QModelIndex()) >= PAGE // 2
    assert ids(model) == many(left)[::-1][: model.rowCount()]


def days(cache: Cache, model: NotificationModel, *ages: int) -> None:
    fill(cache, [item(f"d{age}", at + 1, created_at=NOW - timedelta(days=age)) for at, age in enumerate(ages)])
    model.refresh(frozenset())


def headings(model: NotificationModel) -> list[str]:
    return [model.index(row).data(HEADING) for row in range(model.rowCount())]


def test_each_day_has_its_heading_over_its_first_row(cache: Cache, model: NotificationModel) -> None:
    days(cache, model, 0, 1, 2, 20, 400)
    bring(cache, item("second", 6, created_at=NOW - timedelta(minutes=1)))
    model.refresh({"second"})
    assert ids(model)[:2] == ["d0", "second"]
    assert headings(model) == ["Hoy", "", "Ayer", "Miércoles", "7 de febrero", "23 de enero de 2025"]


def test_a_heading_moves_with_the_first_row_of_its_day(cache: Cache, model: NotificationModel) -> None:
    days(cache, model, 0, 1)
    told: list[tuple[int, bool]] = []
    model.dataChanged.connect(lambda top, bottom, roles: told.append((top.row(), int(HEADING) in roles)))
    bring(cache, item("newer", 3, created_at=NOW + timedelta(minutes=1)))
    model.refresh({"newer"})
    assert headings(model) == ["Hoy", "", "Ayer"] and told == [(1, True)]
    cache.apply(page(gone("newer", 4)), now=NOW)
    model.refresh({"newer"})
    assert headings(model) == ["Hoy", "Ayer"] and told[1:] == [(0, True)]


def test_at_midnight_today_becomes_yesterday(
    cache: Cache, model: NotificationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    days(cache, model, 0)
    monkeypatch.setattr(model, "_clock", lambda: NOW + timedelta(days=1))
    model.tick()
    assert headings(model) == ["Ayer"]
    assert model.index(0).data(AGE) == f"{NOW.astimezone():%-H:%M}", "the day stands over it"


def test_kinds_and_priorities_narrow_together_with_unread_and_search(
    cache: Cache, model: NotificationModel, outbox: Outbox
) -> None:
    fill(
        cache,
        [
            item("a", 1, message="Pidió reunión", priority="urgent"),
            item("b", 2, message="Pidió reunión", type="performance_alert", priority="urgent"),
            item("c", 3, message="Pidió reunión"),
            item("d", 4, message="Otra cosa", priority="urgent"),
            item("e", 5, message="Pidió reunión", priority="urgent", read=True),
        ],
    )
    chosen = Narrowing(True, "reunion", frozenset({"hot_lead"}), frozenset({"urgent"}))
    model.narrow(chosen)
    assert ids(model) == ["a"]
    assert model.counts().kinds == {"hot_lead": 1, "performance_alert": 1}
    assert model.counts().priorities == {"urgent": 1, "high": 1}
    bring(cache, item("f", 6, message="Reunión otra vez", priority="urgent"))
    model.refresh({"f"})
    assert ids(model) == ["f", "a"]
    outbox.mark_read("a")
    assert ids(model) == ["f"] and model.counts().kinds["hot_lead"] == 1


def test_what_is_snoozed_can_be_looked_at_and_says_when_it_comes_back(
    cache: Cache, model: NotificationModel, outbox: Outbox
) -> None:
    filled(cache, model, 2)
    outbox.snooze("n0001", NOW + timedelta(days=1))
    assert model.counts().snoozed == 1
    model.narrow(Narrowing(snoozed=True))
    assert ids(model) == ["n0001"] and model.index(0).data(AGE).startswith("Vuelve mañana ")
    outbox.mark_read("n0001")
    assert ids(model) == [] and model.counts().snoozed == 0


def test_a_burst_while_one_looks_at_older_rows_moves_none_of_them_out(cache: Cache, model: NotificationModel) -> None:
    filled(cache, model, PAGE)
    model.at_top = False
    kept = QPersistentModelIndex(model.find("n0001"))
    resets: list[None] = []
    model.modelReset.connect(lambda: resets.append(None))
    new = [item(f"new{at:03}", PAGE + at + 1) for at in range(2 * PAGE)]
    bring(cache, *new)
    model.refresh({one.id for one in new})
    assert not resets and model.find("n0001").row() == kept.row() == 3 * PAGE - 2
    assert ids(model) == [one.id for one in reversed(new)] + many(PAGE)[::-1]


def test_a_long_feed_at_the_top_does_not_make_the_loaded_part_endless(cache: Cache, model: NotificationModel) -> None:
    filled(cache, model, PAGE)
    for at in range(MOST_LOADED + PAGE):
        bring(cache, item(f"live{at:04}", PAGE + at + 1))
        model.refresh({f"live{at:04}"})
    assert PAGE <= model.rowCount() <= MOST_LOADED and model.canFetchMore()
    assert ids(model)[0] == f"live{MOST_LOADED + PAGE - 1:04}"
    assert model.find("n0000").isValid()
