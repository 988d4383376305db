"""The tray app: from a configuration to an exit status.

Owns the Qt application, the loop and the order of the start: first the icon, then the network libraries, because
those take longer than everything else together. What happens in between is `desk`.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

# PySide6 before qasync, which takes the Qt binding that is loaded already.
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QFileOpenEvent, QSessionManager
from PySide6.QtWidgets import QApplication

import qasync  # isort: skip

from ..config import ClientConfig
from ..failure import Failure
from ..launch import DEFAULT_PROFILE
from ..links import BadLink, notification_id
from ..threads import in_daemon_thread
from ..words import say
from .garbage import Garbage
from .instance import Instance, Request, hand_over
from .language import Language
from .qt_messages import log_qt_messages
from .taskbar import name_process
from .tray import Tray

if TYPE_CHECKING:
    from ..cache import Cache
    from ..credentials import Credentials
    from .desk import Desk
    from .theme import Theme

log = logging.getLogger(__name__)

NAME = "crmtray"
WATCH_SECONDS = 1.0
TURNS, TURN_SECONDS = 20, 0.25
"""How long a start waits for another process that holds the cache: one that ends, or that has just begun."""


class DemoServer(Protocol):
    """What is needed of `local_server.LocalServer`."""

    url: str
    email: str
    password: str

    def failure(self) -> str | None: ...


def run(config: ClientConfig, *, minimized: bool = False, notification: str | None = None) -> int:
    """The tray app, until the person ends it; or at once, when one that runs already took this start over."""
    app = _application(config)
    request = Request(show=not minimized or notification is not None, notification=notification)
    if hand_over(config.profile, request):
        return 0
    return _in_qt(app, lambda: _tray_app(app, config, request))


def show_failure(error: Exception) -> None:
    """Why it did not start, for whoever has no terminal to read it in. Returns when it was read."""
    from PySide6.QtWidgets import QMessageBox

    from .icons import app_icon

    app = _application(ClientConfig())
    app.setWindowIcon(app_icon())
    box = QMessageBox(QMessageBox.Icon.Warning, NAME, "")
    box.setTextFormat(Qt.TextFormat.PlainText)
    if isinstance(error, BadLink):
        box.setText(error.message)
    else:
        box.setText(say("crmtray no pudo empezar."))
        box.setInformativeText(str(error))
    box.finished.connect(app.quit)
    box.open()
    app.exec()


def run_demo(server: DemoServer, *, duration: float | None, config: ClientConfig) -> int:
    """The tray app on the demo's server: signs in by itself, and nothing of it is kept."""
    # What is set while trying it out is not kept either.
    config = replace(config, server=server.url, file=None)
    app = _application(config)
    return _in_qt(app, lambda: _demo(app, server, duration, config))


async def _tray_app(app: QApplication, config: ClientConfig, request: Request) -> int:
    tray = await _icon_first(app)
    cache = await _own_cache(config, request)
    if cache is None:
        tray.hide()
        return 0
    from ..credentials import Credentials
    from .power import Power

    desk = _desk(config, cache, Credentials(config.profile), _looks(app), tray)
    instance, power = Instance(config.profile), Power()
    instance.asked.connect(lambda asked: _show(desk, asked))
    power.resumed.connect(desk.session.resumed)
    power.resumed.connect(desk.quiet.look)
    instance.listen()
    desk.tasks.spawn(_register_links(config.profile), "register links")
    show = tray.release() or request.show
    try:
        return await _until_ended(app, desk, lambda: desk.start(minimized=not show, notification=request.notification))
    finally:
        instance.close()


def _show(desk: Desk, request: Request) -> None:
    if request.show:
        desk.show_notification(request.notification)


async def _own_cache(config: ClientConfig, request: Request) -> Cache | None:
    """The cache, ours to write. None: a tray app that has it took the request over."""
    for _ in range(TURNS):
        cache = _open_cache(config)
        if cache.owned:
            return cache
        cache.close()
        if hand_over(config.profile, request):
            return None
        await asyncio.sleep(TURN_SECONDS)
    raise Failure(f"another crmtray uses the profile {config.profile!r}, and does not answer")


