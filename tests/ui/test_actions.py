"""What buttons do: pages that open and pages that must not, forms, and the queue behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QListWidget, QMenu, QWidget
from pytestqt.qtbot import QtBot

from crmtray.api import ApiError, Seller
from crmtray.cache import Cache
from crmtray.outbox import Outbox
from crmtray.protocol import NotificationAction
from crmtray.ui.action_form import MessageField, MomentField, SellerField
from crmtray.ui.actions import Actions, web_address
from crmtray.ui.item_menu import ItemMenu
from crmtray.ui.moments import choices
from tests.client.support import NOW, item
from tests.ui.support import Spawner, fill


class Browser:
    def __init__(self) -> None:
        self.opened: list[str] = []
        self.works = True

    def __call__(self, url: QUrl) -> bool:
        self.opened.append(url.toString())
        return self.works


class Staff:
    """The list of sellers; `error`: it cannot be had now."""

    def __init__(self) -> None:
        self.error: ApiError | None = None

    async def __call__(self) -> Sequence[Seller]:
        if self.error is not None:
            raise self.error
        return [Seller("8", "Ana López"), Seller("9", "Bruno Díaz"), Seller("10", "Carla Núñez")]


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def staff() -> Staff:
    return Staff()


@pytest.fixture
def actions(cache: Cache, outbox: Outbox, browser: Browser, staff: Staff, spawner: Spawner, qtbot: QtBot) -> Actions:
    fill(cache, [item("a", 1)])
    actions = Actions(cache, outbox, staff, spawner, open_url=browser, clock=lambda: NOW)
    actions.said = []  # type: ignore[attr-defined]
    actions.notice.connect(actions.said.append)  # type: ignore[attr-defined]
    return actions


def said(actions: Actions) -> list[str]:
    sentences: list[str] = actions.said  # type: ignore[attr-defined]
    return sentences


def queued(cache: Cache) -> list[tuple[str, str | None, Any]]:
    return [(row.kind, row.action, row.args.get("params")) for row in cache.outbox_rows()]


def link(url: str | None, action: str = "open_chat") -> NotificationAction:
    return NotificationAction("Responder", action, {"conversation_id": "5"}, url)


def test_a_link_opens_and_the_item_becomes_read(actions: Actions, cache: Cache, browser: Browser) -> None:
    actions.trigger("a", link("https://crm.example/chats?conversation=5"))
    assert browser.opened == ["https://crm.example/chats?conversation=5"]
    assert queued(cache) == [("action", "open_chat", {"conversation_id": "5"})]
    kept = cache.get("a")
    assert kept is not None and kept.read and said(actions) == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "javascript:alert(1)",
        "smb://server/share",
        "\\\\server\\share",
        "vscode://open",
        "http://",
        "https:///nohost",
        "/chats?conversation=5",
        "https://user:pass@crm.example/",
        "data:text/html,<script>",
        "http://exa mple/",
    ],
)
def test_what_is_not_a_web_page_is_never_opened(actions: Actions, cache: Cache, browser: Browser, url: str) -> None:
    actions.trigger("a", link(url))
    assert browser.opened == [] and queued(cache) == []
    assert said(actions) == ["La dirección de esta acción no es una página web (http o https); no se abre."]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/demo/leads/1", " https://crm.example/ñandú?q=1#x "])
def test_web_pages_are(url: str) -> None:
    assert web_address(url) is not None


def test_a_link_without_an_address_says_what_is_missing(actions: Actions, cache: Cache) -> None:
    actions.trigger("a", link(None))
    assert said(actions) == ["El CRM no tiene una dirección web configurada para esta acción."]
    assert queued(cache) == []


def test_without_a_browser_the_address_is_told_and_the_item_stays_unread(
    actions: Actions, cache: Cache, browser: Browser
) -> None:
    browser.works = False
    actions.trigger("a", link("https://crm.example/x"))
    assert "https://crm.example/x" in said(actions)[0] and queued(cache) == []


def test_somebody_elses_link_opens_and_marks_read(actions: Actions, cache: Cache, browser: Browser) -> None:
    actions.trigger("a", link("https://crm.example/x", action="open_invoice"))
    assert browser.opened == ["https://crm.example/x"]
    assert [row.kind for row in cache.outbox_rows()] == ["read"]


def test_an_action_this_version_does_not_know(actions: Actions, cache: Cache) -> None:
    actions.trigger("a", NotificationAction("Teletransportar", "teleport"))
    assert "no conoce" in said(actions)[0] and queued(cache) == []


def test_mark_contacted_needs_no_form(actions: Actions, cache: Cache) -> None:
    actions.trigger("a", NotificationAction("Marcar como contactado", "mark_contacted", {"lead_id": "7"}))
    assert queued(cache) == [("action", "mark_contacted", {"lead_id": "7"})] and actions.form is None


def test_an_item_that_is_gone(actions: Actions) -> None:
    actions.trigger("gone", link("https://crm.example/"))
    assert said(actions) == ["Esa notificación ya no existe."]


# --- forms -----------------------------------------------------------------------------------------------------


def ask(actions: Actions, action: str) -> Any:
    actions.trigger("a", NotificationAction("Botón", action, {"lead_id": "7"}))
    assert actions.form is not None
    QTest.qWaitForWindowExposed(actions.form)
    return actions.form


@pytest.mark.parametrize("action", ["reassign", "assign_lead"])
def test_a_seller_is_chosen_by_typing(actions: Actions, cache: Cache, action: str) -> None:
    form = ask(actions, action)
    field = form.field
    assert isinstance(field, SellerField) and form.send.isEnabled()
    QTest.keyClicks(field._filter, "CARLA")
    QTest.keyClick(field._filter, Qt.Key.Key_Return)
    assert queued(cache) == [("action", action, {"lead_id": "7", "seller_id": "10"})]
    assert not form.isVisible()


def test_arrows_choose_while_typing(actions: Actions, cache: Cache) -> None:
    form = ask(actions, "reassign")
    QTest.keyClick(form.field._filter, Qt.Key.Key_Down)
    QTest.keyClick(form.field._filter, Qt.Key.Key_Return)
    assert queued(cache)[0][2]["seller_id"] == "9"


def test_sellers_that_cannot_be_loaded_can_be_tried_again(actions: Actions, staff: Staff) -> None:
    staff.error = ApiError("unreachable", "No se pudo conectar con crm.example.", status=0, permanent=False, detail="")
    form = ask(actions, "reassign")
    assert form.field.state.text().endswith("No se pudo conectar con crm.example.") and not form.send.isEnabled()
    form.submit()
    assert form.isVisible()
    staff.error = None
    QTest.mouseClick(form.field.again, Qt.MouseButton.LeftButton)
    people: QListWidget = form.field.people
    assert people.isVisible() and people.count() == 3 and form.send.isEnabled()


@pytest.mark.parametrize("action", ["schedule_call", "reschedule", "schedule_meeting"])
def test_a_moment_is_chosen_by_one_press(actions: Actions, cache: Cache, action: str) -> None:
    form = ask(actions, action)
    assert isinstance(form.field, MomentField)
    assert [button.text() for button in form.field.quick] == ["En 1 hora", "Mañana 9:00", "Lunes 9:00"]
    QTest.mouseClick(form.field.quick[1], Qt.MouseButton.LeftButton)
    QTest.mouseClick(form.send, Qt.MouseButton.LeftButton)
    expected = choices(NOW)[1].at.astimezone(UTC)
    assert queued(cache) == [("action", action, {"lead_id": "7", "at": f"{expected:%Y-%m-%dT%H:%M:%SZ}"})]


def test_a_moment_in_the_past_is_refused(actions: Actions, cache: Cache) -> None:
    form = ask(actions, "schedule_call")
    form.field.set(NOW - timedelta(minutes=1))
    form.submit()
    assert form.isVisible() and "ya pasó" in form.error.text() and queued(cache) == []


def test_a_message_is_needed_and_not_endless(actions: Actions, cache: Cache) -> None:
    form = ask(actions, "notify_seller")
    assert isinstance(form.field, MessageField)
    form.submit()
    assert form.error.text() == "Falta escribir el mensaje."
    form.field.edit.setPlainText("x" * 1001)
    form.submit()
    assert "demasiado largo" in form.error.text()
    form.field.edit.setPlainText("  Llamar a <b>Juan</b> hoy ")
    form.submit()
    assert queued(cache) == [("action", "notify_seller", {"lead_id": "7", "message": "Llamar a <b>Juan</b> hoy"})]


def test_escape_gives_up_and_a_second_form_replaces_the_first(actions: Actions, cache: Cache) -> None:
    first = ask(actions, "notify_seller")
    second = ask(actions, "schedule_call")
    assert second.isVisible()
    QTest.keyClick(second, Qt.Key.Key_Escape)
    assert queued(cache) == [] and first is not second


def test_nine_in_the_morning_is_nine_on_the_wall() -> None:
    zone = timezone(timedelta(hours=-3))
    friday = datetime(2026, 2, 27, 23, 30, tzinfo=UTC)
    assert [(choice.label, choice.at.strftime("%a %H:%M")) for choice in choices(friday, zone)] == [
        ("En 1 hora", "Fri 21:30"),
        ("Mañana 9:00", "Sat 09:00"),
        ("Lunes 9:00", "Mon 09:00"),
    ]


def test_on_a_monday_monday_is_the_next_one() -> None:
    monday = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert choices(monday, UTC)[2].at == datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


def test_a_snooze_is_until_a_moment_of_ones_own(actions: Actions, cache: Cache) -> None:
    actions.snooze("a", None)
    form = actions.form
    assert form is not None and isinstance(form.field, MomentField)
    wanted = NOW + timedelta(days=3)
    form.field.set(wanted)
    form.submit()
    kept = cache.get("a")
    assert kept is not None and kept.snoozed_until == wanted and not form.isVisible()
    actions.snooze("a", NOW + timedelta(hours=1))
    kept = cache.get("a")
    assert kept is not None and kept.snoozed_until == NOW + timedelta(hours=1)


def test_the_moment_that_stands_in_the_field_is_the_one_that_is_chosen(actions: Actions) -> None:
    field = ask(actions, "schedule_call").field
    assert [button.isChecked() for button in field.quick] == [True, False, False]
    QTest.mouseClick(field.quick[2], Qt.MouseButton.LeftButton)
    assert [button.isChecked() for button in field.quick] == [False, False, True]
    field.edit.setDateTime(field.edit.dateTime().addSecs(60))
    assert not any(button.isChecked() for button in field.quick)
    QTest.mouseClick(field.quick[1], Qt.MouseButton.LeftButton)
    assert field.quick[1].isChecked()


def test_the_counter_of_a_message_turns_into_a_warning(actions: Actions) -> None:
    field = ask(actions, "notify_seller").field
    field.edit.setPlainText("x" * 1000)
    assert field.left.text() == "1000 / 1000" and field.left.property("look") == "small"
    field.edit.setPlainText("x" * 1001)
    assert field.left.text() == "1001 / 1000" and field.left.property("look") == "error"


def test_a_form_is_as_high_as_what_it_says(actions: Actions, staff: Staff) -> None:
    form = ask(actions, "notify_seller")
    before = form.height()
    form.submit()
    assert form.error.isVisible() and form.height() > before
    QApplication.processEvents()
    parts = [form.field, form.error, form.send]
    bottoms = [part.mapTo(form, part.rect().bottomLeft()).y() for part in parts]
    tops = [part.mapTo(form, part.rect().topLeft()).y() for part in parts]
    assert all(bottom < top for bottom, top in zip(bottoms, tops[1:], strict=False)), "one over the other"


def test_what_is_snoozed_can_be_brought_back_at_once(actions: Actions, cache: Cache, outbox: Outbox) -> None:
    actions.snooze("a", NOW + timedelta(hours=1))
    item_a = cache.get("a")
    assert item_a is not None
    parent = QWidget()
    menu = ItemMenu(item_a, actions, outbox, parent, clock=lambda: NOW)
    later = next(entry for entry in menu.actions() if entry.text() == "Posponer").menu()
    assert isinstance(later, QMenu)
    entries = [entry.text() for entry in later.actions() if entry.text()]
    assert entries == ["Traer ahora", "En 1 hora", "Mañana 9:00", "Lunes 9:00", "Elegir fecha y hora…"]
    later.actions()[0].trigger()
    item_a = cache.get("a")
    assert item_a is not None and item_a.snoozed_until is None and not item_a.read
    assert [row.kind for row in cache.outbox_rows()] == ["snooze", "read", "unread"]
    parent.close()
