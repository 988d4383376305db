"""Everything of the tray app, built and connected, once the icon is up.

The only place where the parts of `ui` meet. It holds no rules of its own: each slot passes on what one part tells to
the part that knows what to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QPoint, QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices

from ..cache import Cache
from ..config import ClientConfig
from ..credentials import Credentials
from ..paths import resource
from ..protocol import Json, Notification, User
from ..session import Session
from .actions import Actions
from .bridge import Bridge, SessionListener
from .center import Center
from .desktop_toasts import DesktopToasts
from .item_menu import ItemMenu
from .login import Login, LoginWindow
from .models import NotificationModel
from .outcomes import outcome, save_invitation
from .tasks import Tasks
from .theme import Theme
from .toast_card import ToastButton
from .toast_window import ToastStack
from .toasts import Toasts
from .tray import Tray

log = logging.getLogger(__name__)

TOAST_ICON = "icons/crmtray-128.png"


class Desk(QObject):
    def __init__(
        self,
        config: ClientConfig,
        cache: Cache,
        credentials: Credentials,
        theme: Theme,
        tray: Tray,
        *,
        open_url: Callable[[QUrl], bool] = QDesktopServices.openUrl,
    ) -> None:
        super().__init__()
        self.ended = asyncio.Event()
        self.cache, self.tray, self.theme = cache, tray, theme
        self.tasks, self.bridge = Tasks(), Bridge()
        self._open_url = open_url
        spawn = self.tasks.spawn
        self.session = Session(config, SessionListener(self.bridge), cache=cache, credentials=credentials)
        self.model = NotificationModel(cache)
        self.center = Center(self.model, theme, menu=tray.menu)
        self.actions = Actions(cache, self.session.outbox, self.session.sellers, spawn, open_url=open_url)
        self.toasts = Toasts(cache, DesktopToasts(resource(TOAST_ICON)), ToastStack(theme), spawn)
        self.login_window = LoginWindow()
        self.login = Login(self.login_window, self.session.login, credentials, spawn)
        self._connect_feed()
        self._connect_person()
        self._show_count()
        self.center.set_hosted(tray.available)

    # --- wiring -------------------------------------------------------------------------------------------------

    def _connect_feed(self) -> None:
        self.bridge.changed.connect(self._changed)
        self.bridge.arrived.connect(self._arrived)
        self.bridge.connected.connect(self._connection)
        self.bridge.was_refused.connect(lambda _id, sentence: self.notice(sentence))
        self.bridge.performed.connect(self._performed)
        self.bridge.logged_out.connect(self._signed_out)

    def _connect_person(self) -> None:
        outbox, rows = self.session.outbox, self.center.list
        rows.pressed_action.connect(self.actions.trigger_number)
        rows.pressed_check.connect(lambda id: outbox.mark_read(id))
        rows.wants_removed.connect(lambda id: outbox.remove(id))
        rows.wants_menu.connect(self._item_menu)
        self.actions.notice.connect(self.notice)
        self.center.read_all.connect(lambda: outbox.mark_all_read())
        self.center.cleared.connect(self._clear)
        self.center.held_changed.connect(self._show_count)
        self.center.closed_for_good.connect(self.ended.set)
        self.toasts.triggered.connect(self.actions.trigger)
        self.toasts.opened.connect(self.center.show_item)
        self.tray.opened.connect(self._open)
        self.tray.read_all.connect(lambda: outbox.mark_all_read())
        self.tray.logged_out.connect(lambda: self.tasks.spawn(self._log_out(), "log out"))
        self.tray.quitted.connect(self.ended.set)
        self.tray.hosted.connect(self._hosted)
        self.login.succeeded.connect(self._signed_in)

    # --- beginning and end --------------------------------------------------------------------------------------

    async def start(self, *, minimized: bool) -> None:
        if self.cache.owner is not None and not minimized:
            # What was here last time can be read while the keyring takes its time.
            self.center.open()
        if await self.session.start():
            self._show_user()
            if not minimized:
                self.center.open()
        elif not minimized or not self.tray.available:
            self.center.close()
            self.login_window.open(self.session.server)
        if minimized and not self.tray.available and self.session.user is not None:
            self.center.showMinimized()
        if self.cache.recovered:
            self.notice(self.tr("Lo guardado en este equipo estaba dañado; se descarga de nuevo."))

    async def start_with(self, server: str, email: str, password: str) -> None:
        """Signs in without asking."""
        await self.session.login(server, email, password)
        self._show_user()
        self.center.open()

    async def close(self) -> None:
        self.center.finish_clearing()
        for window in (self.center, self.login_window, self.actions):
            window.close()
        await self.toasts.close()
        await self.session.stop()
        await self.tasks.cancel()
        self.cache.close()

    # --- from the client ----------------------------------------------------------------------------------------

    def _changed(self, ids: frozenset[str]) -> None:
        self.center.set_loaded(self.cache.cursor is not None)
        self.model.refresh(ids)
        self._show_count()
        self.toasts.changed(ids)

    def _arrived(self, items: list[Notification], catching_up: bool) -> None:
        self.model.arrived([item.id for item in items])
        self._show_count()
        self.toasts.arrived(catching_up)

    def _connection(self, state: str, detail: str) -> None:
        self.center.set_loaded(self.cache.cursor is not None)
        self.center.set_connection(state, detail)
        self.tray.set_connection(state, detail)

    def _performed(self, _id: str, action: str, result: Json) -> None:
        text, button = outcome(action, result), None
        if action == "schedule_meeting" and (saved := self._invitation(result)) is not None:
            text = self.tr("{} La invitación está en {}").format(text, saved)
            button = ToastButton(self.tr("Abrir"), lambda: self._open_file(saved))
        if text and (button is not None or self.center.isVisible()):
            self.notice(text, button)

    def _invitation(self, result: Json) -> Path | None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            return save_invitation(result, Path(folder))
        except OSError as error:
            self.notice(self.tr("La invitación no se pudo guardar en {}: {}").format(folder, error.strerror))
            return None

    def _open_file(self, path: Path) -> None:
        if not self._open_url(QUrl.fromLocalFile(str(path))):
            self.notice(self.tr("No hay un programa que abra {}").format(path))

    def _show_count(self) -> None:
        unread = self.model.unread_late() if self.model.held else self.cache.unread_count()
        self.tray.set_unread(unread)
        self.center.set_unread(unread)

    def notice(self, text: str, button: ToastButton | None = None) -> None:
        """Where the person is looking: in the center, or as a toast."""
        if self.center.isVisible() and not self.center.isMinimized():
            self.center.notice(text, button)
        else:
            self.toasts.notice(text, button)

    # --- who is signed in ---------------------------------------------------------------------------------------

    def _show_user(self) -> None:
        user: User | None = self.session.user
        self.tray.set_user(None if user is None else user.name or user.email)

    def _signed_in(self) -> None:
        self._show_user()
        self.center.open()

    def _signed_out(self, message: str) -> None:
        self._leave()
        self.login_window.open(self.session.server, message)

    async def _log_out(self) -> None:
        server = self.session.server
        self._leave()
        await self.session.logout()
        self.login_window.open(server)

    def _leave(self) -> None:
        self.center.forget_clearing()
        self.center.close()
        self.actions.close()
        self.tray.set_user(None)

    # --- from the person ----------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self.session.user is None:
            self.login_window.open(self.session.server)
        else:
            self.center.toggle()

    def _hosted(self, hosted: bool) -> None:
        self.center.set_hosted(hosted)
        if not hosted and self.session.user is not None:
            self.center.open()

    def _item_menu(self, id: str, at: QPoint) -> None:
        item = self.cache.get(id)
        if item is not None:
            ItemMenu(item, self.actions, self.session.outbox, self.center).open(at)

    def _clear(self, late: frozenset[str]) -> None:
        """Removes what was there when the person cleared. What arrived since was never seen, and stays."""
        if not late:
            self.session.outbox.clear_all()
            return
        for id in self._all_ids() - late:
            self.session.outbox.remove(id)

    def _all_ids(self) -> set[str]:
        ids: set[str] = set()
        page: list[Any] = self.cache.page()
        while page:
            ids.update(item.id for item in page)
            page = self.cache.page(before=(page[-1].created_at, page[-1].id))
        return ids