def _open_cache(config: ClientConfig) -> Cache:
    from ..cache import Cache
    from ..paths import cache_file

    path = cache_file(config.profile)
    try:
        return Cache.open(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise Failure(f"the cache {path} cannot be opened: {error}") from error


async def _register_links(profile: str) -> None:
    from ..link_handler import register

    await asyncio.to_thread(register, profile)


async def _demo(app: QApplication, server: DemoServer, duration: float | None, config: ClientConfig) -> int:
    tray = await _icon_first(app)
    from ..cache import Cache
    from ..credentials import Credentials
    from ..session import LoginFailed

    desk = _desk(config, Cache.open(None), Credentials("demo", memory_only=True), _looks(app), tray)
    tray.release()

    async def start() -> None:
        try:
            await desk.start_with(server.url, server.email, server.password)
        except LoginFailed as error:
            raise Failure(f"could not sign in to the demo server: {error.detail}") from error
        if duration is not None:
            asyncio.get_running_loop().call_later(duration, desk.ended.set)

    return await _until_ended(app, desk, start, server.failure)


async def _icon_first(app: QApplication) -> Tray:
    """The icon, and then all that is below Qt, on a thread of its own: the panel asks for the icon's picture meanwhile,
    and would have to wait as long as all of that takes to load."""
    tray = Tray(name=app.applicationDisplayName())
    tray.hold()
    tray.show()
    await in_daemon_thread(lambda: importlib.import_module("crmtray.session"), "load")
    return tray


def _looks(app: QApplication) -> Theme:
    from .icons import app_icon
    from .theme import Theme

    app.setWindowIcon(app_icon())
    return Theme(app)


def _desk(config: ClientConfig, cache: Cache, credentials: Credentials, theme: Theme, tray: Tray) -> Desk:
    from .desk import Desk

    return Desk(config, cache, credentials, theme, tray)


async def _until_ended(
    app: QApplication,
    desk: Desk,
    start: Callable[[], Awaitable[None]],
    failure: Callable[[], str | None] | None = None,
) -> int:
    """`failure` is asked now and then why it cannot go on, None while it can."""
    _end_on_signals(desk.ended)
    asked = _Asked(desk)
    app.installEventFilter(asked)
    app.commitDataRequest.connect(asked.commit)
    try:
        await start()
        if failure is None:
            await desk.ended.wait()
        else:
            await _watch(desk.ended, failure)
        return 0
    finally:
        app.commitDataRequest.disconnect(asked.commit)
        app.removeEventFilter(asked)
        desk.tray.hide()
        await desk.close()


async def _watch(ended: asyncio.Event, failure: Callable[[], str | None]) -> None:
    while not ended.is_set():
        if (reason := failure()) is not None:
            raise Failure(reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS):
                await ended.wait()


class _Asked(QObject):
    """What the system asks of the whole program."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def commit(self, manager: QSessionManager) -> None:
        """The login session ends, unless another program objects: be ready, and go on. The autostart starts us."""
        manager.setRestartHint(QSessionManager.RestartHint.RestartNever)
        self._desk.settle()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Quit:
            # In order, not by stopping the loop under our feet.
            self._desk.ended.set()
            return True
        if isinstance(event, QFileOpenEvent):
            self._open(event.url().toString())
            return True
        return False

    def _open(self, link: str) -> None:
        """A link on macOS, where the system does not start a second program for it."""
        try:
            self._desk.show_notification(notification_id(link))
        except BadLink as error:
            log.warning("%s", error)


def _end_on_signals(ended: asyncio.Event) -> None:
    if sys.platform == "win32":
        return  # Ctrl+C arrives as KeyboardInterrupt there
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)


# --- Qt ----------------------------------------------------------------------------------------------------------


def _in_qt(app: QApplication, main: Callable[[], Awaitable[int]]) -> int:
    async def whole() -> int:
        return await main()

    Garbage(app)
    with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(app)) as runner:
        return runner.run(whole())


def _application(config: ClientConfig) -> QApplication:
    # Without a desktop portal Qt says so at every start; nobody can do anything about it.
    os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.services=false;qt.qpa.theme.gnome=false")
    log_qt_messages()
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        name_process()
        app = QApplication([NAME])
    app.setApplicationName(NAME)
    app.setApplicationDisplayName(NAME if config.profile == DEFAULT_PROFILE else f"{NAME} ({config.profile})")
    app.setDesktopFileName(NAME)
    # A tray app lives without windows.
    app.setQuitOnLastWindowClosed(False)
    Language.of(app).use(config.language)
    return app
