"""The tray app when it is asked from outside: by a link, by a second start, by the end of the login session."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from PySide6.QtCore import QEvent, QLocale, QPointF, Qt, QUrl
from PySide6.QtGui import QFileOpenEvent, QMouseEvent, QSessionManager
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from crmtray.config import ClientConfig
from crmtray.credentials import Credentials, Tokens
from crmtray.protocol import User
from crmtray.ui import app as program
from crmtray.ui.desk import Desk
from crmtray.ui.language import Language
from crmtray.ui.models import ITEM
from crmtray.ui.power import Power
from crmtray.ui.taskbar import AUMID
from crmtray.ui.theme import Theme
from crmtray.ui.tray import GONE_LOOKS, Tray
from tests.client.fake_server import PASSWORD, USER
from tests.client.support import item, wait_until
from tests.ui.test_desk import Office, tell, working

ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def current(office: Office) -> str | None:
    index = office.desk.center.list.currentIndex()
    return index.data(ITEM).id if office.desk.center.isVisible() and index.isValid() else None


def noticed(office: Office) -> str:
    bar = office.desk.center.notice_bar
    return bar.text if bar.isVisible() else ""


def snoozed_tab_is_open(office: Office) -> bool:
    return office.desk.center.header.narrowing.snoozed


# --- links --------------------------------------------------------------------------------------------------------


async def test_a_link_opens_the_center_at_its_item(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        await tell(office, ONE)
        await tell(office, TWO)
        await wait_until(lambda: office.desk.model.rowCount() == 2, "the rows")
        office.desk.center.close()
        office.desk.show_notification(ONE)
        assert current(office) == ONE and noticed(office) == ""
        assert not any(request.path.endswith("/read") for request in office.server.requests)


async def test_an_item_that_is_not_here_yet_is_asked_for(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        office.server.pushing = False
        await tell(office, ONE)
        office.desk.show_notification(ONE)
        await wait_until(lambda: current(office) == ONE, "the item")
        assert noticed(office) == ""


async def test_no_window_is_left_of_a_link_that_was_still_looked_up_at_the_end(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        office.server.pushing = False
        await tell(office, ONE)
        office.desk.show_notification(ONE)
    assert not office.desk.center.isVisible()
    assert not office.desk.center._count.isActive() and not office.desk.center._tick.isActive()


async def test_an_item_nobody_knows_is_said_to_be_gone(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        office.desk.show_notification(TWO)
        await wait_until(lambda: noticed(office) == "Esa notificación ya no existe.", "a sentence")


async def test_offline_nobody_can_say_that_an_item_is_gone(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        await office.server.down()
        await wait_until(lambda: "Sin conexión" in office.desk.tray.tooltip, "being offline")
        office.desk.show_notification(TWO)
        await wait_until(lambda: noticed(office).startswith("Sin conexión no se puede buscar"), "a sentence")


async def test_a_snoozed_item_is_shown_among_the_snoozed_ones(theme: Theme) -> None:
    async with working(theme) as office:
        later = datetime.now(UTC) + timedelta(hours=3)
        await office.server.add(replace(item(ONE, 0, created_at=datetime.now(UTC)), snoozed_until=later))
        await office.sign_in()
        await tell(office, TWO)
        await wait_until(lambda: office.desk.cache.get(ONE) and office.desk.cache.get(TWO), "the items")
        center = office.desk.center
        for opens in (office.desk.show_notification, office.desk.toasts.opened.emit):
            center.close()
            opens(ONE)
            assert current(office) == ONE and noticed(office) == "" and snoozed_tab_is_open(office)
            opens(TWO)
            assert current(office) == TWO and not snoozed_tab_is_open(office)


async def test_a_link_waits_for_who_is_to_sign_in(theme: Theme) -> None:
    async with working(theme) as office:
        await tell(office, ONE)
        await tell(office, TWO)
        await office.desk.start(minimized=True, notification=ONE)
        window = office.desk.login_window
        assert window.isVisible() and not office.desk.center.isVisible()
        window.email.setText(USER["email"])
        window.password.setText(PASSWORD)
        window.submit()
        await wait_until(lambda: current(office) == ONE, "the item")


class SlowKeyring(Credentials):
    """A login is kept, and the keyring takes its time to say so."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__("test", memory_only=True)
        self.tokens, self.asked, self.opened = tokens, asyncio.Event(), asyncio.Event()

    async def load(self, server: str) -> Tokens | None:
        self.asked.set()
        await self.opened.wait()
        return self.tokens


