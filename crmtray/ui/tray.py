"""The icon in the system tray: its badge, its tooltip and its menu.

Owns what stands in the tray, and whether there is one: a desktop may have none, and one may come later. What a click
does is told by signals.
"""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal, SignalInstance
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from .quiet_menu import QuietMenu
from .tray_icon import tray_icon

LOOK_SECONDS = 3
"""How often a tray that was not there is looked for."""
GONE_LOOKS = 3
"""A tray is gone when it was missed so often in a row: a panel that restarts is away for a moment only."""
DOUBLE_CLICK_MS = 350
"""A double click arrives as two clicks on StatusNotifier trays: the second must not undo the first."""


class Tray(QObject):
    """Shown from the start; the numbers come as they are known."""

    opened = Signal()
    read_all = Signal()
    settings = Signal()
    logged_out = Signal()
    diagnosed = Signal()
    quitted = Signal()
    hosted = Signal(bool)
    """Whether the desktop has a tray, when that changes."""

    def __init__(self, parent: QObject | None = None, *, name: str = "crmtray") -> None:
        """`name` is what the tooltip begins with: with several profiles, which one it is."""
        super().__init__(parent)
        self._name, self._missed = name, 0
        self._unread, self._state, self._detail = 0, "offline", self.tr("Conectando…")
        self._since_click = QElapsedTimer()
        self._early: list[SignalInstance] | None = None
        self.menu = QMenu()
        self._quiet = ""
        self.quiet_menu = QuietMenu(self.menu)
        self._icon = QSystemTrayIcon(self)
        self._build_menu()
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._activated)
        self.available = QSystemTrayIcon.isSystemTrayAvailable()
        self._look = QTimer(self, interval=LOOK_SECONDS * 1000)
        self._look.timeout.connect(self.look)
        self._look.start()
        self._refresh()

    # --- what it shows ------------------------------------------------------------------------------------------

    def show(self) -> None:
        self._icon.show()

    def hide(self) -> None:
        self._look.stop()
        self._icon.hide()

    def set_unread(self, unread: int) -> None:
        if unread != self._unread:
            self._unread = unread
            self._refresh()

    def set_connection(self, state: str, detail: str) -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            self._refresh()

    def set_quiet(self, words: str, *, ours: bool) -> None:
        """Do not disturb, until when; empty: off. `ours` False: the desktop's own, which is not turned off here."""
        self.quiet_menu.set_quiet(words, ours)
        if words != self._quiet:
            self._quiet = words
            self._refresh()

    def set_user(self, name: str | None) -> None:
        """The person signed in; None: nobody."""
        signed_in = name is not None
        self._person.setVisible(signed_in)
        # "&" would be taken for the mark of a shortcut.
        self._person.setText((name or "").replace("&", "&&"))
        self._logout.setVisible(signed_in)
        self.quiet_menu.menuAction().setVisible(signed_in)
        self._open.setText(self.tr("Abrir notificaciones") if signed_in else self.tr("Entrar…"))
        self._signed_in = signed_in
        self._refresh()

    @property
    def tooltip(self) -> str:
        return self._icon.toolTip()

    def message(self, title: str, text: str) -> None:
        self._icon.showMessage(title, text, self._icon.icon(), 10_000)

    # --- before there is anything behind it -------------------------------------------------------------------------

    def hold(self) -> None:
        """What is clicked from now on waits for `release`: nobody listens yet."""
        self._early = []

    def release(self) -> bool:
        """Tells what was clicked meanwhile, but not that the icon itself was: that it returns."""
        clicked, self._early = self._early or [], None
        opened = self.opened in clicked
        for signal in clicked:
            if signal != self.opened:
                signal.emit()
        return opened

    def _tell(self, signal: SignalInstance) -> None:
        if self._early is None:
            signal.emit()
        elif signal not in self._early:
            self._early.append(signal)

    # --- inside -------------------------------------------------------------------------------------------------

    def _build_menu(self) -> None:
        self._open = self._entry("", self.opened)
        self._read_all = self._entry("", self.read_all)
        self.menu.addMenu(self.quiet_menu)
        self.menu.addSeparator()
        self._settings = self._entry("", self.settings)
        self._diagnose = self._entry("", self.diagnosed)
        self.menu.addSeparator()
        self._connection = self._entry("", None)
        self._person = self._entry("", None)
        self._logout = self._entry("", self.logged_out)
        self.menu.addSeparator()
        self._quit = self._entry("", self.quitted)
        self._signed_in = False
        self._person.setVisible(False)
        self._logout.setVisible(False)
        self.quiet_menu.menuAction().setVisible(False)
        self._tell_words()

    def retranslate(self) -> None:
        """The language is another."""
        self._tell_words()
        self._refresh()

    def _tell_words(self) -> None:
        self._open.setText(self.tr("Abrir notificaciones") if self._signed_in else self.tr("Entrar…"))
        self._read_all.setText(self.tr("Marcar todas como leídas"))
        self._settings.setText(self.tr("Configuración…"))
        self._diagnose.setText(self.tr("Copiar diagnóstico"))
        self._logout.setText(self.tr("Cerrar sesión"))
        self._quit.setText(self.tr("Salir"))

    def _entry(self, text: str, told: SignalInstance | None) -> QAction:
        action = self.menu.addAction(text)
        if told is None:
            action.setEnabled(False)
        else:
            action.triggered.connect(lambda: self._tell(told))
        return action

    def _refresh(self) -> None:
        state = self._state if self._signed_in else "offline"
        detail = self._detail if self._signed_in else self.tr("Sesión no iniciada")
        quiet = self._quiet if self._signed_in else ""
        self._icon.setIcon(tray_icon(self._unread, state, quiet=bool(quiet)))
        more = f" · {quiet}" if quiet else ""
        unread = self.tr("nada sin leer") if not self._unread else self.tr("%n sin leer", "", self._unread)
        state_now = f"{unread} · {detail}{more}" if self._signed_in else detail
        self._icon.setToolTip(f"{self._name} — {state_now}")
        self._connection.setText(detail.replace("&", "&&"))
        self._read_all.setEnabled(self._unread > 0)
        # Docks that know how show the number on the program's own icon.
        set_badge = getattr(QGuiApplication.instance(), "setBadgeNumber", None)
        if set_badge is not None:
            set_badge(self._unread)

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason != QSystemTrayIcon.ActivationReason.Trigger:
            return
        if self._since_click.isValid() and self._since_click.elapsed() < DOUBLE_CLICK_MS:
            return
        self._since_click.start()
        self._tell(self.opened)

    def look(self) -> None:
        available = QSystemTrayIcon.isSystemTrayAvailable()
        self._missed = 0 if available else self._missed + 1
        if available != self.available and self._missed in (0, GONE_LOOKS):
            self.available = available
            self.hosted.emit(available)
