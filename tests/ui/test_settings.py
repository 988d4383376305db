"""The settings window: what the server says is shown, what the person changes is sent at once, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, QUrl, Signal
from PySide6.QtGui import QFont, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from crmtray.api import ApiError
from crmtray.autostart import for_profile
from crmtray.config import ClientConfig, load
from crmtray.preferences import Preferences
from crmtray.protocol import INVALID_REQUEST, Json
from crmtray.ui import theme as themes
from crmtray.ui.configuration import Configuration
from crmtray.ui.settings import Settings
from crmtray.ui.settings_alerts import AlertsPage
from crmtray.ui.settings_computer import ComputerPage
from crmtray.ui.settings_window import SettingsWindow
from crmtray.ui.shortcut import Shortcut
from crmtray.ui.tasks import Tasks
from crmtray.ui.theme import Theme
from tests.client.support import wait_until
from tests.ui.support import PREFERENCES, Spawner

AWAY = ApiError("unreachable", "No se pudo conectar con crm.", status=0, permanent=False, detail="no route")
BROKEN = ApiError("internal_error", "El servidor no pudo hacerlo.", status=500, permanent=False, detail="500")


class Office:
    """A server's side of the preferences."""

    def __init__(self) -> None:
        self.kept = PREFERENCES
        self.sent: list[Json] = []
        self.error: ApiError | None = None
        self.answering = asyncio.Event()
        self.answering.set()
        self.remembered: Preferences | None = None

    async def settings(self) -> Preferences:
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        return self.kept

    def known_settings(self) -> Preferences | None:
        return self.remembered

    async def save_settings(self, changes: Json) -> Preferences:
        self.sent.append(changes)
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        self.kept = Preferences.from_wire(self.kept.to_wire() | changes)
        return self.kept

    def refuse(self, detail: str) -> None:
        self.error = ApiError(INVALID_REQUEST, "general", status=400, permanent=True, detail=f"400 {detail}")


class FakeKeys(QObject):
    """A desktop's shortcuts; those in `others` belong to other programs."""

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.taken: str | None = None
        self.others: set[str] = set()

    def take(self, held: list[str], key: str) -> bool:
        wanted = "+".join([*held, key])
        self.taken = None if wanted in self.others else wanted
        return self.taken is not None

    def give_back(self) -> None:
        self.taken = None


class Desk:
    """The settings with everything behind them, in a home of their own."""

    def __init__(self, theme: Theme, folder: Path, office: Office, **more: Any) -> None:
        policy = folder / "policy.toml"
        policy.write_text(more.get("policy", ""))
        self.file = folder / "config.toml"
        self.office, self.keys, self.opened = office, FakeKeys(), list[str]()
        self.notices: list[str] = []
        config = load(self.file, policy=policy)
        self.configuration = Configuration(more.get("config", config))
        self.menu = QMenu()
        keys = Shortcut(more.get("keys", self.keys))
        self.settings = Settings(
            theme, office, self.configuration, keys, self.menu, more["spawn"], self._open, self.notices.append
        )

    def _open(self, url: QUrl) -> bool:
        self.opened.append(url.toLocalFile())
        return bool(self.opened[1:])

    def open(self) -> SettingsWindow:
        self.settings.open()
        return self.window

    def sign_in(self) -> None:
        self.settings.set_account("Ana", "https://crm.example")
        self.settings.set_connection("real_time")
        self.open()

    @property
    def window(self) -> SettingsWindow:
        assert self.settings.window is not None
        return self.settings.window

    @property
    def alerts(self) -> AlertsPage:
        return self.window.alerts

    @property
    def computer(self) -> ComputerPage:
        return self.window.computer

    @property
    def said(self) -> str:
        return self.window.saved_text.text()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def make(theme: Theme, tmp_path: Path, spawner: Spawner, office: Office) -> Iterator[Callable[..., Desk]]:
    def build(**more: Any) -> Desk:
        desk = Desk(theme, tmp_path, office, **({"spawn": spawner} | more))
        desk.open()
        desk.window.close()
        made.append(desk)
        return desk

    made: list[Desk] = []
    yield build
    for desk in made:
        desk.window.close()
        desk.window.deleteLater()
        desk.menu.deleteLater()
    # At once: else every later test has them all to restyle.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def desk(make: Callable[..., Desk]) -> Desk:
    desk = make()
    desk.sign_in()
    QTest.qWaitForWindowExposed(desk.window)
    return desk


