"""The whole tray app changes its language while it runs, and every control of it has a name in both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QUrl
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QLineEdit, QPushButton, QWidget

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.protocol import NotificationAction, parse_time
from crmtray.ui.action_form import MessageField, MomentField
from crmtray.ui.configuration import Configuration
from crmtray.ui.language import Language
from crmtray.ui.link_question import LinkQuestion
from crmtray.ui.theme import Theme
from crmtray.ui.toast_window import ToastStack
from crmtray.ui.toasts import Toasts
from tests.client.support import NOW, item, wait_until
from tests.ui.support import FakeDesktop, Spawner, bring, fill
from tests.ui.test_desk import tell, working

CONTROLS = (QAbstractButton, QComboBox, QLineEdit)


@pytest.fixture(autouse=True)
def spanish_again(qapp: QApplication) -> Iterator[None]:
    Language.of(qapp).use("es")
    yield
    Language.of(qapp).use("es")


def _speak(qapp: QApplication, language: str) -> None:
    Language.of(qapp).use(language)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.LanguageChange.value)


def _names(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text


def _unnamed(window: QWidget) -> list[str]:
    """Controls that somebody can come to, and a screen reader has nothing to say of."""
    found = []
    for kind in CONTROLS:
        for control in window.findChildren(kind):
            own = not isinstance(control.parent(), (QLineEdit, QComboBox))
            if own and control.isVisibleTo(window) and not _names(control):
                found.append(f"{type(control).__name__} in {type(control.parent()).__name__}")
    return found


@pytest.mark.parametrize("language", ["es", "en"])
async def test_every_control_has_a_name(theme: Theme, qapp: QApplication, language: str) -> None:
    async with working(theme) as office:
        Language.of(qapp).use(language)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LanguageChange.value)
        office.desk.settings.open()
        assert office.desk.settings.window is not None
        for window in (office.desk.center, office.desk.login_window, office.desk.settings.window):
            assert _unnamed(window) == []


async def test_the_language_chosen_in_the_settings_counts_everywhere_at_once(theme: Theme) -> None:
    async with working(theme) as office:
        desk = office.desk
        desk.settings.open()
        desk.center.open()
        before = desk.settings.window
        assert before is not None
        before.computer_tab.click()
        before.computer.language.setCurrentIndex(before.computer.language.findData("en"))
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LanguageChange.value)
        after = desk.settings.window
        assert after is not None and after is not before
        assert after.isVisible() and after.computer_tab.isChecked()
        assert after.windowTitle() == "Settings — crmtray"
        assert desk.center.windowTitle() == "Notifications — crmtray"
        assert desk.center.read_all_button.text() == "Mark all as read"
        assert desk.center.header.all_tab.text() == "All"
        assert "Quit" in {action.text() for action in desk.tray.menu.actions()}


async def test_what_is_typed_in_a_form_stays(theme: Theme, qapp: QApplication) -> None:
    async with working(theme) as office:
        desk = office.desk
        await office.sign_in()
        await tell(office, "n1")
        await wait_until(lambda: desk.cache.get("n1") is not None, "the item")
        desk.actions.trigger("n1", NotificationAction("Enviar alerta", "notify_seller"))
        form = desk.actions.form
        assert form is not None and isinstance(form.field, MessageField)
        form.field.edit.setPlainText("¿Lo llamas hoy?")
        _speak(qapp, "en")
        assert desk.actions.form is form and form.isVisible()
        assert form.field.edit.toPlainText() == "¿Lo llamas hoy?"
        assert form.field.edit.accessibleName() == "Message"
        assert "Cancel" in [button.text() for button in form.findChildren(QPushButton)]


async def test_a_moment_that_is_chosen_stays(theme: Theme, qapp: QApplication) -> None:
    async with working(theme) as office:
        desk = office.desk
        await office.sign_in()
        await tell(office, "n1")
        await wait_until(lambda: desk.cache.get("n1") is not None, "the item")
        desk.actions.ask_snooze("n1")
        form = desk.actions.form
        assert form is not None and isinstance(form.field, MomentField)
        chosen = datetime(2030, 3, 5, 16, 30).astimezone()
        form.field.set(chosen)
        assert form.field.edit.text() == "mar 5 mar 2030 · 16:30"
        _speak(qapp, "en")
        assert form.field.edit.text() == "Tue 5 Mar 2030 · 16:30"
        assert form.field.quick[0].text() == "In 1 hour"
        answer = form.field.answer()
        assert isinstance(answer, dict) and parse_time(answer["at"]) == chosen


def test_the_question_about_a_link_changes(qapp: QApplication) -> None:
    links = LinkQuestion(Configuration(ClientConfig()), lambda: "https://crm.example.com")
    links.ask(QUrl("https://other.example.org/"), lambda: None)
    assert links.box is not None
    _speak(qapp, "en")
    assert links.box.open_button.text() == "Open" and "goes to other.example.org" in links.box.text()
    links.close()


def test_a_toast_on_the_screen_changes(theme: Theme, qapp: QApplication) -> None:
    cache, service = Cache.open(None), FakeDesktop()
    service.works = False
    fill(cache, [])
    own = ToastStack(theme, play=lambda _: None)
    toasts = Toasts(cache, service, own, Spawner(), clock=lambda: NOW)
    bring(cache, item("n1", 2, priority="urgent", created_at=NOW))
    toasts.arrived(False)
    assert own.windows["n1"].buttons[-1].text() == "Abrir"
    _speak(qapp, "en")
    toasts.retell()
    assert own.windows["n1"].buttons[-1].text() == "Open"
    assert "Urgent" in [label.text() for label in own.windows["n1"].findChildren(QLabel)]
    asyncio.run(toasts.close())
    cache.close()
