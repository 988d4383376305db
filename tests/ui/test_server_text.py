"""What others write is text: in no window, tooltip or menu is it markup, a shortcut, or a second line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu, QTextEdit, QWidget

from crmtray.protocol import NotificationAction
from crmtray.ui.theme import Theme
from tests.client.support import item, wait_until
from tests.ui.test_desk import Office, working

MARK = "zorro"
CORPUS = [
    f'<img src="http://127.0.0.1:1/{MARK}.png">',
    f"<b>{MARK}</b>",
    f"{MARK} & &amp; {MARK}&x",
    f"<a href='http://127.0.0.1:1/'>{MARK}</a><br>",
    f"<!DOCTYPE html><table><tr><td>{MARK}",
]


def windows() -> list[QWidget]:
    return [widget for widget in QApplication.allWidgets() if widget.isVisible()]


def judge(text: str) -> int:
    """Fails for what would be drawn otherwise than written; how many places showed it."""
    seen = 0
    for widget in windows():
        assert MARK not in widget.toolTip() or "<" not in widget.toolTip(), widget
        if isinstance(widget, QLabel) and MARK in widget.text():
            assert widget.textFormat() == Qt.TextFormat.PlainText, (widget, widget.text())
            seen += 1
        elif isinstance(widget, QTextEdit) and MARK in widget.toPlainText():
            assert text in widget.toPlainText(), widget
            seen += 1
        elif isinstance(widget, QAbstractButton) and MARK in widget.text():
            assert "&" not in widget.text().replace("&&", ""), (widget, widget.text())
            seen += 1
        elif isinstance(widget, QMenu):
            seen += judge_menu(widget)
    return seen


def judge_menu(menu: QMenu) -> int:
    entries = [action for action in menu.actions() if MARK in action.text()]
    for action in entries:
        assert "&" not in action.text().replace("&&", ""), action.text()
        assert not menu.toolTipsVisible() or "<" not in action.toolTip()
    return len(entries)


async def told(office: Office, text: str) -> None:
    await office.sign_in()
    office.desk.center.hide()  # where it would be told otherwise
    action = NotificationAction(text, "contact_lead", {"lead_id": "7"})
    ask = NotificationAction(text, "notify_seller", {"seller_id": "7"})
    data = {"lead_name": text, "phone_number": text, "location": text}
    made = item("a", 0, title=text, message=text, created_at=datetime.now(UTC))
    await office.server.add(replace(made, actions=(action, ask), data=data))
    await wait_until(lambda: office.desk.cache.get("a") is not None, "the item")


@pytest.mark.parametrize("text", CORPUS)
async def test_text_of_others_is_text(theme: Theme, text: str) -> None:
    async with working(theme) as office:
        desk = office.desk
        office.service.works = False  # so that the app draws the toast itself
        await told(office, text)
        await wait_until(lambda: judge(text) > 0, "the app's own toast")

        desk.center.show_item("a")
        QTest.keyClick(desk.center.list, Qt.Key.Key_Return)
        with_details = judge(text)
        assert with_details > 1, "toast and details"

        desk._item_menu("a", QPoint(0, 0))
        [menu] = [widget for widget in windows() if isinstance(widget, QMenu)]
        assert judge_menu(menu) == 2
        menu.close()

        desk.actions.trigger_number("a", 1)
        assert judge(text) >= with_details, "the form"
        desk.notice(text)
        judge(text)


@pytest.mark.parametrize("text", CORPUS)
async def test_names_and_sentences_of_a_server_are_text_in_the_tray(theme: Theme, text: str) -> None:
    async with working(theme) as office:
        tray = office.desk.tray
        tray.set_user(text)
        tray.set_connection("offline", text)
        assert judge_menu(tray.menu) == 2
        office.desk.login_window.open(None, text)
        assert judge(text) == 1
        office.desk.login_window.fail("other", text)
        assert judge(text) == 2