def sent(qtbot: QtBot, desk: Desk, count: int = 1) -> list[Json]:
    qtbot.waitUntil(lambda: len(desk.office.sent) >= count)
    return desk.office.sent


# --- the preferences -----------------------------------------------------------------------------------------------


def test_it_shows_what_the_server_says(desk: Desk) -> None:
    alerts = desk.alerts
    assert [kind for kind, box in alerts.kinds.items() if box.isChecked()] == ["unanswered", "hot_lead"]
    assert alerts.push.isChecked() and not alerts.email.isChecked() and alerts.address.text() == ""
    assert alerts.quiet.isChecked() and alerts.hours.hours == ("22:00", "08:00")
    assert alerts.days.days == ["monday", "tuesday"] and alerts.priority.currentText() == "Media"
    assert alerts.zone.currentText() == "America/Argentina/Buenos Aires (UTC−3)"
    assert alerts.language.currentText() == "Español (Argentina)"
    assert desk.office.sent == [] and not desk.window.line.isVisible()


def test_a_change_is_sent_alone_and_marked_as_saved(desk: Desk, qtbot: QtBot) -> None:
    desk.alerts.kinds["performance"].click()
    assert desk.office.sent == []
    assert sent(qtbot, desk) == [{"notification_types": ["unanswered", "hot_lead", "performance"]}]
    assert desk.said == "Guardado" and desk.window.saved_mark.isVisible()


def test_only_the_last_of_quick_changes_is_sent(desk: Desk, qtbot: QtBot) -> None:
    for day in ("wednesday", "thursday", "tuesday"):
        desk.alerts.days.buttons[day].click()
    desk.alerts.push.click()
    desk.alerts.push.click()
    assert sent(qtbot, desk) == [{"work_days": ["monday", "wednesday", "thursday"]}]


def test_closing_sends_what_waits(desk: Desk) -> None:
    desk.alerts.push.click()
    desk.alerts.address.setFocus()
    QTest.keyClicks(desk.alerts.address, "ana@example.com")
    QTest.keyClick(desk.alerts.address, Qt.Key.Key_Escape)
    assert not desk.window.isVisible()
    assert desk.office.sent == [{"push_notifications": False}, {"email_address": "ana@example.com"}]


def test_a_refused_value_stays_marked_until_it_is_mended(desk: Desk, qtbot: QtBot) -> None:
    address, row = desk.alerts.address, desk.alerts.rows["email_address"]
    desk.office.refuse("email_address: expected one e-mail address such as ana@example.com.")
    address.setFocus()
    QTest.keyClicks(address, "ana")
    QTest.keyClick(address, Qt.Key.Key_Return)
    qtbot.waitUntil(row.error.isVisible)
    assert row.error.text().startswith("El servidor no aceptó esta dirección")
    assert row.error.toolTip() == "expected one e-mail address such as ana@example.com."
    assert row.error.text() in address.accessibleDescription()
    assert address.text() == "ana" and address.property("wrong") and desk.said == "No se guardó."

    desk.office.error = None
    QTest.keyClicks(address, "@example.com")
    assert not row.error.isVisible()
    QTest.keyClick(address, Qt.Key.Key_Return)
    assert sent(qtbot, desk, 2)[-1] == {"email_address": "ana@example.com"}
    assert address.text() == "ana@example.com" and desk.said == "Guardado"