async def test_what_is_asked_during_the_start_is_done_after_it(theme: Theme) -> None:
    async with working(theme) as office:
        await tell(office, ONE)
        office.server.valid.add("access-0")
        keyring = SlowKeyring(Tokens("access-0", "refresh-0", User.from_wire(USER), 4e9))
        office.desk.session._credentials = keyring
        starting = asyncio.create_task(office.desk.start(minimized=True))
        await keyring.asked.wait()
        office.desk.show_notification(ONE)
        asked_to_sign_in = office.desk.login_window.isVisible()
        keyring.opened.set()
        await starting
        assert not asked_to_sign_in
        await wait_until(lambda: current(office) == ONE, "the item")
        assert not office.desk.login_window.isVisible()
        await wait_until(lambda: "En tiempo real" in office.desk.tray.tooltip, "real time")


async def test_a_link_of_macos_arrives_as_an_event(theme: Theme, qapp: QApplication) -> None:
    async with working(theme) as office, asked(office.desk):
        await office.sign_in()
        await tell(office, ONE)
        await wait_until(lambda: office.desk.model.rowCount() == 1, "the row")
        office.desk.center.close()
        QApplication.sendEvent(qapp, QFileOpenEvent(QUrl(f"crmtray://notification/{ONE}")))
        assert current(office) == ONE


@pytest.mark.expects_log("a link of crmtray looks like")
async def test_another_link_of_macos_does_nothing(theme: Theme, qapp: QApplication) -> None:
    async with working(theme) as office, asked(office.desk):
        QApplication.sendEvent(qapp, QFileOpenEvent(QUrl("crmtray://action/1")))
        assert not office.desk.center.isVisible() and not office.desk.login_window.isVisible()


class asked:  # read as a verb: `async with asked(desk)`
    """The program's filter of what the system asks, in place."""

    def __init__(self, desk: Desk) -> None:
        self._filter = program._Asked(desk)

    async def __aenter__(self) -> program._Asked:
        cast("QApplication", QApplication.instance()).installEventFilter(self._filter)
        return self._filter

    async def __aexit__(self, *_: object) -> None:
        cast("QApplication", QApplication.instance()).removeEventFilter(self._filter)


# --- the end of the login session ---------------------------------------------------------------------------------


class FakeSessionManager:
    """What Qt makes when a desktop's session manager speaks to it: there is none here."""

    def __init__(self) -> None:
        self.hint: Any = None

    def setRestartHint(self, hint: QSessionManager.RestartHint) -> None:
        self.hint = hint


async def test_when_the_session_ends_what_was_cleared_is_in_the_queue(theme: Theme) -> None:
    async with working(theme) as office, asked(office.desk) as listener:
        await tell(office, ONE)
        await office.sign_in()
        await wait_until(lambda: office.desk.model.rowCount() == 1, "the row")
        QTest.mouseClick(office.desk.center.clear_button, Qt.MouseButton.LeftButton)
        manager = FakeSessionManager()
        listener.commit(cast("QSessionManager", manager))
        assert manager.hint == QSessionManager.RestartHint.RestartNever
        assert office.desk.cache.get(ONE) is None and not office.desk.ended.is_set()


async def test_asked_to_quit_it_ends_in_order(theme: Theme, qapp: QApplication) -> None:
    async with working(theme) as office, asked(office.desk):
        QApplication.sendEvent(qapp, QEvent(QEvent.Type.Quit))
        assert office.desk.ended.is_set()


# --- profiles, policy, panel --------------------------------------------------------------------------------------


async def test_a_profile_stands_in_the_titles(theme: Theme) -> None:
    async with working(theme) as office:
        office.desk._apply(ClientConfig(profile="trabajo"))
        assert office.desk.center.windowTitle() == "Notificaciones — crmtray (trabajo)"
        assert office.desk.login_window.windowTitle() == "Entrar — crmtray (trabajo)"
    assert Tray(name="crmtray (trabajo)").tooltip == "crmtray (trabajo) — Sesión no iniciada"


async def test_a_locked_server_can_be_read_and_not_changed(theme: Theme) -> None:
    async with working(theme) as office:
        office.desk._apply(ClientConfig(server="https://crm.example.com", locked=frozenset({"server"})))
        office.desk.login_window.open("https://crm.example.com")
        assert office.desk.login_window.server.isReadOnly()
        assert office.desk.login_window.server.text() == "https://crm.example.com"


def test_a_panel_that_restarts_is_no_desktop_without_a_tray(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = True
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: there))
    tray, told = Tray(), list[bool]()
    tray.hosted.connect(told.append)
    there = False
    for _ in range(GONE_LOOKS - 1):
        tray.look()
    there = True
    tray.look()
    assert told == []
    there = False
    for _ in range(GONE_LOOKS + 2):
        tray.look()
    there = True
    tray.look()
    assert told == [False, True]


async def test_a_tray_that_comes_late_takes_the_place_of_the_window(theme: Theme) -> None:
    async with working(theme) as office:
        office.desk._hosted(False)
        await office.sign_in()
        center = office.desk.center
        center.showMinimized()
        office.desk._hosted(True)
        assert not center.isVisible(), "nobody asked for it: it only stood for the icon"
        office.desk._hosted(False)
        office.desk._hosted(True)
        assert center.isVisible() and center.tray_line.text == "", "who reads in it goes on"


