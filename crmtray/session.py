"""The client without a screen: everything below the user interface, wired together.

The tray app and the terminal both use this. Owns who is signed in and what runs while somebody is; the parts do the
work. It must not know about Qt or terminals: it tells one Listener.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Protocol

from .addresses import BadServer, normalise_server
from .api import Api, ApiError, Seller
from .cache import Cache
from .config import ClientConfig
from .credentials import Credentials, Tokens
from .network import Network
from .outbox import Outbox
from .preferences import Preferences
from .protocol import INVALID_TOKEN, Json, Notification, User
from .realtime import Hooks, Realtime
from .sync import ConnectionState, Reports, Sync
from .words import say

__all__ = ["ApiError", "ConnectionState", "Listener", "LoginFailed", "Seller", "Session"]

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
SUSPENDED_SECONDS = 20.0
"""A heartbeat this late means that the machine slept: connections are dead, whatever they look like."""
RENEW_BEFORE_SECONDS = 60.0
RESTART_SECONDS = 5.0
LOGOUT_LIMIT = 5.0


class Listener(Protocol):
    """Told on the loop's thread. Must return at once."""

    def changed(self, ids: Collection[str]) -> None:
        """These rows look different, appeared or vanished; empty: everything may have."""

    def arrived(self, notifications: Sequence[Notification], catching_up: bool) -> None:
        """New to this device. What to toast is asked of `cache.pending_toasts`."""

    def connection(self, state: ConnectionState, detail: str) -> None: ...

    def signed_out(self, message: str) -> None:
        """The server no longer accepts the login: it is time for the login window."""

    def refused(self, notification_id: str | None, message: str) -> None:
        """The server said no to something the person did; it was taken back."""

    def performed(self, notification_id: str, action: str, result: Json) -> None:
        """A button was carried out. `result` is what the server made of it, such as an invitation to a meeting."""


class LoginFailed(Exception):
    """`message` in Spanish for the person, `detail` for logs and terminals; `code` is stable."""

    def __init__(self, message: str, code: str, detail: str) -> None:
        super().__init__(message)
        self.message, self.code, self.detail = message, code, detail


