"""Copying the diagnosis, being told of a crash, and the question before a page of somebody else's opens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox

from crmtray import __version__, paths
from crmtray.cache import Cache
from crmtray.config import ClientConfig, load
from crmtray.crash import Reports
from crmtray.credentials import Credentials
from crmtray.outbox import Outbox
from crmtray.protocol import NotificationAction
from crmtray.session import Seller
from crmtray.ui.actions import Actions
from crmtray.ui.configuration import Configuration
from crmtray.ui.desk import Desk
from crmtray.ui.link_question import LinkQuestion
from crmtray.ui.theme import Theme
from crmtray.ui.tray import Tray
from tests.client.fake_server import PASSWORD, FakeServer
from tests.client.support import NOW, item, wait_until
from tests.ui.support import FakeDesktop, Spawner, fill

CANARY = "canario-9f3d"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    return tmp_path


@asynccontextmanager
async def at_work(theme: Theme, pages: list[str]) -> AsyncIterator[tuple[Desk, FakeServer]]:
    """As after a normal start, with a configuration file and a browser one can look into."""
    async with FakeServer.running() as server:
        config = replace(load(paths.config_file()), server=server.url, poll_seconds=1)
        credentials = Credentials("default", memory_only=True)

        def browse(url: QUrl) -> bool:
            pages.append(url.toString())
            return True

        desk = Desk(config, Cache.open(paths.cache_file("default")), credentials, theme, Tray(), open_url=browse)
        try:
            yield desk, server
        finally:
            desk.tray.hide()
            await desk.close()


async def test_the_diagnosis_is_copied_without_secrets(theme: Theme) -> None:
    paths.log_file("default").write_text(f"2026-03-01 WARNING crmtray.api: password={CANARY} was not taken\n")
    async with at_work(theme, []) as (desk, server):
        await desk.start_with(server.url, "ana@example.com", PASSWORD)
        QGuiApplication.clipboard().setText("")
        desk.tray.diagnosed.emit()
        assert "Revisando este equipo" in desk.center.notice_bar.text
        await wait_until(lambda: "Diagnóstico copiado" in desk.center.notice_bar.text, "the word that it is done")
    text = QGuiApplication.clipboard().text()
    assert f"crmtray {__version__} at " in text and "PySide6-Essentials" in text
    assert "server" in text and "notifications" in text and server.url in text
    assert "password=[secret] was not taken" in text
    assert CANARY not in text and PASSWORD not in text and "access-1" not in text and "refresh-1" not in text


async def test_a_crash_is_told_of_once_with_the_way_to_its_report(theme: Theme) -> None:
    report = Reports(paths.log_file("default")).write("fault", [])
    pages: list[str] = []
    async with at_work(theme, pages) as (desk, _):
        service = desk.toasts._desktop = FakeDesktop()
        await desk.start(minimized=True)
        await wait_until(lambda: service.cards, "a toast")
        [card] = service.cards.values()
        assert str(report) in f"{card.title} {card.body}"
        assert card.buttons[0].label == "Abrir la carpeta"
        card.buttons[0].pressed()
        assert pages == [QUrl.fromLocalFile(str(paths.log_file("default").parent)).toString()]
        desk.diagnostics.copy()
        await wait_until(lambda: "crash reports: 1" in QGuiApplication.clipboard().text(), "the diagnosis")
    async with at_work(theme, []) as (desk, _):
        service = desk.toasts._desktop = FakeDesktop()
        await desk.start(minimized=True)
        desk.notice("something else")
        await wait_until(lambda: service.cards, "a toast")
        assert [card.body or card.title for card in service.cards.values() if str(report) in card.body] == []


# --- links ----------------------------------------------------------------------------------------------------------


def button(box: QMessageBox, text: str) -> QAbstractButton:
    return next(one for one in box.buttons() if one.text() == text)


class Asked:
    """A question, and the pages that opened."""

    def __init__(self, config: ClientConfig, server: str | None = "https://crm.example") -> None:
        self.configuration, self.gone = Configuration(config), list[str]()
        self.question = LinkQuestion(self.configuration, lambda: server)

    def ask(self, address: str) -> Any:
        url = QUrl(address)
        self.question.ask(url, lambda: self.gone.append(url.toString()))
        return self.question.box


@pytest.mark.parametrize("known", ["https://crm.example/x", "http://CRM.example:8080/", "https://wiki.example/"])
def test_pages_of_the_crm_open_without_a_question(qapp: QApplication, known: str) -> None:
    asked = Asked(ClientConfig(crm_hosts="wiki.example"))
    assert asked.ask(known) is None and len(asked.gone) == 1


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://evil.example/x", "evil.example"),
        ("https://crm.example.evil.example/", "crm.example.evil.example"),
        ("https://notcrm.example/", "notcrm.example"),
        ("https://сrm.example/", "xn--rm-nmc.example"),  # a Cyrillic letter
    ],
)
def test_another_host_is_shown_and_opens_only_when_the_person_says_so(
    qapp: QApplication, address: str, shown: str
) -> None:
    asked = Asked(ClientConfig())
    box = asked.ask(address)
    assert box is not None and asked.gone == []
    assert box.textFormat() == Qt.TextFormat.PlainText and f" {shown}," in box.text()
    assert box.defaultButton() is button(box, "Cancelar")
    button(box, "Cancelar").click()
    assert asked.gone == []
    box = asked.ask(address)
    assert box is not None
    button(box, "Abrir").click()
    assert len(asked.gone) == 1
    assert asked.ask(address) is not None, "not trusted yet"
    asked.question.close()


def test_a_host_is_trusted_for_good_and_the_others_are_not(qapp: QApplication, home: Path) -> None:
    asked = Asked(load(paths.config_file()))
    box = asked.ask("https://wiki.example/a")
    assert box is not None
    box.trust.setChecked(True)
    button(box, "Abrir").click()
    assert load(paths.config_file()).crm_hosts == "wiki.example"
    assert asked.ask("https://wiki.example/b") is None and len(asked.gone) == 2
    assert asked.ask("https://other.example/") is not None
    asked.question.close()
    assert len(asked.gone) == 2


def test_where_the_administrator_decides_nobody_is_asked_to(qapp: QApplication) -> None:
    asked = Asked(ClientConfig(crm_hosts="crm.example", locked=frozenset({"crm_hosts"})))
    box = asked.ask("https://other.example/")
    assert box is not None and box.checkBox() is None
    asked.question.close()


async def _no_sellers() -> list[Seller]:
    return []


class Desktop:
    """What a button does, with the question in front of the browser."""

    def __init__(self, cache: Cache, outbox: Outbox, spawner: Spawner) -> None:
        self.question = LinkQuestion(Configuration(ClientConfig()), lambda: "https://crm.example")
        self.pages, self.said = list[str](), list[str]()
        self.actions = Actions(
            cache, outbox, _no_sellers, spawner, open_url=self._browse, ask_first=self.question.ask, clock=lambda: NOW
        )
        self.actions.notice.connect(self.said.append)

    def _browse(self, url: QUrl) -> bool:
        self.pages.append(url.toString())
        return True


def test_cancelled_the_item_stays_unread(qapp: QApplication, cache: Cache, outbox: Outbox, spawner: Spawner) -> None:
    action = NotificationAction("Ver", "view_lead", {}, "https://phish.example/login")
    fill(cache, [replace(item("a", 1), actions=(action,))])
    desktop = Desktop(cache, outbox, spawner)
    desktop.actions.trigger("a", action)
    box = desktop.question.box
    assert box is not None and "phish.example" in box.text()
    button(box, "Cancelar").click()
    assert desktop.pages == [] and cache.unread_count() == 1 and cache.outbox_rows() == []
    desktop.actions.trigger("a", action)
    assert desktop.question.box is not None
    button(desktop.question.box, "Abrir").click()
    assert desktop.pages == ["https://phish.example/login"] and cache.unread_count() == 0


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "javascript:alert(1)", "ssh://x", "\\\\evil\\share", "https://u:p@crm.example/"]
)
def test_only_pages_open(qapp: QApplication, cache: Cache, outbox: Outbox, spawner: Spawner, address: str) -> None:
    action = NotificationAction("Ver", "view_lead", {}, address)
    fill(cache, [replace(item("a", 1), actions=(action,))])
    desktop = Desktop(cache, outbox, spawner)
    desktop.actions.trigger("a", action)
    assert desktop.pages == [] and desktop.question.box is None and "no se abre" in desktop.said[0]
