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

from PySide6.QtCore import QCoreApplication, QObject, QPoint, QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices

from ..cache import Cache
from ..config import ClientConfig
from ..credentials import Credentials
from ..launch import DEFAULT_PROFILE
from ..network import Network
from ..paths import resource
from ..protocol import Json, Notification, User
from ..session import Session
from .actions import Actions
from .bridge import Bridge, SessionListener
from .center import Center
from .configuration import Configuration
from .desktop_toasts import desktop_toasts
from .diagnostics import Diagnostics
from .item_menu import ItemMenu
from .language import Language
from .link_question import LinkQuestion
from .login import Login, LoginWindow
from .models import Clearing, NotificationModel
from .motion import Motion
from .news import News
from .outcomes import outcome, save_invitation
from .quiet import Quiet
from .settings import Settings
from .shortcut import Shortcut, system_keys
from .system_proxy import system_proxy
from .system_quiet import SystemQuiet
from .tasks import Tasks
from .theme import Theme
from .toast_card import ToastButton
from .toast_window import ToastStack
from .toasts import Toasts
from .tray import Tray

log = logging.getLogger(__name__)

TOAST_ICON = "icons/crmtray-64.png"


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
        self._starting, self._state = False, "offline"
        self._asked: list[str | None] = []
        spawn = self.tasks.spawn
        listener, network = SessionListener(self.bridge), Network(config, system_proxy)
        self.session = Session(config, listener, cache=cache, credentials=credentials, network=network)
        self.model = NotificationModel(cache)
        self.center = Center(self.model, theme, self.session.explain, spawn, menu=tray.menu)
        self.configuration, self.shortcut = Configuration(config), Shortcut(system_keys())
        self.links = LinkQuestion(self.configuration, lambda: self.session.server)
        session, ask = self.session, self.links.ask
        self.actions = Actions(cache, session.outbox, session.sellers, spawn, open_url=open_url, ask_first=ask)
        self.quiet = Quiet(cache, config.do_not_disturb_until, parent=self)
        self.system_quiet, self.motion = SystemQuiet(spawn, self), Motion(spawn, self)
        service, own = desktop_toasts(resource(TOAST_ICON)), ToastStack(theme)
        quiet, looked_at = (lambda: self.quiet.active), self.center.isActiveWindow
        self.toasts = Toasts(cache, service, own, spawn, quiet=quiet, looked_at=looked_at)
        own.give_way_to(self.center)
        self.login_window = LoginWindow()
        self.login = Login(self.login_window, self.session.login, credentials, spawn)
        known = (self.configuration, self.session, network, credentials, spawn)
        self.diagnostics = Diagnostics(*known, open_url=open_url)
        parts = (theme, self.session, self.configuration, self.shortcut, tray.quiet_menu)
        self.settings = Settings(*parts, spawn=spawn, open_url=open_url, notice=self.notice)
        self.language = Language.of(QCoreApplication.instance() or QCoreApplication())
        self._apply(config)
        self._connect_feed()
        self._connect_person()
        self._connect_quiet()
        self._show_count()
        self.center.set_hosted(tray.available)

    def _apply(self, config: ClientConfig) -> None:
        self.toasts.configure(config)
        self.shortcut.use(config.shortcut)
        self._name_windows(config.profile)
        # A locked server can be read and not be changed.
        self.login_window.server.setReadOnly("server" in config.locked)

    def _name_windows(self, profile: str) -> None:
        more = "" if profile == DEFAULT_PROFILE else f" ({profile})"
        self.center.setWindowTitle(self.tr("Notificaciones — crmtray") + more)
        self.login_window.setWindowTitle(self.tr("Entrar — crmtray") + more)

    def _retell(self) -> None:
        """In another language: what windows do not write anew themselves."""
        self._name_windows(self.configuration.value.profile)
        self.toasts.retell()
        self.session.tell_connection()
        self.model.tick()
        self.center.list.viewport().update()
        self.center.set_hosted(self.tray.available)
        self.tray.retranslate()
        self._show_user()
        self._show_quiet()
        self.settings.retranslate()

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
        self.center.marked.connect(lambda id, read: outbox.mark_read(id) if read else outbox.mark_unread(id))
        self.center.snoozed.connect(self.actions.snooze)
        self.center.retry.connect(lambda: self.tasks.spawn(self.session.sync_now(), "connect again"))
        self.center.held_changed.connect(self._show_count)
        self.center.closed_for_good.connect(self.ended.set)
        self.toasts.triggered.connect(self.actions.trigger)
        self.toasts.opened.connect(self.center.show_item)
        self.toasts.seen.connect(News(self.center).point_out)
        self.toasts.give_way_to(self.center)
        self.tray.opened.connect(self._open)
        self.tray.read_all.connect(lambda: outbox.mark_all_read())
        self.tray.logged_out.connect(lambda: self.tasks.spawn(self._log_out(), "log out"))
        self.tray.diagnosed.connect(self.diagnostics.copy)
        self.diagnostics.noticed.connect(self.notice)
        self.tray.quitted.connect(self.ended.set)
        self.tray.hosted.connect(self._hosted)
        self.tray.settings.connect(self.settings.open)
        self.shortcut.pressed.connect(self._open)
        self.configuration.changed.connect(self.toasts.configure)
        self.configuration.changed.connect(lambda config: self.language.use(config.language))
        self.language.changed.connect(self._retell)
        self.configuration.changed.connect(lambda config: self.quiet.set_setting(config.do_not_disturb_until))
        self.login.succeeded.connect(self._signed_in)

    def _connect_quiet(self) -> None:
        self.tray.quiet_menu.chosen.connect(self.quiet.choose)
        self.center.header.quiet_button.setMenu(self.tray.quiet_menu)
        self.system_quiet.changed.connect(self.quiet.set_system)
        self.quiet.changed.connect(self._show_quiet)
        self.quiet.ended.connect(self.toasts.quiet_ended)

    # --- beginning and end --------------------------------------------------------------------------------------

    async def start(self, *, minimized: bool, notification: str | None = None) -> None:
        """`notification`: the item to open at, as soon as it is here."""
        self._starting = True
        self._start_quiet()
        if notification is not None:
            self._asked.append(notification)
        await self._start(minimized=minimized)
        self._starting = False
        self._show_asked()

    async def _start(self, *, minimized: bool) -> None:
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
        self.diagnostics.tell_of_crash()

    async def start_with(self, server: str, email: str, password: str) -> None:
        """Signs in without asking."""
        self._start_quiet()
        await self.session.login(server, email, password)
        self._show_user()
        self.center.open()

    def _start_quiet(self) -> None:
        self.quiet.start()
        self.tasks.spawn(self.system_quiet.start(), "the desktop's do not disturb")
        self.tasks.spawn(self.motion.look(), "whether to move less")

    def settle(self) -> None:
        """The end may come at any moment now, without `close`: what is only on the screen yet goes into the cache."""
        self.center.finish_clearing()

    async def close(self) -> None:
        self.settle()
        self.language.changed.disconnect(self._retell)
        self._close_windows()
        await self.settings.finish()
        self.shortcut.close()
        self.quiet.stop()
        self.system_quiet.close()
        self.motion.close()
        await self.toasts.close()
        await self.session.stop()
        await self.tasks.cancel()
        self._close_windows()  # what was under way meanwhile may have opened one
        self.cache.close()

    def _close_windows(self) -> None:
        for window in (self.center, self.login_window, self.actions, self.links):
            window.close()

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
        self._state = state
        self.center.set_loaded(self.cache.cursor is not None)
        self.center.set_connection(state, detail)
        self.tray.set_connection(state, detail)
        self.settings.set_connection(state)

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

    def _show_quiet(self) -> None:
        words = self.quiet.words
        self.tray.set_quiet(words, ours=self.quiet.until is not None)
        self.center.set_quiet(words, self.quiet.short)
        self.settings.show_quiet(words)

    def notice(self, text: str, button: ToastButton | None = None) -> None:
        """Where the person is looking: in the center, or as a toast."""
        if self.center.isVisible() and not self.center.isMinimized():
            self.center.notice(text, button)
        else:
            self.toasts.notice(text, button)

    # --- who is signed in ---------------------------------------------------------------------------------------

    def _show_user(self) -> None:
        user: User | None = self.session.user
        name = None if user is None else user.name or user.email
        self.tray.set_user(name)
        self.settings.set_account(name, self.session.server)

    def _signed_in(self) -> None:
        self._show_user()
        self.center.open()
        self._show_asked()

    def _signed_out(self, message: str) -> None:
        self._leave()
        self.login_window.open(self.session.server, message)

    async def _log_out(self) -> None:
        server = self.session.server
        self._leave()
        self.quiet.forget()
        await self.session.logout()
        self.login_window.open(server)

    def _leave(self) -> None:
        self.center.forget_clearing()
        self.center.close()
        self.actions.close()
        self.links.close()
        self.tray.set_user(None)
        self.settings.set_account(None, self.session.server)

    # --- from another start, or a link --------------------------------------------------------------------------

    def show_notification(self, id: str | None) -> None:
        """The center, at this item; one that is not here is asked for first. Nobody signed in: that first."""
        if self.session.user is None:
            self._asked.append(id)
            if not self._starting:
                self.login_window.open(self.session.server)
        elif id is None or self.cache.get(id) is not None:
            self.center.show_item(id)
        else:
            self.center.open()
            self.tasks.spawn(self._find(id), "find a notification")

    def _show_asked(self) -> None:
        asked, self._asked = self._asked, []
        for id in asked[-1:]:
            self.show_notification(id)

    async def _find(self, id: str) -> None:
        for _ in range(2):  # the first may be given up for a subscription, which brings the same
            if self.cache.get(id) is None:
                await self.session.pull_now()
        if self._state == "offline" and self.cache.get(id) is None:
            self.notice(self.tr("Sin conexión no se puede buscar esa notificación."))
        else:
            self.center.show_item(id)

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

    def _clear(self, clearing: Clearing) -> None:
        """Removes what was there when the person cleared. What arrived since was never seen, and stays."""
        if not clearing.mixed:
            self.session.outbox.clear_all(clearing.up_to)
            return
        for id in self._all_ids() - clearing.late:
            self.session.outbox.remove(id)

    def _all_ids(self) -> set[str]:
        ids: set[str] = set()
        page: list[Any] = self.cache.page()
        while page:
            ids.update(item.id for item in page)
            page = self.cache.page(before=(page[-1].created_at, page[-1].id))
        return ids
