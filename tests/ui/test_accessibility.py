"""For whoever uses no mouse, sees little, or hears the screen: focus, size, names."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QRect, Qt, QUrl
from PySide6.QtGui import QAccessible, QFont, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.preferences import Preferences
from crmtray.protocol import NotificationAction
from crmtray.ui import theme as themes
from crmtray.ui.action_form import ActionForm, make_field
from crmtray.ui.center import Center
from crmtray.ui.configuration import Configuration
from crmtray.ui.link_question import LinkQuestion
from crmtray.ui.login import LoginWindow
from crmtray.ui.preferences_keeper import PreferencesKeeper
from crmtray.ui.settings_window import SettingsWindow
from crmtray.ui.shortcut import Shortcut
from crmtray.ui.sizes import Scrolling
from crmtray.ui.tabs import Tabs
from crmtray.ui.theme import Theme
from crmtray.ui.toast_card import Card, ToastButton
from crmtray.ui.toast_window import ToastStack
from tests.client.support import NOW, item
from tests.ui.center_support import opened
from tests.ui.support import PREFERENCES, Spawner

LONG = "Una conversación con Ana Pérez espera respuesta desde hace más de dos horas"
BUTTONS = tuple(ToastButton(label, lambda: None) for label in ("Responder", "Marcar como contactado", "Abrir"))


@pytest.fixture
def text_of(theme: Theme, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Sets how many pixels the system's text has, as its settings do while the program runs."""
    before = themes.base_font

    def set_to(pixels: int) -> None:
        def larger() -> QFont:
            font = before()
            font.setPixelSize(pixels)
            return font

        monkeypatch.setattr(themes, "base_font", larger)
        # As Qt tells its windows: nothing else of ours is asked to look.
        QApplication.sendEvent(theme._listener, QEvent(QEvent.Type.ThemeChange))
        QApplication.processEvents()

    yield set_to
    monkeypatch.undo()
    theme.follow()


# --- the windows ---------------------------------------------------------------------------------------------------


def login(theme: Theme, qtbot: QtBot) -> QWidget:
    window = LoginWindow()
    window.open("https://crm.ejemplo.com", "La sesión terminó porque alguien la cerró desde otro equipo.")
    window.submit()
    return window


def login_question(theme: Theme, qtbot: QtBot) -> QWidget:
    window = LoginWindow()
    window.open("https://crm.ejemplo.com")
    window.show_question(f"{LONG}. La sesión durará hasta que cierres crmtray. ¿Continuar?")
    return window


def settings(theme: Theme, *, computer: bool) -> SettingsWindow:
    async def answer(changes: object = None) -> Preferences:
        return PREFERENCES

    keeper = PreferencesKeeper(answer, answer, lambda: None, Spawner())
    menu = QMenu()
    window = SettingsWindow(
        theme,
        keeper,
        Configuration(ClientConfig()),
        autostart=None,
        shortcut=Shortcut(None),
        quiet_menu=menu,
        log_folder=Path,
        open_url=lambda url: True,
    )
    window.setProperty("keeper", (keeper, menu))
    keeper.signed_in()
    keeper.set_online(True)
    window.show_account("Ana López", "https://crm.ejemplo.com")
    window.open()
    if computer:
        window.computer_tab.click()
    return window


def alerts(theme: Theme, qtbot: QtBot) -> QWidget:
    window = settings(theme, computer=False)
    window.alerts.rows["email_address"].fail("El servidor no aceptó esta dirección; debe ser una sola.")
    return window


def computer(theme: Theme, qtbot: QtBot) -> QWidget:
    return settings(theme, computer=True)


def form(question: str) -> Callable[[Theme, QtBot], QWidget]:
    def made(theme: Theme, qtbot: QtBot) -> QWidget:
        sellers = [NotPerson("1", "Ana López"), NotPerson("2", "Diego Romero")]

        async def load() -> Sequence[NotPerson]:
            return sellers

        field = make_field(question, load, Spawner(), lambda: NOW)  # type: ignore[arg-type]
        window = ActionForm(item("a", 1, message=LONG), "Programar llamada", field)
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        window.show()
        window.submit() if question == "message" else None
        return window

    return made


class NotPerson:
    def __init__(self, id: str, name: str) -> None:
        self.id, self.name = id, name


def link(theme: Theme, qtbot: QtBot) -> QWidget:
    links = LinkQuestion(Configuration(ClientConfig()), lambda: "https://crm.ejemplo.com")
    links.ask(QUrl("https://otra.pagina.example/una/ruta?x=1"), lambda: None)
    assert links.box is not None
    links.box.setProperty("keeper", links)
    return links.box