def test_what_is_refused_after_closing_is_told(desk: Desk) -> None:
    desk.office.refuse("email_address: expected one e-mail address such as ana@example.com.")
    QTest.keyClicks(desk.alerts.address, "ana")
    desk.window.close()
    [notice] = desk.notices
    assert notice.startswith("Correo para los avisos: El servidor no aceptó esta dirección")
    desk.office.error = None
    desk.open()
    assert desk.alerts.address.text() == "" and not desk.alerts.rows["email_address"].error.isVisible()
    assert desk.said == "Los cambios se guardan al momento."


def test_the_sentence_stands_at_the_field_the_server_names(desk: Desk, qtbot: QtBot) -> None:
    desk.office.refuse("timezone: expected the name of a time zone.")
    desk.alerts.push.click()
    row = desk.alerts.rows["timezone"]
    qtbot.waitUntil(row.error.isVisible)
    assert desk.alerts.push.isChecked()


def test_what_cannot_be_saved_goes_back_and_says_why(desk: Desk, qtbot: QtBot) -> None:
    desk.office.error = BROKEN
    desk.alerts.push.click()
    row = desk.alerts.rows["push_notifications"]
    qtbot.waitUntil(row.error.isVisible)
    assert row.error.text() == "No se guardó. El servidor no pudo hacerlo."
    assert desk.alerts.push.isChecked()


def test_without_a_connection_it_shows_the_last_and_loads_when_it_comes(desk: Desk) -> None:
    desk.settings.set_connection("offline")
    assert desk.window.line.isVisible() and desk.window.sentence.text().startswith("Sin conexión.")
    assert desk.alerts.kinds["hot_lead"].isChecked() and not desk.alerts.push.isEnabled()
    desk.office.kept = replace(PREFERENCES, push_notifications=False)
    desk.settings.set_connection("polling")
    assert not desk.window.line.isVisible()
    assert desk.alerts.push.isEnabled() and not desk.alerts.push.isChecked()


def test_the_last_known_is_there_after_a_start_without_a_connection(make: Callable[..., Desk], office: Office) -> None:
    office.error, office.remembered = AWAY, replace(PREFERENCES, min_priority="urgent")
    desk = make()
    desk.settings.set_account("Ana", "https://crm.example")
    desk.open()
    assert desk.alerts.priority.currentData() == "urgent" and not desk.alerts.priority.isEnabled()
    assert desk.window.sentence.isVisible()


def test_nothing_is_shown_as_long_as_nothing_is_known(make: Callable[..., Desk], office: Office) -> None:
    desk = make()
    desk.open()
    assert desk.window.nothing.text().startswith("Cuando inicies la sesión")
    office.error = AWAY
    desk.settings.set_account("Ana", "https://crm.example")
    assert desk.window.nothing.text().startswith("Sin conexión.") and not desk.alerts.isVisible()
    desk.settings.set_connection("real_time")
    assert "No se pudo conectar con crm." in desk.window.nothing.text()
    office.error = None
    QTest.mouseClick(desk.window.first_again, Qt.MouseButton.LeftButton)
    assert desk.alerts.isVisible() and desk.alerts.push.isChecked()


def test_another_device_is_seen_when_it_is_opened_again(desk: Desk) -> None:
    desk.window.close()
    desk.office.kept = replace(PREFERENCES, timezone=None, quiet_hours=None)
    desk.open()
    assert desk.alerts.zone.currentText() == "La de la empresa"
    assert not desk.alerts.quiet.isChecked() and not desk.alerts.hours.isEnabled()


def test_signing_out_leaves_nothing_of_the_person(desk: Desk) -> None:
    desk.settings.set_account(None, "https://crm.example")
    assert not desk.alerts.isVisible() and desk.settings._keeper.known is None
    assert desk.computer.facts.values["Persona"].text() == "Nadie: la sesión no está iniciada"


