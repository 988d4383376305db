"""The settings as the rest of the tray app knows them: something to open, and to tell what has changed.

Owns when the window is built: not at the start, because most people open it once. What it shows is settings_window's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QUrl
from PySide6.QtWidgets import QMenu

from .. import autostart
from ..launch import DEFAULT_PROFILE
from ..paths import log_file
from ..preferences import Preferences
from ..protocol import Json
from .configuration import Configuration
from .preferences_keeper import PreferencesKeeper
from .settings_window import SettingsWindow
from .shortcut import Shortcut
from .tasks import Spawn
from .theme import Theme


class Session(Protocol):
    """What is needed of `session.Session`."""

    async def settings(self) -> Preferences: ...
    async def save_settings(self, changes: Json) -> Preferences: ...
    def known_settings(self) -> Preferences | None: ...


class Settings:
    def __init__(
        self,
        theme: Theme,
        session: Session,
        configuration: Configuration,
        shortcut: Shortcut,
        quiet_menu: QMenu,
        spawn: Spawn,
        open_url: Callable[[QUrl], bool],
        notice: Callable[[str], None],
    ) -> None:
        """`notice` tells the person something while the window is closed."""
        self.window: SettingsWindow | None = None
        self._theme, self._configuration, self._shortcut = theme, configuration, shortcut
        self._quiet_menu, self._open_url, self._notice = quiet_menu, open_url, notice
        self._keeper = PreferencesKeeper(session.settings, session.save_settings, session.known_settings, spawn)
        self._account: tuple[str | None, str | None] = (None, None)
        self._quiet = ""

    def open(self) -> None:
        if self.window is None:
            self.window = self._built()
        self.window.open()

    def close(self) -> None:
        if self.window is not None:
            self.window.close()

    async def finish(self) -> None:
        """The program ends: what was changed a moment ago is still sent."""
        self.close()
        await self._keeper.finish()

    def set_connection(self, state: str) -> None:
        self._keeper.set_online(state != "offline")
        if self.window is not None:
            self.window.catch_up()

    def set_account(self, person: str | None, server: str | None) -> None:
        """The person signed in; None: nobody."""
        self._account = person, server
        if person is None:
            self._keeper.signed_out()
        else:
            self._keeper.signed_in()
        if self.window is not None:
            self.window.show_account(person, server)
            self.window.catch_up()

    def show_quiet(self, words: str) -> None:
        self._quiet = words
        if self.window is not None:
            self.window.computer.show_quiet(words)

    def retranslate(self) -> None:
        """The language is another: the window is built anew, at the same place and page."""
        old = self.window
        if old is None:
            return
        self.window = None
        visible, place, here = old.isVisible(), old.pos(), old.computer_tab.isChecked()
        old.close()
        old.deleteLater()
        if visible:
            window = self.window = self._built()
            window.open()
            window.move(place)
            if here:
                window.computer_tab.click()
                window.computer.language.setFocus()

    def _built(self) -> SettingsWindow:
        config = self._configuration.value
        window = SettingsWindow(
            self._theme,
            self._keeper,
            self._configuration,
            # Without a file this is the demo, which leaves nothing behind.
            autostart=None if config.file is None else autostart.for_profile(config.profile),
            shortcut=self._shortcut,
            quiet_menu=self._quiet_menu,
            log_folder=lambda: log_file(config.profile).parent,
            open_url=self._open_url,
        )
        if config.profile != DEFAULT_PROFILE:
            window.setWindowTitle(f"{window.windowTitle()} ({config.profile})")
        window.refused_unseen.connect(lambda sentence: self._notice(sentence))
        window.show_account(*self._account)
        window.computer.show_quiet(self._quiet)
        return window