def toast(theme: Theme, qtbot: QtBot) -> QWidget:
    stack = ToastStack(theme, play=lambda sound: None)
    asyncio.run(stack.show(Card("k", "hot_lead", LONG, LONG, BUTTONS, lambda: None, "critical", None)))
    window = stack.windows["k"]
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    window.setProperty("keeper", stack)
    return window


WINDOWS: dict[str, Callable[[Theme, QtBot], QWidget]] = {
    "login": login,
    "login_question": login_question,
    "alerts": alerts,
    "computer": computer,
    "moment": form("moment"),
    "seller": form("seller"),
    "message": form("message"),
    "link": link,
    "toast": toast,
}


@pytest.fixture(params=[*WINDOWS, "center", "details"])
def window(request: pytest.FixtureRequest, theme: Theme, qtbot: QtBot) -> QWidget:
    if request.param in WINDOWS:
        made = WINDOWS[request.param](theme, qtbot)
        qtbot.addWidget(made)
    else:
        made = request.getfixturevalue("center")
        opened(made, request.getfixturevalue("cache"), _item("a", 1), _item("b", 2))
        made.set_unread(2)
        made.set_quiet("No molestar hasta las 18:00", "18:00")
        if request.param == "details":
            made.show_details("a")
    QTest.qWaitForWindowExposed(made)
    made.activateWindow()
    QApplication.processEvents()
    return made


def _item(id: str, seq: int) -> object:
    actions = (NotificationAction("Responder", "respond"), NotificationAction("Reasignar a otra persona", "reassign"))
    return replace(item(id, seq, message=LONG), actions=actions)


def reached(window: QWidget) -> list[QWidget]:
    """Whatever Tab comes to, in order, until it comes round."""
    found: list[QWidget] = []
    for _ in range(80):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        widget = QApplication.focusWidget()
        if widget is not None and widget not in found:
            found.append(widget)
    return found


# --- by keyboard ---------------------------------------------------------------------------------------------------


def test_tab_comes_to_every_control(window: QWidget) -> None:
    there = [one for one in window.findChildren(QAbstractButton) if one.isVisible() and one.isEnabled()]
    there = [one for one in there if not isinstance(one.parent(), QTabBar | QLineEdit)]
    assert there and [one.accessibleName() or one.text() for one in set(there) - set(reached(window))] == []


def test_enter_presses_the_button_of_a_toast(theme: Theme, qtbot: QtBot) -> None:
    pressed: list[str] = []
    buttons = tuple(ToastButton(one, lambda one=one: pressed.append(one)) for one in ("a", "b"))  # type: ignore[misc]
    stack = ToastStack(theme, play=lambda sound: None)
    asyncio.run(stack.show(Card("k", "hot_lead", LONG, LONG, buttons, lambda: pressed.append("card"), "normal", None)))
    second = stack.windows["k"].buttons[1]
    QTest.keyClick(second, Qt.Key.Key_Return)
    assert pressed == ["b"]


def test_enter_presses_the_buttons_of_settings_and_center(
    theme: Theme, qtbot: QtBot, center: Center, cache: Cache
) -> None:
    window = settings(theme, computer=False)
    qtbot.addWidget(window)
    QTest.keyClick(window.close_button, Qt.Key.Key_Return)
    assert not window.isVisible()
    opened(center, cache, _item("a", 1))
    QTest.keyClick(center.clear_button, Qt.Key.Key_Return)
    assert center.undo_bar.isVisible() and center.undo_bar.button.hasFocus()
    QTest.keyClick(center.undo_bar.button, Qt.Key.Key_Return)
    assert not center.undo_bar.isVisible() and center._model.rowCount() == 1


