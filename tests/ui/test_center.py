"""The center as a person uses it: buttons by mouse and keyboard, clearing with a way back, text that stays text."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.protocol import FOLLOW_UP, NotificationAction
from crmtray.ui import theme as theme_module
from crmtray.ui.center import Center
from crmtray.ui.models import ITEM, Clearing
from crmtray.ui.placement import beside
from crmtray.ui.theme import WIDTH, Theme
from tests.client.support import NOW, item
from tests.ui.center_support import keys, opened, painted, told
from tests.ui.support import bring, fill


def test_every_button_of_a_row_can_be_clicked(center: Center, cache: Cache) -> None:
    actions = tuple(NotificationAction(label, label.lower()) for label in ("Agendar", "Posponer", "Marcar contactado"))
    one = item("a", 1, type=FOLLOW_UP)
    fill(cache, [type(one)(**{**_fields(one), "actions": actions})])
    center._model.refresh(frozenset())
    center.open()
    pressed = told(center.list.pressed_action)
    index = center._model.index(0)
    for number in range(3):
        QTest.mouseClick(
            center.list.viewport(), Qt.MouseButton.LeftButton, pos=center.list.spot_rect(index, number).center()
        )
    assert pressed == [("a", 0), ("a", 1), ("a", 2)]
    row = QRect(QPoint(0, 0), center.list.visualRect(index).size())
    spots = [spot.rect for spot in center.list.spots(index)]
    assert all(row.contains(rect) for rect in spots), "a button outside of its row"
    assert not any(one.intersects(other) for one in spots for other in spots if one is not other)


def _fields(notification: Any) -> dict[str, Any]:
    return {name: getattr(notification, name) for name in type(notification).__dataclass_fields__}


def test_the_check_mark_marks_as_read_and_goes(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    index = center._model.index(0)
    check = len(center.list.spots(index)) - 1
    assert center.list.spots(index)[check].label == "Marcar como leída"
    QTest.mouseClick(
        center.list.viewport(), Qt.MouseButton.LeftButton, pos=center.list.spot_rect(index, check).center()
    )
    assert index.data(ITEM).read
    assert [spot.kind for spot in center.list.spots(index)] == ["action"]


def test_a_press_that_leaves_the_button_does_nothing(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    pressed = told(center.list.pressed_action)
    place = center.list.spot_rect(center._model.index(0), 0).center()
    QTest.mousePress(center.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseRelease(center.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place.x(), place.y() - 60))
    assert pressed == []


def test_everything_works_by_keyboard(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    pressed = told(center.list.pressed_action)
    assert center.list.currentIndex().row() == 0
    keys(center, Qt.Key.Key_Down, Qt.Key.Key_Tab)
    assert center.list.focused_spot == 0
    keys(center, Qt.Key.Key_Return)
    assert pressed == [("a", 0)]
    keys(center, Qt.Key.Key_Right)
    assert center.list.focused_spot == 1
    keys(center, Qt.Key.Key_Space)
    item_a = cache.get("a")
    assert item_a is not None and item_a.read
    assert center.list.focused_spot == 0, "the focus goes to a button that is still there"


def test_space_on_a_row_marks_it_read_and_unread(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    for read in (True, False):
        keys(center, Qt.Key.Key_Space)
        kept = cache.get("a")
        assert kept is not None and kept.read is read


def test_tab_leaves_the_list_after_the_last_button(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    keys(center, Qt.Key.Key_Tab, Qt.Key.Key_Tab, Qt.Key.Key_Tab)
    assert not center.list.hasFocus() and center.list.focused_spot is None


def test_delete_asks_to_remove_the_current_row(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    removed = told(center.list.wants_removed)
    keys(center, Qt.Key.Key_Delete)
    assert removed == [("b",)]


def test_escape_hides(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    keys(center, Qt.Key.Key_Escape)
    assert not center.isVisible()


def test_the_empty_state_says_why(center: Center, cache: Cache, qtbot: QtBot) -> None:
    assert center.empty.title == "Cargando…"
    opened(center, cache)
    assert center.empty.isVisible() and center.empty.title == "Todo al día"
    bring(cache, item("a", 1))
    center._model.refresh({"a"})
    assert center.list.isVisible() and not center.empty.isVisible()
    center.header.search_button.setChecked(True)
    center.header.search.setText("nada de esto")
    qtbot.waitUntil(center.empty.isVisible)
    assert center.empty.title == "Sin resultados"
    keys(center, Qt.Key.Key_Escape)
    assert center.list.isVisible() and center.isVisible()


def test_clearing_can_be_undone(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    cleared = told(center.cleared)
    QTest.mouseClick(center.clear_button, Qt.MouseButton.LeftButton)
    assert center._model.rowCount() == 0 and center.undo_bar.isVisible()
    assert center.undo_bar.text == "Notificaciones borradas" and center.undo_bar.button.text() == "Deshacer"
    QTest.mouseClick(center.undo_bar.button, Qt.MouseButton.LeftButton)
    assert center._model.rowCount() == 2 and not center.undo_bar.isVisible()
    assert cleared == [] and cache.outbox_rows() == []


def test_clearing_is_told_when_the_time_to_undo_is_over(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    cleared = told(center.cleared)
    QTest.mouseClick(center.clear_button, Qt.MouseButton.LeftButton)
    assert cleared == []
    center.undo_bar.end_now()
    assert cleared == [(Clearing(("e1", 1)),)] and not center.undo_bar.isVisible()


def test_what_arrives_while_one_can_undo_is_not_cleared(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    cleared = told(center.cleared)
    QTest.mouseClick(center.clear_button, Qt.MouseButton.LeftButton)
    bring(cache, item("new", 2))
    center._model.arrived(["new"])
    assert center._model.rowCount() == 1
    center.undo_bar.end_now()
    assert cleared == [(Clearing(("e1", 1), frozenset({"new"})),)]


def test_clearing_again_carries_the_first_one_out(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    cleared = told(center.cleared)
    QTest.mouseClick(center.clear_button, Qt.MouseButton.LeftButton)
    bring(cache, item("new", 2))
    center._model.arrived(["new"])
    QTest.mouseClick(center.clear_button, Qt.MouseButton.LeftButton)
    assert len(cleared) == 1 and center.undo_bar.isVisible() and center._model.rowCount() == 0


def test_remote_text_is_drawn_as_it_is(center: Center, cache: Cache) -> None:
    """`<b>` and `<img>` take room as letters; as markup they would not be seen."""
    opened(center, cache, item("a", 1, title="<b></b>", message="<img src='file:///etc/passwd'><i></i>"))
    plain = _ink(center)
    opened(center, cache, item("a", 2, title="", message="", created_at=NOW))
    assert plain > _ink(center) + 200


def _ink(center: Center) -> int:
    rect = center.list.visualRect(center._model.index(0))
    image = center.list.viewport().grab(rect).toImage()
    text = QColor(center._theme.colours.text)
    return sum(
        abs(image.pixelColor(x, y).lightness() - text.lightness()) < 40
        for x in range(60, image.width())
        for y in range(image.height())
    )


def test_connection_and_offline_line(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    center.set_connection("real_time", "En tiempo real")
    assert center.header.connection.text() == "En tiempo real" and center.offline_line.text == ""
    center.set_connection("offline", "Sin conexión")
    assert "Sin conexión" in center.offline_line.text and center.offline_line.isVisible()


def test_without_a_tray_it_is_a_window_that_says_why(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    center.set_hosted(False)
    assert center.windowType() == Qt.WindowType.Window and "bandeja" in center.tray_line.text and center.isVisible()
    center.set_hosted(True)
    assert center.windowType() == Qt.WindowType.Tool and center.tray_line.text == ""


def test_it_opens_at_an_item_even_when_narrowed(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1, read=True), item("b", 2))
    center.header.unread_tab.click()
    assert center._model.rowCount() == 1
    center.show_item("a")
    assert center.list.currentIndex().data(ITEM).id == "a"
    center.show_item("gone")
    assert center.notice_bar.text == "Esa notificación ya no existe."


def test_mark_all_is_offered_only_when_something_is_unread(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    center.set_unread(1)
    QTest.mouseClick(center.read_all_button, Qt.MouseButton.LeftButton)
    assert cache.unread_count() == 0
    center.set_unread(0)
    assert not center.read_all_button.isEnabled() and not center.header.count.isVisible()


def test_it_is_as_wide_as_designed_and_not_too_high(center: Center, cache: Cache) -> None:
    opened(center, cache, *(item(f"n{n}", n + 1) for n in range(50)))
    assert center.width() == WIDTH
    assert center.height() <= round(center.screen().geometry().height() * 0.8)


@pytest.mark.parametrize(
    ("cursor", "left", "top"),
    [
        (QPoint(1260, 790), 1280 - 8 - WIDTH, 768 - 8 - 600),
        (QPoint(1260, 5), 1280 - 8 - WIDTH, 8),
        (QPoint(10, 790), 8, 768 - 8 - 600),
        (QPoint(640, 400), 1280 - 8 - WIDTH, 768 - 8 - 600),
    ],
)
def test_it_opens_beside_the_tray_inside_the_screen(cursor: QPoint, left: int, top: int) -> None:
    assert beside(cursor, QSize(WIDTH, 600), QRect(0, 0, 1280, 768)) == QPoint(left, top)


def test_ages_move_on(center: Center, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    from crmtray.ui.models import AGE

    opened(center, cache, item("a", 1, created_at=NOW))
    assert center._model.index(0).data(AGE) == "Ahora mismo"
    monkeypatch.setattr(center._model, "_clock", lambda: NOW + timedelta(minutes=7))
    center._model.tick()
    assert center._model.index(0).data(AGE) == "Hace 7 min"


# --- other states -----------------------------------------------------------------------------------------------


def test_what_was_never_loaded_says_why_and_can_be_tried_again(center: Center) -> None:
    tried = told(center.retry)
    center.open()
    center.set_connection("offline", "Conectando…")
    assert center.empty.title == "Cargando…" and not center.empty.button.isVisible()
    center.set_connection("offline", "El certificado de crm.example no es válido.")
    assert center.empty.title == "Sin conexión" and center.empty.text.startswith("El certificado")
    QTest.mouseClick(center.empty.button, Qt.MouseButton.LeftButton)
    assert tried == [()]


def test_a_snooze_that_ends_while_one_can_undo_a_clear_is_not_cleared(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    cleared = told(center.cleared)
    QTest.mouseClick(center.clear_button, Qt.MouseButton.LeftButton)
    center._model.arrived(["a"])
    center.undo_bar.end_now()
    assert cleared == [(Clearing(("e1", 2), frozenset({"a"}), True),)]


def test_larger_text_makes_higher_rows_and_a_wider_window(
    center: Center, cache: Cache, monkeypatch: pytest.MonkeyPatch, theme: Theme
) -> None:
    opened(center, cache, item("a", 1))
    before = center.list.visualRect(center._model.index(0)).height()
    larger = theme_module.base_font()
    larger.setPixelSize(20)
    monkeypatch.setattr(theme_module, "base_font", lambda: larger)
    theme.follow()
    QApplication.processEvents()
    assert center.list.visualRect(center._model.index(0)).height() > 1.4 * before
    assert center.width() == round(WIDTH * 20 / 13)
    monkeypatch.undo()
    theme.follow()
    QApplication.processEvents()
    assert center.list.visualRect(center._model.index(0)).height() == before


def test_the_colours_change_while_it_is_open(
    center: Center, cache: Cache, monkeypatch: pytest.MonkeyPatch, theme: Theme
) -> None:
    opened(center, cache, item("a", 1))
    center.show_details("a")
    monkeypatch.setenv("CRMTRAY_COLOR_SCHEME", "dark")
    theme.follow()
    assert center.details.grab().toImage().pixelColor(3, center.details.height() // 2).lightness() < 60
    center.leave_details()
    assert painted(center, theme.colours.card_unread) > 1000


def test_tab_reaches_every_button_there_is(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    center.set_unread(1)
    reached: set[QWidget | None] = set()
    for _ in range(40):
        keys(center, Qt.Key.Key_Tab)
        reached.add(QApplication.focusWidget())
    buttons = {button for button in center.findChildren(QAbstractButton) if button.isVisible()}
    tabs = [center.header.all_tab, center.header.unread_tab, center.header.snoozed_tab]
    # Qt's own buttons that would scroll a row of tabs are never shown.
    assert len(buttons) > 5 and buttons <= reached and center.header._tabs in reached
    tabs[0].setFocus()
    keys(center, Qt.Key.Key_Right)
    assert center._model.narrowing.unread and tabs[1].hasFocus()
    keys(center, Qt.Key.Key_Left)
    center.show_details("a")
    reached.clear()
    for _ in range(20):
        keys(center, Qt.Key.Key_Tab)
        reached.add(QApplication.focusWidget())
    inside = {button for button in center.details.findChildren(QAbstractButton) if button.isVisible()}
    assert len(inside) == 6 and inside <= reached
