"""One item in full: opened and left, what can be done there, and why it was told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from crmtray.api import ApiError
from crmtray.cache import Cache
from crmtray.ui.center import Center
from crmtray.ui.models import ITEM
from crmtray.ui.moments import choices
from tests.client.support import NOW, gone, item, page
from tests.ui.center_support import Server, keys, labels, opened, told
from tests.ui.support import bring


def test_enter_opens_the_details_and_escape_goes_back_to_the_row(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), replace(item("b", 2), data={"lead_name": "Ana", "probability": 0.85}))
    keys(center, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return)
    assert center.details.isVisible() and not center.header.filters.isVisible()
    for text in ("Lead caliente", "Ana Pérez quiere comprar", "Cliente", "Ana", "85\u00a0%", "Alta", "Sin leer"):
        assert text in labels(center.details), text
    keys(center, Qt.Key.Key_Escape)
    assert center.list.isVisible() and center.list.hasFocus() and center.list.currentIndex().data(ITEM).id == "b"
    keys(center, Qt.Key.Key_Escape)
    assert not center.isVisible()


def test_a_click_on_a_card_opens_it_and_one_on_a_heading_does_not(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    index = center._model.index(0)
    row = center.list.visualRect(index)
    QTest.mouseClick(center.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(row.center().x(), row.top() + 6))
    assert not center.details.isVisible()
    QTest.mouseClick(center.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, row.bottom() - 12))
    assert center.details.isVisible() and center.details.id == "a"


def test_the_details_do_all_a_row_does(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1))
    pressed, removed = told(center.list.pressed_action), told(center.list.wants_removed)
    keys(center, Qt.Key.Key_Return)
    pane = center.details
    assert pane.buttons[0].hasFocus()
    keys(center, Qt.Key.Key_Return)
    assert pressed == [("a", 0)]
    QTest.mouseClick(pane.read, Qt.MouseButton.LeftButton)
    assert "Leída · Enviando…" in labels(pane) and pane.read.text() == "Marcar como no leída"
    QTest.mouseClick(pane.read, Qt.MouseButton.LeftButton)
    kept = cache.get("a")
    assert kept is not None and not kept.read
    pane.fill_menu()
    pane.menu.actions()[1].trigger()
    kept = cache.get("a")
    assert kept is not None and kept.snoozed_until == choices(NOW)[1].at
    assert any(text.startswith("Pospuesta hasta mañana 9:00") for text in labels(pane))
    keys(center, Qt.Key.Key_Delete)
    assert removed == [("a",)]


def test_the_details_follow_the_item_and_close_when_it_is_gone(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    center.show_details("a")
    bring(cache, item("a", 3, message="Ahora dice otra cosa"))
    center._model.refresh({"a"})
    assert "Ahora dice otra cosa" in labels(center.details) and center.details.buttons[0].hasFocus()
    cache.apply(page(gone("a", 4)), now=NOW)
    center._model.refresh({"a"})
    assert center.list.isVisible() and not center.details.isVisible()


def test_details_show_remote_text_as_it_is(center: Center, cache: Cache) -> None:
    evil = "<b>x</b><img src='file:///etc/passwd'>"
    opened(center, cache, replace(item("a", 1, title=evil, message=evil), data={"previous_notes": evil}))
    center.show_details("a")
    shown = [label for label in center.details.findChildren(QLabel) if label.text() == evil]
    assert len(shown) == 3 and all(label.textFormat() == Qt.TextFormat.PlainText for label in shown)


def test_why_is_asked_of_the_server_and_answered_with_its_rule(center: Center, cache: Cache, server: Server) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    server.answer = {"rule": "Un cliente esperaba.", "decision": {"sentence": "Llegó sin aviso."}, "deliveries": []}
    center.show_details("a")
    QTest.mouseClick(center.details.why.button, Qt.MouseButton.LeftButton)
    assert server.asked == ["a"]
    for text in ("Un cliente esperaba.", "Llegó sin aviso.", "Todavía a ninguno de tus equipos."):
        assert text in labels(center.details)
    center.show_details("b")
    assert "Un cliente esperaba." not in labels(center.details)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (0, "Sin conexión con el servidor no se puede saber."),
        (404, "El servidor ya no tiene esta notificación, o todavía no sabe explicarla."),
        (503, "El servidor no puede ahora."),
    ],
)
def test_without_an_answer_it_says_so_and_can_be_asked_again(
    center: Center, cache: Cache, server: Server, status: int, sentence: str
) -> None:
    opened(center, cache, item("a", 1))
    server.error = ApiError("x", "El servidor no puede ahora.", status=status, permanent=False, detail="")
    center.show_details("a")
    QTest.mouseClick(center.details.why.button, Qt.MouseButton.LeftButton)
    assert sentence in labels(center.details) and center.details.why.button.text() == "Volver a preguntar"
    server.error, server.answer = None, {"rule": "Un cliente esperaba."}
    QTest.mouseClick(center.details.why.button, Qt.MouseButton.LeftButton)
    assert "Un cliente esperaba." in labels(center.details) and sentence not in labels(center.details)


def test_a_search_and_a_tab_leave_the_details(center: Center, cache: Cache) -> None:
    opened(center, cache, item("a", 1), item("b", 2))
    for key in (Qt.Key.Key_F, Qt.Key.Key_2):
        center.show_details("a")
        QTest.keyClick(center, key, Qt.KeyboardModifier.ControlModifier)
        assert center.list.isVisible() and not center.details.isVisible(), key
    assert center.header.search.isVisible() and center._model.narrowing.unread