async def test_what_ended_during_a_sleep_is_told_right_after_it(theme: Theme) -> None:
    async with working(theme) as office:
        desk = office.desk
        await office.sign_in()
        desk.center.close()
        desk.quiet.choose("half_hour")
        await tell(office, ONE)
        await wait_until(lambda: desk.model.rowCount() == 1, "the row")
        assert office.service.cards == {}
        desk.quiet._clock = lambda: datetime.now(UTC) + timedelta(minutes=31)
        power = Power()
        power.resumed.connect(desk.quiet.look)
        power._prepare(True)
        assert desk.quiet.until is not None
        power._prepare(False)
        assert not desk.quiet.active
        await wait_until(lambda: office.service.cards, "what came meanwhile")
        assert "No molestar" not in desk.tray.tooltip


class FakeWindow:
    """The window manager's side of the center."""

    def __init__(self) -> None:
        self.moves = 0

    def startSystemMove(self) -> None:
        self.moves += 1


async def test_the_header_moves_the_window_when_it_is_dragged_and_not_when_it_is_clicked(
    theme: Theme, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(theme) as office:
        center, window = office.desk.center, FakeWindow()
        center.set_hosted(True)
        center.open()
        monkeypatch.setattr(center, "windowHandle", lambda: window)
        at = QPointF(center.header.rect().center())
        QTest.mouseClick(center.header, Qt.MouseButton.LeftButton, pos=at.toPoint())
        assert window.moves == 0
        left = Qt.MouseButton.LeftButton
        moved = QMouseEvent(
            QEvent.Type.MouseMove, at, at, Qt.MouseButton.NoButton, left, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(center, moved)
        assert window.moves == 1


# --- what the system is told of this process, and what Qt says -----------------------------------------------------

WINDOWS = """
import ctypes, sys
from types import SimpleNamespace
from PySide6.QtWidgets import QApplication
from crmtray.config import ClientConfig
from crmtray.ui import app

class FakeShell:
    "shell32 of Windows."
    def SetCurrentProcessExplicitAppUserModelID(self, id):
        print(id, QApplication.instance() is None)
        return {answer}

ctypes.windll = SimpleNamespace(shell32=FakeShell())
sys.platform = "win32"
made = app._application(ClientConfig())
sys.platform = "linux"
print(made is QApplication.instance())
"""


@pytest.mark.parametrize("answer", [0, -2147024809])
def test_windows_is_told_the_name_before_there_is_an_application(answer: int) -> None:
    done = python(WINDOWS.replace("{answer}", str(answer)))
    assert done.stdout.split() == ["crmtray", "True", "True"], done.stderr
    installer = Path(__file__).parents[2] / "packaging" / "windows" / "crmtray.iss"
    assert f'#define Aumid "{AUMID}"' in installer.read_text(encoding="utf-8-sig"), "that of the shortcut"


QT_SPEAKS = """
import logging, sys
from pathlib import Path
from PySide6.QtCore import QLoggingCategory, qCCritical, qCWarning, qDebug, qWarning
from crmtray import log_file
from crmtray.config import ClientConfig
from crmtray.ui import app
log_file.log_to_stderr("WARNING")
log_file.log_to_file(Path(sys.argv[1]))
made = app._application(ClientConfig())
screen, other = QLoggingCategory("qt.qpa.screen"), QLoggingCategory("driver")
for _ in range(3):
    qCWarning(screen, "no such screen; password=canario-9f3d")
qCCritical(other, "broken")
qWarning("plain")
qDebug("not at this level")
"""


def test_what_qt_says_is_in_the_log_file_and_not_in_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "crmtray.log"
    done = python(QT_SPEAKS, str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(" ", 2)[2] for line in file.read_text().splitlines()] == [
        "WARNING qt.qpa.screen: no such screen; password=[secret]",
        "ERROR qt.driver: broken",
        "WARNING qt.default: plain",
    ]


def test_of_what_qt_ends_the_process_the_terminal_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "missing")
    file = tmp_path / "crmtray.log"
    done = python(QT_SPEAKS, str(file))
    assert done.returncode == -signal.SIGABRT
    last = "no Qt platform plugin could be initialized"
    assert last in done.stderr and last in file.read_text()
    assert 'WARNING qt.qpa.plugin: Could not find the Qt platform plugin "missing"' in file.read_text()


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("language", ["es", "en"])
def test_qt_speaks_the_language_of_the_program(qapp: QApplication, language: str) -> None:
    spoken, before = Language.of(qapp), QLocale()
    try:
        spoken.use(language)
        assert QLocale().language() == (QLocale.Language.English if language == "en" else QLocale.Language.Spanish)
    finally:
        spoken.use("es")
        QLocale.setDefault(before)
