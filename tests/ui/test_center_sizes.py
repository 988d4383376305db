"""The center when the system's letters or colours change under it, open or closed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.ui.center import Center
from crmtray.ui.theme import DARK, WIDTH, Theme
from tests.client.support import item
from tests.ui.center_support import opened, painted


def letters(pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the person sets them in the system."""
    font = QFont()
    font.setPixelSize(pixels)
    monkeypatch.setattr(QFontDatabase, "systemFont", staticmethod(lambda kind: QFont(font)))


def told_by_the_system(theme: Theme) -> None:
    """What Qt does when the desktop says that it looks otherwise."""
    QApplication.sendEvent(theme._listener, QEvent(QEvent.Type.ThemeChange))


def heights(center: Center) -> tuple[int, ...]:
    row = center.list.visualRect(center._model.index(0))
    return center.header.height(), center._foot.height(), row.height(), center.header.search_button.iconSize().width()


@pytest.mark.parametrize("is_open", [True, False])
def test_larger_letters_make_all_of_it_larger(
    is_open: bool, center: Center, theme: Theme, cache: Cache, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters(13, monkeypatch)
    theme.follow()
    opened(center, cache, item("a", 1), item("b", 2))
    before = heights(center)
    if not is_open:
        center.close()
    letters(26, monkeypatch)
    told_by_the_system(theme)
    qtbot.waitUntil(lambda: center.width() == 2 * WIDTH)
    if not is_open:
        center.open()
    qtbot.waitUntil(lambda: all(new >= 1.6 * old for new, old in zip(heights(center), before, strict=True)))
    free, place = center.screen().availableGeometry(), center.frameGeometry()
    assert free.left() <= place.left() and place.right() <= free.right()
    letters(13, monkeypatch)
    told_by_the_system(theme)
    qtbot.waitUntil(lambda: center.width() == WIDTH and heights(center) == before)


@pytest.mark.parametrize("is_open", [True, False])
def test_other_colours_are_taken_at_once(
    is_open: bool, center: Center, theme: Theme, cache: Cache, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(center, cache, item("a", 1))
    if not is_open:
        center.close()
    monkeypatch.setenv("CRMTRAY_COLOR_SCHEME", "dark")
    told_by_the_system(theme)
    qtbot.waitUntil(lambda: theme.colours is DARK)
    if not is_open:
        center.open()
    assert painted(center, DARK.card_unread) > 1000
    assert center.header.palette().window().color().name().upper() in (DARK.card, DARK.window)