class Session:
    """At most one person signed in at one server."""

    def __init__(
        self,
        config: ClientConfig,
        listener: Listener,
        *,
        cache: Cache,
        credentials: Credentials,
        network: Network | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self.cache = cache
        self.user: User | None = None
        self.outbox = Outbox(
            cache,
            changed=listener.changed,
            refused=listener.refused,
            pull=self._request_pull,
            performed=listener.performed,
        )
        self._config, self._listener, self._credentials = config, listener, credentials
        self._network = network or Network(config)
        self._heartbeat_seconds = heartbeat_seconds
        self._api: Api | None = None
        self._sync: Sync | None = None
        self._realtime: Realtime | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None

    @property
    def memory_only(self) -> bool:
        """The login ends with this process, because no keyring can keep it."""
        return self._credentials.memory_only

    @property
    def server(self) -> str | None:
        """The server in use, or to propose in a login window."""
        if self._api is not None:
            return self._api.server
        return self._config.server or (self.cache.owner[0] if self.cache.owner else None)

    async def start(self) -> bool:
        """Goes on with the stored login. False: there is none, call `login`."""
        server = self.server or await self._credentials.last_server()
        tokens = await self._credentials.load(server) if server is not None else None
        if server is None or tokens is None:
            return False
        self._begin(server, tokens)
        return True

    async def login(self, server: str, email: str, password: str) -> User:
        """Signs in and starts. Raises LoginFailed; then whoever was signed in still is."""
        try:
            address = normalise_server(server)
        except BadServer as error:
            raise LoginFailed(error.message, "bad_server", error.detail) from None
        self._refuse_other_server(address)
        api = Api(address, network=self._network)
        try:
            tokens = await api.login(email.strip(), password)
        except ApiError as error:
            raise LoginFailed(error.message, error.code, error.detail) from error
        finally:
            await api.close()
        await self.stop()
        await self._credentials.save(address, tokens)
        self._begin(address, tokens)
        return tokens.user

    async def logout(self) -> None:
        """Ends the login here, and on the server when it can be reached; nothing of it stays on this machine."""
        api, server = self._api, self.server
        await self._stop_tasks()
        if api is not None:
            with contextlib.suppress(ApiError, TimeoutError):
                async with asyncio.timeout(LOGOUT_LIMIT):
                    await api.logout()
        await self.stop()
        if server is not None:
            await self._credentials.delete(server)
        self.cache.wipe()
        self._listener.changed(frozenset())
        self._listener.connection(ConnectionState.OFFLINE, say("Sesión cerrada"))

    async def sellers(self) -> list[Seller]:
        """Who a conversation can be given to. Raises ApiError."""
        return await self._signed_in().sellers()

    async def explain(self, id: str) -> Json:
        """Why the person was told of this item. Raises ApiError."""
        return await self._signed_in().explain(id)

    async def settings(self) -> Preferences:
        """How the person wants to be told. Raises ApiError."""
        api = self._signed_in()
        return self._remembered(api, await api.settings())

    async def save_settings(self, changes: Json) -> Preferences:
        """Changes these fields and no other; what counts from now on. Raises ApiError."""
        api = self._signed_in()
        return self._remembered(api, await api.save_settings(changes))

    def known_settings(self) -> Preferences | None:
        """What the server said last: something to show for as long as it cannot be asked."""
        stored = self.cache.preferences
        if stored is not None:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                return Preferences.from_wire(stored)
        return None

    def _remembered(self, api: Api, preferences: Preferences) -> Preferences:
        if api is self._api:  # it may have taken until somebody else was signed in
            self.cache.preferences = preferences.to_wire()
        return preferences

    def _signed_in(self) -> Api:
        if self._api is None:
            message = say("No hay ninguna sesión iniciada.")
            raise ApiError(INVALID_TOKEN, message, status=401, permanent=True, detail="nobody is signed in")
        return self._api

    def tell_connection(self) -> None:
        """Once more, after the language changed."""
        if self._sync is not None:
            self._sync.tell_again()

    async def sync_now(self) -> None:
        """Asks the feed at once, and returns when that was tried."""
        if self._realtime is not None and not self._realtime.connected:
            self._realtime.reconnect()
        if self._sync is not None:
            await self._sync.pull_now()

    async def pull_now(self) -> None:
        """Asks the feed without touching the connection, and returns when that was tried."""
        if self._sync is not None:
            await self._sync.pull_now()

    def resumed(self) -> None:
        """The machine slept: its connections are dead, whatever they look like."""
        if self._realtime is None or self._sync is None:
            return
        log.info("the machine slept: connecting again")
        self._realtime.reconnect()
        self._sync.request_pull()

    async def stop(self) -> None:
        """Ends what runs; the login stays stored."""
        if self._ending is not None and self._ending is not asyncio.current_task():
            await self._ending
        await self._stop_tasks()
        if self._api is not None:
            await self._api.close()
        self._api = self._sync = self._realtime = self.user = None

    # --- wiring -------------------------------------------------------------------------------------------------

    def _begin(self, server: str, tokens: Tokens) -> None:
        self._own_cache(server, tokens.user)
        self.user = tokens.user
        api = self._api = Api(
            server,
            tokens,
            renewed=self._renewed,
            reload=lambda: self._credentials.load(server),
            ended=self._login_ended,
            network=self._network,
        )
        realtime, sync = self._connect(api)
        self._realtime, self._sync = realtime, sync
        self._keep("sync", sync.run)
        self._keep("realtime", realtime.run)
        self._keep("outbox", lambda: self.outbox.run(api))
        self._keep("heartbeat", lambda: self._heartbeat(api))

    def _connect(self, api: Api) -> tuple[Realtime, Sync]:
        # Each hands the other what it needs by name, so neither has to exist first.
        hooks = Hooks(
            token=lambda: api.tokens.access_token if api.tokens else "",
            renew=lambda refused: _renew_refused(api, refused),
            cursor=lambda: self.cache.cursor,
            subscribed=lambda asked, answer: sync.subscribed(asked, answer),
            event=lambda name, data: sync.event(name, data),
            up=lambda: sync.up(),
            down=lambda reason: sync.down(reason),
        )
        realtime = Realtime(api.server, hooks, network=self._network)
        reports = Reports(
            changed=self._listener.changed,
            arrived=self._listener.arrived,
            connection=self._listener.connection,
            online=self.outbox.online,
        )
        poll_seconds = self._config.poll_seconds
        sync = Sync(self.cache, api.changes, realtime.acknowledge, reports, poll_seconds=poll_seconds)
        return realtime, sync

    def _refuse_other_server(self, address: str) -> None:
        fixed = self._config.server if "server" in self._config.locked else None
        if fixed not in (None, address):
            message = say("La administración de este equipo solo permite el servidor {}").format(fixed)
            raise LoginFailed(message, "bad_server", f"the administrator of this machine allows only {fixed}")

    def _own_cache(self, server: str, user: User) -> None:
        """A cache of somebody else, or of another server, is forgotten first."""
        owner = (server, f"{user.tenant_id}/{user.user_id}")
        if self.cache.owner != owner:
            if self.cache.owner is not None or self.cache.cursor is not None:
                self.cache.wipe()
                self._listener.changed(frozenset())
            self.cache.owner = owner

    # --- what runs while somebody is signed in ------------------------------------------------------------------

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(_kept(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop_tasks(self) -> None:
        self.outbox.online(False)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _heartbeat(self, api: Api) -> None:
        """What depends on the wall clock: it goes on while the machine sleeps, and timers do not."""
        last = time.time()
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            now = time.time()
            if now - last > self._heartbeat_seconds + SUSPENDED_SECONDS:
                self.resumed()
            last = now
            self._wake_snoozed()
            await self._renew_in_time(api, now)

    def _wake_snoozed(self) -> None:
        now = datetime.now(UTC)
        moment = self.cache.next_wake()
        if moment is not None and moment <= now:
            woken = self.cache.wake(now=now)
            self._listener.changed(frozenset())
            if woken:
                self._listener.arrived(woken, False)

    async def _renew_in_time(self, api: Api, now: float) -> None:
        tokens = api.tokens
        if tokens is None or now < tokens.expires_at - RENEW_BEFORE_SECONDS:
            return
        try:
            await api.renew(tokens)
        except ApiError as error:
            log.info("the token could not be renewed yet: %s", error)

    async def _renewed(self, tokens: Tokens) -> None:
        server = self.server
        if server is not None:
            await self._credentials.save(server, tokens)
        if self._realtime is not None:
            await self._realtime.renewed(tokens.access_token)

    def _request_pull(self) -> None:
        if self._sync is not None:
            self._sync.request_pull()

    def _login_ended(self, error: ApiError) -> None:
        # From inside one of the tasks that are to be ended: another one must do it.
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._sign_out(error), name="sign out")

    async def _sign_out(self, error: ApiError) -> None:
        log.info("the login has ended: %s", error)
        server = self.server
        await self.stop()
        if server is not None:
            await self._credentials.delete(server)
        self._ending = None
        self._listener.connection(ConnectionState.OFFLINE, say("Sesión cerrada"))
        self._listener.signed_out(say("La sesión terminó; hay que volver a entrar."))


async def _renew_refused(api: Api, refused: str) -> None:
    tokens = api.tokens
    if tokens is not None and tokens.access_token == refused:
        await api.renew(tokens)


async def _kept(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """A fault of ours in one part must not end the alerts: it is logged and the part starts again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("%s failed; it starts again in %g s", name, RESTART_SECONDS)
        await asyncio.sleep(RESTART_SECONDS)
