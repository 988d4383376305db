"""The whole tray app on a real socket, without a screen: from the server to the row, from the button to the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from PySide6.QtCore import Qt, QUrl
from PySide6.QtTest import QTest

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials
from crmtray.protocol import NotificationAction
from crmtray.ui.desk import Desk
from crmtray.ui.models import ITEM
from crmtray.ui.theme import Theme
from crmtray.ui.toast_window import ToastStack
from crmtray.ui.tray import Tray
from tests.client.fake_server import PASSWORD, FakeServer
from tests.client.support import item, wait_until
from tests.ui.support import FakeDesktop


class Office:
    """A desk with a notification service and a browser one can look into."""

    def __init__(self, server: FakeServer, theme: Theme) -> None:
        self.server, self.pages, self.service = server, list[str](), FakeDesktop()
        config = ClientConfig(server=server.url, poll_seconds=1, crm_hosts="crm.example")
        cache = Cache.open(None)
        self.desk = Desk(config, cache, Credentials("test", memory_only=True), theme, Tray(), open_url=self._open)
        self.desk.toasts._desktop = self.service

    def _open(self, url: QUrl) -> bool:
        self.pages.append(url.toString())
        return True

    async def sign_in(self) -> None:
        await self.desk.start_with(self.server.url, "ana@example.com", PASSWORD)
        await wait_until(lambda: "En tiempo real" in self.desk.tray.tooltip, "real time")

    def requested(self, path: str) -> bool:
        return any(path in request.path for request in self.server.requests)


@asynccontextmanager
async def working(theme: Theme) -> AsyncIterator[Office]:
    """Not a fixture: between those and the test this loop stands still, and what it has begun fails."""
    async with FakeServer.running() as server:
        office = Office(server, theme)
        try:
            yield office
        finally:
            office.desk.tray.hide()
            await office.desk.close()


async def tell(office: Office, id: str) -> None:
    await office.server.add(item(id, 0, created_at=datetime.now(UTC)))


async def test_news_reaches_row_badge_and_toast_and_a_button_the_server(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        await tell(office, "a")
        await wait_until(lambda: "a" in office.service.cards, "a toast")
        assert office.desk.model.rowCount() == 1 and "1 sin leer" in office.desk.tray.tooltip

        office.service.cards["a"].buttons[0].pressed()  # contact_lead has no address here
        assert office.desk.center.notice_bar.text.startswith("El CRM no tiene una dirección web")
        index = office.desk.model.index(0)
        check = office.desk.center.list.spot_rect(index, 1).center()
        QTest.mouseClick(office.desk.center.list.viewport(), Qt.MouseButton.LeftButton, pos=check)
        assert "nada sin leer" in office.desk.tray.tooltip
        await wait_until(lambda: office.requested("/notifications/a/read"), "the server to be told")
        await wait_until(lambda: office.service.withdrawn == ["a"], "the toast to go")


async def test_without_a_service_news_come_into_the_center_that_is_in_use(theme: Theme) -> None:
    async with working(theme) as office:
        office.service.works = False
        await office.sign_in()
        center, stack = office.desk.center, office.desk.toasts._own
        await tell(office, "a")
        await wait_until(lambda: office.desk.model.rowCount() == 1, "the row")
        assert not center.notice_bar.isVisible(), "one sees it"
        center.header.filters.priorities.add("low")
        center.header.filters.changed.emit()
        await tell(office, "b")
        await wait_until(lambda: center.notice_bar.isVisible(), "a sentence about what a filter hides")
        assert center.notice_bar.text == "Lead caliente" and center.notice_bar.button.text() == "Ver"
        QTest.mouseClick(center.notice_bar.button, Qt.MouseButton.LeftButton)
        assert center.list.currentIndex().data(ITEM).id == "b"
        assert isinstance(stack, ToastStack) and stack.windows == {}


async def test_a_link_opens_from_the_toast(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        action = NotificationAction("Responder", "open_chat", {"conversation_id": "5"}, "https://crm.example/5")
        await office.server.add(replace(item("a", 0, created_at=datetime.now(UTC)), actions=(action,)))
        await wait_until(lambda: "a" in office.service.cards, "a toast")
        office.service.cards["a"].buttons[0].pressed()
        assert office.pages == ["https://crm.example/5"]
        await wait_until(lambda: office.requested("/notifications/a/actions/open_chat"), "the server to be told")


async def test_clearing_spares_what_arrives_meanwhile(theme: Theme) -> None:
    async with working(theme) as office:
        await tell(office, "a")
        await office.sign_in()
        await wait_until(lambda: office.desk.model.rowCount() == 1, "the first row")
        QTest.mouseClick(office.desk.center.clear_button, Qt.MouseButton.LeftButton)
        assert "nada sin leer" in office.desk.tray.tooltip
        await tell(office, "b")
        await wait_until(lambda: office.desk.model.rowCount() == 1, "the new row")
        assert "1 sin leer" in office.desk.tray.tooltip
        office.desk.center.undo_bar.end_now()
        await wait_until(lambda: "a" not in office.server.items, "the server to remove it")
        assert office.desk.model.index(0).data(ITEM).id == "b" and "b" in office.server.items


async def test_a_refusal_is_said_where_the_person_looks(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        await tell(office, "a")
        await wait_until(lambda: office.desk.model.rowCount() == 1, "a row")
        office.desk.center.close()
        office.server.answers.append(("/read", 403, "forbidden"))
        office.desk.session.outbox.mark_read("a")
        await wait_until(lambda: any(key.startswith("notice") for key in office.service.cards), "a sentence as a toast")
        assert "1 sin leer" in office.desk.tray.tooltip
        office.desk.center.open()
        office.server.answers.append(("/read", 403, "forbidden"))
        office.desk.session.outbox.mark_read("a")
        await wait_until(lambda: office.desk.center.notice_bar.isVisible(), "a sentence in the center")


async def test_signing_out_leaves_nothing_and_asks_again(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        await tell(office, "a")
        await wait_until(lambda: office.desk.model.rowCount() == 1, "a row")
        office.desk.tray.logged_out.emit()
        await wait_until(lambda: office.desk.login_window.isVisible(), "the login window")
        assert office.desk.model.rowCount() == 0 and not office.desk.center.isVisible()
        assert office.desk.tray.tooltip == "crmtray — Sesión no iniciada"
        assert office.desk.login_window.server.text() == office.server.url


async def test_a_login_that_has_ended_asks_again_and_says_why(theme: Theme) -> None:
    async with working(theme) as office:
        await office.sign_in()
        office.server.login_over = True
        office.server.valid.clear()
        await office.desk.session.sync_now()
        await wait_until(lambda: office.desk.login_window.isVisible(), "the login window")
        assert office.desk.login_window.reason.text() == "La sesión terminó; hay que volver a entrar."


async def test_without_a_stored_login_it_starts_with_the_login_window(theme: Theme) -> None:
    async with working(theme) as office:
        await office.desk.start(minimized=False)
        assert office.desk.login_window.isVisible() and not office.desk.center.isVisible()
        window = office.desk.login_window
        window.email.setText("ana@example.com")
        window.password.setText(PASSWORD)
        window.submit()
        await wait_until(lambda: office.desk.center.isVisible(), "the center")
        assert not window.isVisible()
        await wait_until(lambda: "En tiempo real" in office.desk.tray.tooltip, "real time")
