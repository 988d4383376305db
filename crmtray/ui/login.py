"""The login window, and the way from its button to a session.

Owns what is asked, which field an error belongs to, and the consent to a login that nothing can keep. The password
stays in its field and is wiped after use; tokens never pass through here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from . import icons
from .bars import plain_label
from .language import Retold
from .sizes import Fitting, Sized, most_room, spaced
from .tasks import Spawn
from .theme import px

LOGIN_WIDTH = 380
SIDE = 32


class LoginWindow(QWidget):
    submitted = Signal(str, str, str)
    """Server, e-mail, password."""
    memory_accepted = Signal()

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName("login")
        self.setWindowIcon(icons.app_icon())
        self.reason = plain_label(look="muted", wrap=True)
        self.server, self.server_error = self._field()
        self.email, self.email_error = self._field()
        self.password, self.password_error = self._field()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.error = plain_label(look="error", wrap=True)
        self.enter = self._button("primary")
        self.question = plain_label(wrap=True)
        self.accept = self._button("primary")
        self.refuse = self._button("soft")
        self._form, self._asking = QWidget(), QWidget()
        self._page, self._logo = QWidget(), QLabel()
        self._page.setObjectName("login")
        self._build()
        Sized(self, self._measure)
        self.enter.clicked.connect(self.submit)
        self.accept.clicked.connect(self._accept)
        self.refuse.clicked.connect(lambda: self.show_question(""))
        for edit in (self.server, self.email, self.password):
            edit.textEdited.connect(self._clear_errors)
        self._clear_errors()
        self.show_question("")
        Retold(self, self._tell_words)

    def _tell_words(self) -> None:
        self.server.setPlaceholderText(self.tr("https://crm.ejemplo.com"))
        self.email.setPlaceholderText(self.tr("nombre@empresa.com"))
        for edit, name in (
            (self.server, self.tr("Servidor")),
            (self.email, self.tr("Correo electrónico")),
            (self.password, self.tr("Contraseña")),
        ):
            self._labels[edit].setText(name)
            edit.setAccessibleName(name)
        self.reason.setText(self.tr("Las alertas de tu CRM, al momento."))
        self.enter.setText(self.tr("Entrar") if self.enter.isEnabled() else self.tr("Entrando…"))
        self.accept.setText(self.tr("Continuar"))
        self.refuse.setText(self.tr("Cancelar"))

    # --- building -----------------------------------------------------------------------------------------------

    def _field(self) -> tuple[QLineEdit, QLabel]:
        edit = QLineEdit()
        return edit, plain_label(look="error", wrap=True)

    def _button(self, look: str) -> QPushButton:
        button = QPushButton()
        button.setProperty("look", look)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        return button

    def _build(self) -> None:
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        layout = QVBoxLayout(self._page)
        self._column = layout
        self.area = Fitting(self._page)
        around.addWidget(self.area)
        self._logo.setPixmap(icons.app_icon().pixmap(QSize(56, 56), self.devicePixelRatioF()))
        layout.addWidget(self._logo, 0, Qt.AlignmentFlag.AlignHCenter)
        title = plain_label("crmtray", "big")
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(title)
        self.reason.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.reason)
        layout.addSpacing(10)
        layout.addWidget(self._form)
        layout.addWidget(self._asking)
        self._build_form(QVBoxLayout(self._form))
        self._build_question(QVBoxLayout(self._asking))

    def _measure(self) -> None:
        # Height is what a screen has least of: what says nothing does not grow.
        self._column.setContentsMargins(px(SIDE), 28, px(SIDE), 28)
        self._column.setSpacing(px(6))
        width = min(px(LOGIN_WIDTH), most_room().width()) - 2 * px(SIDE)
        for part in (self.reason, self._form, self._asking):
            part.setFixedWidth(width)

    def _build_form(self, layout: QVBoxLayout) -> None:
        spaced(self._form, layout, 0, 0, 0, 0, space=4)
        self._labels: dict[QLineEdit, QLabel] = {}
        for edit, error in (
            (self.server, self.server_error),
            (self.email, self.email_error),
            (self.password, self.password_error),
        ):
            label = self._labels[edit] = plain_label(look="strong")
            label.setBuddy(edit)
            for widget in (label, edit, error):
                layout.addWidget(widget)
            layout.addSpacing(6)
        layout.addWidget(self.error)
        layout.addSpacing(6)
        layout.addWidget(self.enter)

    def _build_question(self, layout: QVBoxLayout) -> None:
        spaced(self._asking, layout, 0, 0, 0, 0, space=14)
        layout.addWidget(self.question)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.refuse)
        buttons.addWidget(self.accept)
        layout.addLayout(buttons)

    # --- what it shows ------------------------------------------------------------------------------------------

    def open(self, server: str | None, message: str = "") -> None:
        """`message`: why it is time to sign in, when it is not obvious."""
        if server and not self.server.text():
            self.server.setText(server)
        self.reason.setText(message or self.tr("Las alertas de tu CRM, al momento."))
        self.set_busy(False)
        self.show()
        self.raise_()
        self.activateWindow()
        empty = [edit for edit in (self.server, self.email, self.password) if not edit.text()]
        (empty[0] if empty else self.password).setFocus()

    def set_busy(self, busy: bool) -> None:
        self.enter.setText(self.tr("Entrando…") if busy else self.tr("Entrar"))
        for widget in (self.server, self.email, self.password, self.enter):
            widget.setEnabled(not busy)

    def fail(self, code: str, message: str) -> None:
        """Beside the field that can mend it."""
        self.set_busy(False)
        if code in ("bad_server", "unreachable", "certificate", "not_crmtray"):
            self._mark(self.server, self.server_error, message)
        elif code == "invalid_credentials":
            self._mark(self.password, self.password_error, message)
            self.password.selectAll()
        else:
            self.error.setText(message)
            self.error.show()

    def show_question(self, text: str) -> None:
        """Asks for consent instead of showing the form; an empty text: the form again."""
        self.question.setText(text)
        self._asking.setVisible(bool(text))
        self._form.setVisible(not text)
        self.set_busy(False)
        if text:
            self.accept.setFocus()

    def done(self) -> None:
        self.password.clear()
        self.show_question("")
        self.close()

    # --- inside -------------------------------------------------------------------------------------------------

    def submit(self) -> None:
        self._clear_errors()
        needed = (
            (self.server, self.server_error, self.tr("Falta la dirección del servidor.")),
            (self.email, self.email_error, self.tr("Falta el correo electrónico.")),
            (self.password, self.password_error, self.tr("Falta la contraseña.")),
        )
        missing = [place for place in needed if not place[0].text().strip()]
        for edit, error, message in reversed(missing):
            self._mark(edit, error, message)
        if not missing and self.enter.isEnabled():
            self.set_busy(True)
            self.submitted.emit(self.server.text(), self.email.text(), self.password.text())

    def _accept(self) -> None:
        self.show_question("")
        self.set_busy(True)
        self.memory_accepted.emit()

    def _mark(self, edit: QLineEdit, error: QLabel, message: str) -> None:
        error.setText(message)
        error.show()
        # A screen reader says it with the field that gets the focus.
        edit.setAccessibleDescription(message)
        _set_wrong(edit, True)
        edit.setFocus()

    def _clear_errors(self) -> None:
        for error in (self.server_error, self.email_error, self.password_error, self.error):
            error.setText("")
            error.hide()
        for edit in (self.server, self.email, self.password):
            edit.setAccessibleDescription("")
            _set_wrong(edit, False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._form.isVisible():
                self.submit()
            else:
                self._accept()
        elif event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)


def _set_wrong(edit: QLineEdit, wrong: bool) -> None:
    edit.setProperty("wrong", wrong)
    edit.style().unpolish(edit)
    edit.style().polish(edit)


class KeyringCheck(Protocol):
    """Of `credentials.Credentials`."""

    memory_only: bool

    async def check(self) -> None: ...


class Login(QObject):
    """Signs in with what the window was given."""

    succeeded = Signal(object)
    """The user."""

    def __init__(
        self,
        window: LoginWindow,
        sign_in: Callable[[str, str, str], Awaitable[object]],
        credentials: KeyringCheck,
        spawn: Spawn,
    ) -> None:
        super().__init__()
        self._window, self._sign_in, self._credentials, self._spawn = window, sign_in, credentials, spawn
        self._waiting: tuple[str, str, str] | None = None
        window.submitted.connect(lambda *given: spawn(self._try(given), "login"))
        window.memory_accepted.connect(self._accept_memory)

    async def _try(self, given: tuple[str, str, str]) -> None:
        from ..credentials import KeyringUnavailable

        if not self._credentials.memory_only:
            try:
                await self._credentials.check()
            except KeyringUnavailable as error:
                self._waiting = given
                question = self.tr("La sesión durará hasta que cierres crmtray. ¿Continuar?")
                self._window.show_question(f"{error.message}\n\n{question}")
                return
        await self._enter(given)

    def _accept_memory(self) -> None:
        self._credentials.memory_only = True
        given, self._waiting = self._waiting, None
        if given is not None:
            self._spawn(self._enter(given), "login")

    async def _enter(self, given: tuple[str, str, str]) -> None:
        from ..session import LoginFailed

        try:
            user = await self._sign_in(*given)
        except LoginFailed as error:
            self._window.fail(error.code, error.message)
            return
        self._window.done()
        self.succeeded.emit(user)
