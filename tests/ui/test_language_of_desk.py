"""The whole tray app changes its language while it runs, and every control of it has a name in both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QWidget

from crmtray.ui.language import Language
from crmtray.ui.theme import Theme
from tests.ui.test_desk import working

CONTROLS = (QAbstractButton, QComboBox, QLineEdit)


@pytest.fixture(autouse=True)
def spanish_again(qapp: QApplication) -> Iterator[None]:
    Language.of(qapp).use("es")
    yield
    Language.of(qapp).use("es")


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
