"""The tray app: from a configuration to an exit status.

Owns the Qt application, the loop and the order of the start: first the icon, then the network libraries, because
those take longer than everything else together. What happens in between is `desk`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

# PySide6 before qasync, which takes the Qt binding that is loaded already.
from PySide6.QtCore import QEvent, QLibraryInfo, QLocale, QObject, QTranslator
from PySide6.QtWidgets import QApplication

import qasync  # isort: skip

from ..config import ClientConfig
from ..failure import Failure
from .icons import app_icon
from .theme import Theme
from .tray import Tray

if TYPE_CHECKING:
    from ..cache import Cache
    from ..credentials import Credentials
    from .desk import Desk

log = logging.getLogger(__name__)

NAME = "crmtray"
WATCH_SECONDS = 1.0


class DemoServer(Protocol):
    """What is needed of `local_server.LocalServer`."""

    url: str
    email: str
    password: str

    def failure(self) -> str | None: ...


def run(config: ClientConfig, *, minimized: bool = False) -> int:
    """The tray app, until the person ends it."""
    return _in_qt(lambda app: _tray_app(app, config, minimized))


def run_demo(server: DemoServer, *, duration: float | None, config: ClientConfig) -> int:
    """The tray app on the demo's server: signs in by itself, and nothing of it is kept."""
    return _in_qt(lambda app: _demo(app, server, duration, config))


async def _tray_app(app: QApplication, config: ClientConfig, minimized: bool) -> int:
    theme, tray = await _icon_first(app)
    from ..cache import Cache
    from ..credentials import Credentials
    from ..paths import cache_file

    path = cache_file(config.profile)
    try:
        cache = Cache.open(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise Failure(f"the cache {path} cannot be opened: {error}") from error
    if not cache.owned:
        cache.close()
        raise Failure(f"crmtray is running already with the profile {config.profile!r}")
    desk = _desk(config, cache, Credentials(config.profile), theme, tray)
    return await _until_ended(app, desk, lambda: desk.start(minimized=minimized))


async def _demo(app: QApplication, server: DemoServer, duration: float | None, config: ClientConfig) -> int:
    theme, tray = await _icon_first(app)
    from ..cache import Cache
    from ..credentials import Credentials
    from ..session import LoginFailed

    here = replace(config, server=server.url)
    desk = _desk(here, Cache.open(None), Credentials("demo", memory_only=True), theme, tray)

    async def start() -> None:
        try:
            await desk.start_with(server.url, server.email, server.password)
        except LoginFailed as error:
            raise Failure(f"could not sign in to the demo server: {error.detail}") from error
        if duration is not None:
            asyncio.get_running_loop().call_later(duration, desk.ended.set)

    return await _until_ended(app, desk, start, server.failure)


async def _icon_first(app: QApplication) -> tuple[Theme, Tray]:
    theme, tray = Theme(app), Tray()
    tray.show()
    await asyncio.sleep(0)
    return theme, tray


def _desk(config: ClientConfig, cache: Cache, credentials: Credentials, theme: Theme, tray: Tray) -> Desk:
    from .desk import Desk

    return Desk(config, cache, credentials, theme, tray)


async def _until_ended(
    app: QApplication,
    desk: Desk,
    start: Callable[[], Awaitable[None]],
    failure: Callable[[], str | None] = lambda: None,
) -> int:
    _end_on_signals(desk.ended)
    quitting = _Quitting(desk.ended)
    app.installEventFilter(quitting)
    try:
        await start()
        while not desk.ended.is_set():
            if (reason := failure()) is not None:
                raise Failure(reason)
            await _wait(desk.ended)
        return 0
    finally:
        app.removeEventFilter(quitting)
        desk.tray.hide()
        await desk.close()


async def _wait(ended: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(WATCH_SECONDS):
            await ended.wait()
    except TimeoutError:
        return


class _Quitting(QObject):
    """The desktop asks to quit (the end of a login session): in order, not by stopping the loop under our feet."""

    def __init__(self, ended: asyncio.Event) -> None:
        super().__init__()
        self._ended = ended

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Quit:
            self._ended.set()
            return True
        return False


def _end_on_signals(ended: asyncio.Event) -> None:
    if sys.platform == "win32":
        return  # Ctrl+C arrives as KeyboardInterrupt there
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)


# --- Qt ----------------------------------------------------------------------------------------------------------


def _in_qt(main: Callable[[QApplication], Awaitable[int]]) -> int:
    app = _application()
    sys.excepthook = _log_fault

    async def whole() -> int:
        return await main(app)

    with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
        return runner.run(whole())


def _application() -> QApplication:
    # Without a desktop portal Qt says so at every start; nobody can do anything about it.
    os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.services=false;qt.qpa.theme.gnome=false")
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication([NAME])
    app.setApplicationName(NAME)
    app.setApplicationDisplayName(NAME)
    app.setDesktopFileName(NAME)
    app.setWindowIcon(app_icon())
    # A tray app lives without windows.
    app.setQuitOnLastWindowClosed(False)
    _speak_spanish(app)
    return app


def _speak_spanish(app: QApplication) -> None:
    """Also what Qt says itself: the menus of text fields, the names of months."""
    QLocale.setDefault(QLocale(QLocale.Language.Spanish))
    translator = QTranslator(app)
    if translator.load("qtbase_es", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        app.installTranslator(translator)


def _log_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault in a slot must not go unseen, nor end the alerts."""
    log.critical("a fault of crmtray", exc_info=(kind, error, trace))