def test_quiet_hours_are_a_switch_and_two_times(desk: Desk, qtbot: QtBot) -> None:
    alerts, row = desk.alerts, desk.alerts.rows["quiet_hours"]
    assert "mañana siguiente" in row.hint.text()
    alerts.hours.end.setTime(alerts.hours.start.time())
    assert "ninguna hora" in row.hint.text()
    assert sent(qtbot, desk)[-1] == {"quiet_hours": {"start": "22:00", "end": "22:00"}}
    alerts.quiet.click()
    assert sent(qtbot, desk, 2)[-1] == {"quiet_hours": None}
    assert not alerts.hours.isEnabled()


def test_a_part_of_a_name_finds_a_time_zone(desk: Desk, qtbot: QtBot) -> None:
    zone = desk.alerts.zone
    edit = zone.lineEdit()
    assert edit is not None
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, "madr")
    completer = zone.completer()
    assert completer is not None and completer.completionCount() == 1
    QTest.keyClick(zone.found, Qt.Key.Key_Down)
    QTest.keyClick(zone.found, Qt.Key.Key_Return)
    assert sent(qtbot, desk) == [{"timezone": "Europe/Madrid"}]
    desk.window.activateWindow()
    QTest.qWaitForWindowActive(desk.window)
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, "nowhere")
    desk.alerts.push.setFocus()
    assert zone.currentText().startswith("Europe/Madrid") and edit.text() == zone.currentText()