def test_shift_f10_opens_the_menu_of_the_row(center: Center, cache: Cache) -> None:
    wanted: list[str] = []
    center.list.wants_menu.connect(lambda id, at: wanted.append(id))
    opened(center, cache, _item("a", 1), _item("b", 2))
    QTest.keyClick(center.list, Qt.Key.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    assert wanted == ["b"]


# In the center the list comes first and the header last, see docs/keyboard.md.
@pytest.mark.parametrize("window", list(WINDOWS), indirect=True)
def test_tab_goes_from_the_top_down(window: QWidget) -> None:
    """Within what scrolls or stands together; rows of buttons from left to right."""
    window.setFocus()
    found = reached(window)
    places = [one.mapTo(window, one.rect().center()).y() for one in found]
    start = min(range(len(places)), key=places.__getitem__)
    turned = [*range(start, len(found)), *range(start)]
    backwards = [
        (found[one], found[two])
        for one, two in itertools.pairwise(turned)
        if _page(found[one]) is _page(found[two]) and places[two] < places[one] - 12
    ]
    assert len(found) > 1 and backwards == []


def _page(widget: QWidget) -> QWidget | None:
    """What scrolls it, if anything does."""
    parent: QWidget | None = widget
    while parent is not None and not isinstance(parent, Scrolling):
        parent = parent.parentWidget()
    return parent


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_has_the_focus_looks_otherwise(
    window: QWidget, theme: Theme, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("CRMTRAY_COLOR_SCHEME", scheme)
    theme.follow()
    QApplication.setCursorFlashTime(0)  # not the caret: its field must show it
    unseen = []
    for widget in reached(window):
        if not widget.isVisible():
            continue
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        with_focus = widget.grab().toImage()
        widget.clearFocus()
        QApplication.processEvents()
        changed = different(with_focus, widget.grab().toImage())
        if changed < 2 * min(widget.width(), widget.height()):
            unseen.append((widget.metaObject().className(), widget.accessibleName() or _text(widget), changed))
    assert unseen == []


def different(one: QImage, other: QImage) -> int:
    assert one.size() == other.size(), "with the focus it is as large as without"
    before, after = (memoryview(_bits(image)).cast("I") for image in (one, other))
    return sum(a != b for a, b in zip(before, after, strict=True))


def _bits(image: QImage) -> bytes:
    return bytes(image.convertToFormat(QImage.Format.Format_RGB32).constBits())


# --- size ----------------------------------------------------------------------------------------------------------


def cut(window: QWidget) -> list[tuple[str, str]]:
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or not (text := _text(widget)):
            continue
        need = widget.minimumSizeHint()
        short = widget.width() < need.width() or widget.height() < need.height()
        if isinstance(widget, QLabel) and widget.wordWrap():
            short = widget.height() < widget.heightForWidth(widget.width())
        if short or not _inside(widget, window):
            found.append((type(widget).__name__, text))
    return found


def _text(widget: QWidget) -> str:
    if isinstance(widget, QLabel | QAbstractButton):
        given = widget.text()
        return "" if type(widget).__name__ == "Elided" else given
    return ""


def _inside(widget: QWidget, window: QWidget) -> bool:
    """Of the page that scrolls, or of the window: to the right nothing scrolls."""
    area = _page(widget)
    around = (area.widget() if isinstance(area, Scrolling) else None) or window
    place = QRect(widget.mapTo(around, widget.rect().topLeft()), widget.size())
    return around.rect().contains(place)


@pytest.mark.parametrize("pixels", [13, 20, 26])
def test_no_text_is_cut_when_the_text_grows_while_it_is_open(
    window: QWidget, text_of: Callable[[int], None], pixels: int
) -> None:
    before = window.width()
    text_of(pixels)
    QApplication.processEvents()
    assert cut(window) == []
    assert pixels == 13 or window.width() > before
    free = window.screen().availableGeometry()
    assert window.width() <= free.width() and window.height() <= free.height()


def test_a_window_that_was_built_with_small_text_is_as_one_built_with_large(
    theme: Theme, qtbot: QtBot, text_of: Callable[[int], None]
) -> None:
    grown = LoginWindow()
    qtbot.addWidget(grown)
    grown.open("https://crm.ejemplo.com")
    text_of(20)
    new = LoginWindow()
    qtbot.addWidget(new)
    new.open("https://crm.ejemplo.com")
    QApplication.processEvents()
    assert grown.width() == new.width() and abs(grown.height() - new.height()) < 5
    assert grown.server.height() == new.server.height()


def test_what_a_small_screen_cannot_show_scrolls(qtbot: QtBot) -> None:
    page = QWidget()
    page.setMinimumHeight(900)
    area = Scrolling(page)
    qtbot.addWidget(area)
    area.resize(200, 300)
    area.show()
    assert area.scrolls and area.bar.maximum() == 600
    area.bar.setValue(250)
    assert page.y() == -250
    area.resize(200, 900)
    assert not area.scrolls


# --- for who hears the screen ---------------------------------------------------------------------------------------


def test_tabs_are_tabs(qtbot: QtBot) -> None:
    tabs = Tabs("tab")
    qtbot.addWidget(tabs)
    first, second = tabs.add("Todas"), tabs.add("Sin leer")
    spoken = QAccessible.queryAccessibleInterface(tabs)
    assert spoken.role() == QAccessible.Role.PageTabList
    roles = [(spoken.child(at).role(), spoken.child(at).text(QAccessible.Text.Name)) for at in range(2)]
    assert roles == [(QAccessible.Role.PageTab, "Todas"), (QAccessible.Role.PageTab, "Sin leer")]
    chosen: list[None] = []
    tabs.chosen.connect(lambda: chosen.append(None))
    second.click()
    assert second.isChecked() and not first.isChecked() and len(chosen) == 1
    first.setChecked(True)
    assert first.isChecked() and len(chosen) == 1, "what the program sets is not told"


def test_a_screen_reader_finds_no_bar_that_goes(qtbot: QtBot) -> None:
    """Qt reads beside its list when a bar has gone between two questions."""
    page = QWidget()
    page.setMinimumHeight(2000)
    area = Scrolling(page)
    qtbot.addWidget(area)
    area.resize(200, 300)
    area.show()
    spoken = QAccessible.queryAccessibleInterface(area)
    before = spoken.childCount()
    area.hide()
    assert area.bar.maximum() > 0 and before == spoken.childCount() == 1


def test_nothing_else_scrolls_by_qts_own_area() -> None:
    ours = Path(themes.__file__).parent
    users = [file.name for file in ours.glob("*.py") if "QScrollArea(" in file.read_text().replace("(QScrollArea)", "")]
    assert users == []


def test_an_error_belongs_to_its_field(qtbot: QtBot, theme: Theme) -> None:
    window = LoginWindow()
    qtbot.addWidget(window)
    window.open("https://crm.ejemplo.com")
    window.email.setText("ana@ejemplo.com")
    window.submit()
    assert window.password.accessibleDescription() == "Falta la contraseña."
    QTest.keyClick(window.password, Qt.Key.Key_A)
    assert window.password.accessibleDescription() == ""


@pytest.fixture
def heard() -> Iterator[None]:
    """As if something read the screen."""
    QAccessible.setActive(True)
    yield
    QAccessible.setActive(False)


def row_buttons(center: Center) -> list[QPushButton]:
    panel = center.list.row_buttons._panel
    return [] if panel is None else [one for one in panel.findChildren(QPushButton) if one.isVisible()]


def test_the_painted_buttons_of_a_row_can_be_found_and_pressed(center: Center, cache: Cache, heard: None) -> None:
    pressed: list[tuple[str, int]] = []
    center.list.pressed_action.connect(lambda id, number: pressed.append((id, number)))
    opened(center, cache, _item("a", 1), _item("b", 2))
    QApplication.processEvents()
    assert [one.accessibleName() for one in row_buttons(center)] == [
        "Responder",
        "Reasignar a otra persona",
        "Marcar como leída",
    ]
    QAccessible.queryAccessibleInterface(row_buttons(center)[1]).actionInterface()
    row_buttons(center)[1].click()
    assert pressed == [("b", 1)], "of the newest, which is the current row"
    QTest.keyClick(center.list, Qt.Key.Key_Down)
    QApplication.processEvents()
    row_buttons(center)[0].click()
    assert pressed[1:] == [("a", 0)]
    center.show_details("a")
    QApplication.processEvents()
    assert row_buttons(center) == []


def test_the_painted_button_with_the_frame_says_that_it_has_the_focus(
    center: Center, cache: Cache, heard: None
) -> None:
    opened(center, cache, _item("a", 1))
    QTest.keyClick(center.list, Qt.Key.Key_Tab)
    QApplication.processEvents()
    assert [_focused(one) for one in row_buttons(center)] == [True, False, False]
    QTest.keyClick(center.list, Qt.Key.Key_Right)
    QApplication.processEvents()
    assert [_focused(one) for one in row_buttons(center)] == [False, True, False]
    QTest.keyClick(center.list, Qt.Key.Key_Down)
    QApplication.processEvents()
    assert center.list.hasFocus()


def _focused(button: QPushButton) -> bool:
    return bool(QAccessible.queryAccessibleInterface(button).state().focused)


def test_who_does_not_listen_pays_nothing(center: Center, cache: Cache) -> None:
    opened(center, cache, _item("a", 1))
    QApplication.processEvents()
    assert center.list.row_buttons._panel is None


def test_boxes_are_boxes_and_locks_say_why(qtbot: QtBot, theme: Theme) -> None:
    window = settings(theme, computer=True)
    qtbot.addWidget(window)
    spoken = QAccessible.queryAccessibleInterface(window.computer.autostart)
    assert spoken.role() == QAccessible.Role.CheckBox
    assert spoken.text(QAccessible.Text.Description).startswith("Esto es una demostración")
