"""Qt without a screen, with asyncio in it: asynchronous tests here run on the loop the program runs on."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import asyncio
import gc
from collections.abc import Callable, Iterator

import PySide6  # noqa: F401  # before qasync, which takes the Qt binding that is loaded already
import pytest
import qasync
from PySide6.QtCore import QCoreApplication, QEvent, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from crmtray.cache import Cache
from crmtray.outbox import Outbox
from crmtray.ui.center import Center
from crmtray.ui.garbage import collect
from crmtray.ui.language import Language
from crmtray.ui.models import NotificationModel
from crmtray.ui.theme import Theme
from tests.client.support import NOW
from tests.ui.center_support import Server
from tests.ui.support import FakeDesktop, Spawner


def _qt_loop() -> asyncio.AbstractEventLoop:
    app = QApplication.instance() or QApplication(["tests"])
    assert isinstance(app, QApplication)
    app.setQuitOnLastWindowClosed(False)
    loop: asyncio.AbstractEventLoop = qasync.QEventLoop(app)
    return loop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"qt": _qt_loop}


@pytest.fixture(autouse=True, scope="module")
def no_garbage_is_left() -> Iterator[None]:
    """The server's tests, which come after in the same process, collect on whatever thread they are in: a window that
    is destroyed there takes the process with it."""
    yield
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture(autouse=True)
def garbage_stays_here() -> Iterator[None]:
    """As in the program: a worker thread must not be the one to destroy a window."""
    gc.disable()
    yield
    collect()
    gc.enable()


@pytest.fixture(autouse=True)
def spanish(qapp: QApplication) -> None:
    """As the program starts on a Spanish desktop, whatever a test before has changed."""
    Language.of(qapp).use("es")


@pytest.fixture(autouse=True)
def no_qt_warnings() -> Iterator[None]:
    """What Qt complains about is a fault of ours."""
    said: list[str] = []

    def listen(kind: QtMsgType, context: object, message: str) -> None:
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg):
            said.append(message)

    before = qInstallMessageHandler(listen)
    yield
    qInstallMessageHandler(before)
    # Offscreen windows cannot do these; on a desktop they can.
    said = [text for text in said if "This plugin does not support" not in text]
    assert not said, said


@pytest.fixture
def cache() -> Iterator[Cache]:
    cache = Cache.open(None)
    yield cache
    cache.close()


@pytest.fixture
def theme(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Theme]:
    monkeypatch.setenv("CRMTRAY_COLOR_SCHEME", "light")
    yield Theme(qapp)
    qapp.setStyleSheet("")


@pytest.fixture
def model(qapp: QApplication, cache: Cache) -> NotificationModel:
    return NotificationModel(cache, clock=lambda: NOW)


@pytest.fixture
def outbox(cache: Cache, model: NotificationModel) -> Outbox:
    """The real queue, with no server behind it: what is done stays queued."""
    return Outbox(cache, changed=model.refresh, refused=lambda id, text: None, pull=lambda: None, clock=lambda: NOW)


@pytest.fixture
def desktop() -> FakeDesktop:
    return FakeDesktop()


@pytest.fixture
def spawner() -> Spawner:
    return Spawner()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def center(
    model: NotificationModel, theme: Theme, outbox: Outbox, server: Server, spawner: Spawner, qtbot: QtBot
) -> Center:
    center = Center(model, theme, server.explain, spawner)
    qtbot.addWidget(center)
    center.list.pressed_check.connect(lambda id: outbox.mark_read(id))
    center.read_all.connect(lambda: outbox.mark_all_read())
    center.marked.connect(lambda id, read: outbox.mark_read(id) if read else outbox.mark_unread(id))
    center.snoozed.connect(lambda id, until: until and outbox.snooze(id, until))
    return center