def test_the_wheel_scrolls_and_changes_nothing(desk: Desk) -> None:
    for field in (desk.alerts.priority, desk.alerts.hours.start, desk.computer.minutes):
        field.setFocus()
        turn = QWheelEvent(
            QPointF(5, 5),
            field.mapToGlobal(QPointF(5, 5)),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(field, turn)
    assert desk.alerts.priority.currentData() == "medium" and desk.alerts.hours.hours == ("22:00", "08:00")
    assert desk.computer.minutes.value() == 5


async def test_an_answer_does_not_undo_what_was_changed_meanwhile(make: Callable[..., Desk], office: Office) -> None:
    tasks = Tasks()
    desk = make(spawn=tasks.spawn)
    desk.sign_in()
    await wait_until(lambda: desk.settings._keeper.state == "ready", "the preferences")
    office.answering.clear()
    desk.alerts.push.click()
    await wait_until(lambda: office.sent, "the first change")
    desk.alerts.kinds["hot_lead"].click()
    office.answering.set()
    await wait_until(lambda: len(office.sent) == 2, "the second change")
    assert not desk.alerts.kinds["hot_lead"].isChecked() and not desk.alerts.push.isChecked()
    await desk.settings.finish()
    assert office.kept == replace(PREFERENCES, push_notifications=False, notification_types=("unanswered",))
    await tasks.cancel()


async def test_an_answer_for_somebody_who_left_is_not_shown(make: Callable[..., Desk], office: Office) -> None:
    tasks = Tasks()
    desk = make(spawn=tasks.spawn)
    office.answering.clear()
    desk.sign_in()
    desk.settings.set_account(None, None)
    office.answering.set()
    await wait_until(lambda: not tasks._running, "the answer")
    assert desk.settings._keeper.known is None and desk.window.nothing.text().startswith("Cuando inicies")
    desk.window.close()


async def test_the_end_of_the_program_still_sends_what_waits(make: Callable[..., Desk], office: Office) -> None:
    tasks = Tasks()
    desk = make(spawn=tasks.spawn)
    desk.sign_in()
    await wait_until(lambda: desk.settings._keeper.state == "ready", "the preferences")
    desk.alerts.push.click()
    await desk.settings.finish()
    assert not office.kept.push_notifications
    await tasks.cancel()


# --- this machine --------------------------------------------------------------------------------------------------


def test_settings_of_this_machine_are_written_at_once(desk: Desk) -> None:
    computer = desk.computer
    computer.sounds.click()
    computer.repeat.click()
    computer.minutes.setValue(9)
    computer.language.setCurrentIndex(2)
    kept = load(desk.file)
    assert (kept.sounds, kept.repeat_urgent, kept.repeat_urgent_minutes, kept.language) == (False, True, 9, "en")
    assert desk.configuration.value == kept and desk.said == "Guardado"


def test_minutes_count_only_when_urgent_ones_are_repeated(desk: Desk) -> None:
    assert not desk.computer.minutes.isEnabled()
    desk.computer.repeat.click()
    assert desk.computer.minutes.isEnabled()


def test_what_the_administrator_decided_is_locked_and_says_why(make: Callable[..., Desk]) -> None:
    desk = make(policy='[locked]\nsounds = false\nshortcut = "Ctrl+Alt+N"\n')
    sounds, shortcut = desk.computer.rows["sounds"], desk.computer.rows["shortcut"]
    assert not desk.computer.sounds.isEnabled() and not desk.computer.sounds.isChecked()
    assert "administración de este equipo" in desk.computer.sounds.toolTip() and sounds.locked
    assert "administración" in desk.computer.sounds.accessibleDescription()
    assert shortcut.locked and not desk.computer.no_shortcut.isEnabled()
    assert not desk.computer.rows["language"].locked and desk.computer.language.isEnabled()


def test_a_file_that_cannot_be_written_is_said_and_the_value_goes_back(desk: Desk) -> None:
    desk.file.mkdir()
    desk.computer.sounds.click()
    row = desk.computer.rows["sounds"]
    assert row.error.text() == "No se pudo guardar en el archivo de configuración."
    assert desk.computer.sounds.isChecked() and desk.configuration.value.sounds


def test_starting_with_the_desktop_is_switched_on_and_off(desk: Desk) -> None:
    assert not desk.computer.autostart.isChecked()
    desk.computer.autostart.click()
    assert for_profile("default").enabled() and desk.said == "Guardado"
    for_profile("default").disable()
    desk.window.close()
    desk.open()
    assert not desk.computer.autostart.isChecked()


def test_a_system_that_refuses_to_start_it_is_said(make: Callable[..., Desk], tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "autostart").write_text("a file where the folder should be")
    desk = make()
    desk.computer.autostart.click()
    assert desk.computer.rows["autostart"].error.text().startswith("El sistema no lo permitió: ")
    assert not desk.computer.autostart.isChecked()


def test_a_demo_leaves_nothing_on_the_machine(make: Callable[..., Desk]) -> None:
    desk = make(config=ClientConfig())
    assert not desk.computer.autostart.isEnabled() and "demostración" in desk.computer.autostart.toolTip()
    desk.computer.sounds.click()
    assert not desk.configuration.value.sounds and not desk.file.exists()


def test_a_shortcut_is_what_is_pressed_in_its_field(desk: Desk) -> None:
    field, row = desk.computer.shortcut, desk.computer.rows["shortcut"]
    QTest.keyClick(field, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    assert (load(desk.file).shortcut, desk.keys.taken) == ("Ctrl+Alt+N", "Ctrl+Alt+N")
    assert field.text() == "Ctrl + Alt + N"
    QTest.keyClick(field, Qt.Key.Key_N)
    assert row.error.text().startswith("Un atajo lleva Ctrl") and desk.keys.taken == "Ctrl+Alt+N"
    QTest.keyClick(field, Qt.Key.Key_Backspace)
    assert (load(desk.file).shortcut, row.error.text()) == ("", "")
    assert desk.keys.taken is None


def test_a_shortcut_of_another_program_is_refused_and_the_old_one_stays(desk: Desk) -> None:
    desk.keys.others.add("Ctrl+Alt+T")
    field = desk.computer.shortcut
    held = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    QTest.keyClick(field, Qt.Key.Key_N, held)
    QTest.keyClick(field, Qt.Key.Key_T, held)
    assert desk.computer.rows["shortcut"].error.text().startswith("Otro programa ya usa Ctrl+Alt+T")
    assert (load(desk.file).shortcut, desk.keys.taken, field.text()) == ("Ctrl+Alt+N", "Ctrl+Alt+N", "Ctrl + Alt + N")


def test_a_desktop_without_shortcuts_for_programs_says_what_to_do(make: Callable[..., Desk]) -> None:
    desk = make(keys=None)
    assert not desk.computer.shortcut.isEnabled()
    assert "configuración del teclado" in desk.computer.rows["shortcut"].hint.text()


def test_the_log_folder_opens_or_it_says_where_it_is(desk: Desk, home: Path) -> None:
    desk.computer.logs.click()
    [folder] = desk.opened
    assert Path(folder).is_dir() and Path(folder).is_relative_to(home)
    assert desk.computer.log_row.error.text() == f"No hay un programa que abra {folder}"
    desk.computer.logs.click()
    assert desk.computer.log_row.error.text() == ""


# --- for everybody -------------------------------------------------------------------------------------------------


def test_every_control_has_a_name(desk: Desk) -> None:
    kinds = (QPushButton, QToolButton, QComboBox, QAbstractSpinBox, QLineEdit)
    controls = [control for kind in kinds for control in desk.window.findChildren(kind)]
    # The text field inside of another is that one's part, not a control of its own.
    own = [one for one in controls if not isinstance(one.parent(), QComboBox | QAbstractSpinBox)]
    nameless = [one for one in own if not one.accessibleName() and not (isinstance(one, QPushButton) and one.text())]
    assert len(own) > 15 and nameless == []


def test_it_is_all_within_reach_of_the_tab_key(desk: Desk) -> None:
    reached: list[QWidget | None] = []
    for _ in range(40):
        reached.append(desk.window.focusWidget())
        QTest.keyClick(desk.window.focusWidget() or desk.window, Qt.Key.Key_Tab)
    wanted = {*desk.alerts.kinds.values(), desk.alerts.priority, desk.alerts.push, desk.alerts.address}
    wanted |= {desk.alerts.zone, desk.alerts.language, desk.alerts.hours.end, *desk.alerts.days.buttons.values()}
    assert wanted | {desk.window.close_button, desk.window._tabs} <= set(reached)
    desk.window.alerts_tab.setFocus()
    QTest.keyClick(desk.window._tabs, Qt.Key.Key_Right)
    assert desk.computer.isVisible() and desk.window.computer_tab.hasFocus()


@pytest.mark.parametrize("pixels", [13, 20])
def test_no_text_is_cut(
    make: Callable[..., Desk], theme: Theme, monkeypatch: pytest.MonkeyPatch, pixels: int, qtbot: QtBot
) -> None:
    before = themes.base_font

    def larger() -> QFont:
        font = before()
        font.setPixelSize(pixels)
        return font

    monkeypatch.setattr(themes, "base_font", larger)
    theme.follow()
    desk = make()
    desk.sign_in()
    desk.alerts.rows["email_address"].fail("El servidor no aceptó esta dirección; debe ser una sola.")
    for tab in (desk.window.alerts_tab, desk.window.computer_tab):
        tab.click()
        QTest.qWaitForWindowExposed(desk.window)
        shown = [one for one in desk.window.findChildren(QWidget) if one.isVisible()]
        texts = [one for one in shown if isinstance(one, QPushButton | QLabel) and one.text()]
        assert len(texts) > 8 and [(one.text(), one.size()) for one in texts if _cut(one)] == []
    monkeypatch.undo()
    theme.follow()


def _cut(widget: QWidget) -> bool:
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.height() < widget.heightForWidth(widget.width())
    return widget.width() < widget.minimumSizeHint().width() or widget.height() < widget.minimumSizeHint().height()
