"""The login window: what is missing, what was wrong and where, and consent to a login nothing can keep."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from crmtray.credentials import KeyringUnavailable
from crmtray.session import LoginFailed
from crmtray.ui.login import Login, LoginWindow
from crmtray.ui.theme import Theme
from tests.ui.support import Spawner


class Office:
    """A server's answer to a login."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.error: LoginFailed | None = None

    async def __call__(self, server: str, email: str, password: str) -> object:
        self.asked.append((server, email, password))
        if self.error is not None:
            raise self.error
        return "user"


class Keyring:
    def __init__(self) -> None:
        self.memory_only = False
        self.works = True

    async def check(self) -> None:
        if not self.works:
            raise KeyringUnavailable("No hay un llavero del sistema.", "none")


@pytest.fixture
def window(theme: Theme, qtbot: QtBot) -> LoginWindow:
    window = LoginWindow()
    qtbot.addWidget(window)
    window.open(None)
    QTest.qWaitForWindowExposed(window)
    return window


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring()


@pytest.fixture
def login(window: LoginWindow, office: Office, keyring: Keyring, spawner: Spawner) -> Login:
    login = Login(window, office, keyring, spawner)
    login.users = []  # type: ignore[attr-defined]
    login.succeeded.connect(login.users.append)  # type: ignore[attr-defined]
    return login


def enter(window: LoginWindow) -> None:
    for edit, text in ((window.server, "crm.example"), (window.email, "ana@x.com"), (window.password, "secreta")):
        edit.clear()
        QTest.keyClicks(edit, text)
    QTest.keyClick(window.password, Qt.Key.Key_Return)


def test_signing_in_closes_it_and_forgets_the_password(login: Login, window: LoginWindow, office: Office) -> None:
    assert window.password.echoMode() == QLineEdit.EchoMode.Password
    enter(window)
    assert office.asked == [("crm.example", "ana@x.com", "secreta")]
    assert login.users == ["user"]  # type: ignore[attr-defined]
    assert not window.isVisible() and window.password.text() == ""


def test_what_is_missing_is_said_beside_its_field(login: Login, window: LoginWindow, office: Office) -> None:
    QTest.mouseClick(window.enter, Qt.MouseButton.LeftButton)
    assert window.server_error.text() == "Falta la dirección del servidor."
    assert window.email_error.text() and window.password_error.text() and office.asked == []
    QTest.keyClicks(window.server, "c")
    assert window.server_error.text() == ""


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("invalid_credentials", "password_error"),
        ("bad_server", "server_error"),
        ("unreachable", "server_error"),
        ("certificate", "server_error"),
        ("not_crmtray", "server_error"),
        ("too_many_attempts", "error"),
    ],
)
def test_an_error_stands_beside_the_field_that_can_mend_it(
    login: Login, window: LoginWindow, office: Office, code: str, field: str
) -> None:
    office.error = LoginFailed("Esto no se puede.", code, "detail")
    enter(window)
    label = getattr(window, field)
    assert label.text() == "Esto no se puede." and label.isVisible()
    assert window.isVisible() and window.enter.isEnabled() and window.enter.text() == "Entrar"
    office.error = None
    enter(window)
    assert login.users == ["user"]  # type: ignore[attr-defined]


def test_while_it_waits_it_cannot_be_pressed_again(window: LoginWindow) -> None:
    submitted: list[str] = []
    window.submitted.connect(lambda server, email, password: submitted.append(server))
    enter(window)
    assert window.enter.text() == "Entrando…" and not window.enter.isEnabled()
    window.submit()
    assert submitted == ["crm.example"]


def test_without_a_keyring_it_asks_first(login: Login, window: LoginWindow, office: Office, keyring: Keyring) -> None:
    keyring.works = False
    enter(window)
    assert office.asked == []
    assert window.question.text() == (
        "No hay un llavero del sistema.\n\nLa sesión durará hasta que cierres crmtray. ¿Continuar?"
    )
    QTest.mouseClick(window.refuse, Qt.MouseButton.LeftButton)
    assert (office.asked, keyring.memory_only, window.enter.isVisible()) == ([], False, True)
    enter(window)
    QTest.mouseClick(window.accept, Qt.MouseButton.LeftButton)
    assert (len(office.asked), keyring.memory_only) == (1, True)
    assert login.users == ["user"]  # type: ignore[attr-defined]


def test_it_says_why_it_came_up_again(window: LoginWindow) -> None:
    window.open("https://crm.example", "La sesión terminó; hay que volver a entrar.")
    assert window.reason.text() == "La sesión terminó; hay que volver a entrar."
    assert window.server.text() == "https://crm.example"
