"""Socket.IO: who may connect, and what each client event does.

Owns the events of docs/protocol.md. Handlers check their arguments, call the inbox or the actions, and answer by an
ack `{ok: true, …}` or `{ok: false, code, message}`. What is sent to clients goes through the hub.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import socketio

from crmtray import protocol
from crmtray.protocol import Json, WireError

from .actions import ActionRefused, Actions
from .auth import Auth, Claims, Refused
from .config import Settings
from .crm.writer import CrmUnavailable
from .frames import count_frame, event_frame
from .hub import Connection, Hub
from .inbox import Clock, Inbox, NotFound, utc_now
from .monitor import Monitor
from .receipts import device_of
from .sockets import StrictServer
from .store import feed, simple_clients
from .store.database import Store, StoreUnavailable
from .store.operations import IdReused

log = logging.getLogger(__name__)

PAGE = 100
LARGEST_PAGE = 500
SOCKETS_PER_USER = 20

Handler = Callable[[Connection, Json], Awaitable[Json]]


class BadArguments(Exception):
    """What a client event carried is not what it takes."""


class Realtime:
    """The Socket.IO server with its handlers. `sio` is attached to the web application by app."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        auth: Auth,
        hub: Hub,
        inbox: Inbox,
        actions: Actions,
        monitor: Monitor,
        clock: Clock = utc_now,
    ) -> None:
        self._store, self._auth, self._hub, self._inbox, self._actions = store, auth, hub, inbox, actions
        self._monitor = monitor
        self._clock = clock
        self._most = 2 * settings.socketio_max_connections
        self._connections: dict[str, Connection] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        handlers: dict[str, Handler] = {
            protocol.SUBSCRIBE_NOTIFICATIONS: self._subscribe,
            protocol.UNSUBSCRIBE_NOTIFICATIONS: self._unsubscribe,
            protocol.JOIN_ROOM: self._join_room,
            protocol.MARK_NOTIFICATION_READ: self._mark_read,
            protocol.MARK_ALL_NOTIFICATIONS_READ: self._mark_all_read,
            protocol.CLEAR_NOTIFICATIONS: self._clear,
            protocol.SNOOZE_NOTIFICATION: self._snooze,
            protocol.GET_NOTIFICATION_COUNT: self._count,
            protocol.PERFORM_ACTION: self._perform_action,
            protocol.ACK_NOTIFICATIONS: self._acknowledge,
            protocol.REFRESH_TOKEN: self._refresh_token,
        }
        self.sio = StrictServer(
            frozenset(handlers),
            monitor,
            transports=list(settings.socketio_transports),
            cors_allowed_origins=_origins(settings.socketio_cors_origins),
            # The library takes whole seconds; the settings are in milliseconds.
            ping_interval=max(1, settings.socketio_ping_interval // 1000),
            ping_timeout=max(1, settings.socketio_ping_timeout // 1000),
            max_http_buffer_size=settings.socketio_max_http_buffer_size,
            logger=False,
            engineio_logger=False,
        )
        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self._disconnect)
        for name, handler in handlers.items():
            self.sio.on(name, self._answering(name, handler))

    async def close(self) -> None:
        await self._hub.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sio.shutdown()

    # --- connections -------------------------------------------------------------------------------------------

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        try:
            claims = await self._auth.check(_token(environ, auth))
        except Refused as refused:
            raise self._refusal(refused.code, refused.message) from None
        except (StoreUnavailable, CrmUnavailable):
            raise self._refusal("unavailable", "A database of the server is not available. Try again later.") from None
        if len(self._hub) >= self._most or self._hub.of(claims.scope) >= SOCKETS_PER_USER:
            raise self._refusal(protocol.TOO_MANY_CONNECTIONS, "Too many connections. Try again later.")
        connection = self._new_connection(sid, claims, environ, auth)
        self._connections[sid] = connection
        self._hub.add(connection)
        self._expire_at(sid, connection)
        # After the CONNECT packet, which the library sends when this handler has returned.
        asyncio.get_running_loop().call_soon(
            connection.send, event_frame(protocol.NOTIFICATION_CONNECTED, {"user_id": claims.scope.user_id})
        )

    def _new_connection(self, sid: str, claims: Claims, environ: dict[str, Any], auth: Any) -> Connection:
        eio_sid = self.sio.manager.eio_sid_from_sid(sid, "/")
        return Connection(
            claims=claims,
            send=lambda frame, since=None: self.sio.send_frame(eio_sid, frame, since),
            drained=lambda: self.sio.drained(eio_sid),
            cut=lambda: self._spawn(self.sio.cut(eio_sid), "cut"),
            device=device_of(auth, environ.get("HTTP_USER_AGENT")),
            since=self._clock(),
            address=environ["aiohttp.request"].remote,
        )

    def _refusal(self, code: str, message: str) -> Exception:
        self._monitor.refused(code)
        return _refusal(code, message)

    async def _disconnect(self, sid: str, reason: str) -> None:
        connection = self._connections.pop(sid, None)
        if connection is not None:
            self._hub.remove(connection)
        expiry = self._expiries.pop(sid, None)
        if expiry is not None:
            expiry.cancel()

    def _expire_at(self, sid: str, connection: Connection) -> None:
        previous = self._expiries.pop(sid, None)
        if previous is not None:
            previous.cancel()
        seconds = (connection.claims.expires_at - self._clock()).total_seconds()
        # Longer than a day is looked at again then: a timer far away overflows on some platforms.
        if seconds > 86_400:
            again = asyncio.get_running_loop().call_later(86_400, self._expire_at, sid, connection)
            self._expiries[sid] = again
        else:
            self._expiries[sid] = asyncio.get_running_loop().call_later(max(0.0, seconds), connection.cut)

    def _answering(self, name: str, handler: Handler) -> Callable[..., Awaitable[Json]]:
        async def answer(sid: str, *args: Any) -> Json:
            connection = self._connections.get(sid)
            if connection is None:
                return _no(protocol.AUTHENTICATION_REQUIRED, "Not connected.")
            data = args[0] if args else {}
            if not isinstance(data, dict) or len(args) > 1:
                return _no(protocol.INVALID_REQUEST, f"{name} takes one object.")
            return await self._guarded(name, handler, connection, data)

        return answer

    async def _guarded(self, name: str, handler: Handler, connection: Connection, data: Json) -> Json:
        try:
            return {"ok": True} | await handler(connection, data)
        except (BadArguments, WireError) as error:
            return _no(protocol.INVALID_REQUEST, str(error))
        except NotFound:
            return _no(protocol.NOT_FOUND, "There is no such notification.")
        except (ActionRefused, Refused) as refused:
            return _no(refused.code, refused.message)
        except IdReused:
            return _no("request_id_reused", "This request_id belongs to another action.")
        except (StoreUnavailable, CrmUnavailable):
            self._monitor.failed("unavailable")
            return _no("unavailable", "Not available now. Try again later.")
        except Exception:
            log.exception("%s failed", name)
            self._monitor.failed("internal_error")
            return _no("internal_error", "The server has a fault; it is in its log.")

    def _spawn(self, coroutine: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- the feed ----------------------------------------------------------------------------------------------

    async def _subscribe(self, connection: Connection, data: Json) -> Json:
        user_id = data.get("user_id")
        if user_id is not None and str(user_id) != connection.scope.user_id:
            raise Refused(protocol.FORBIDDEN, "Only your own notifications.")
        connection.mode = "subscribing"
        connection.held.clear()
        try:
            if data.get("since") is None:
                return await self._subscribe_simple(connection)
            return await self._subscribe_cursor(connection, data)
        except Exception:
            await self._unsubscribe(connection, {})
            raise

    async def _subscribe_cursor(self, connection: Connection, data: Json) -> Json:
        since, epoch = _whole(data, "since"), data.get("epoch")
        limit = min(LARGEST_PAGE, _whole(data, "limit")) if "limit" in data else LARGEST_PAGE
        page = await self._store.read(feed.changes_since, connection.scope, epoch, since, max(1, limit))
        connection.send(_subscribed(connection, page.epoch, page.seq))
        unread = [change for change in page.changes if change.notification and not change.notification.read]
        self._hub.gave(connection, [(change.seq, change.id) for change in unread])
        # What was held goes out behind the ack, which the library sends when this handler has returned.
        asyncio.get_running_loop().call_soon(self._hub.start, connection, "cursor", page.seq)
        return page.to_wire()

    async def _subscribe_simple(self, connection: Connection) -> Json:
        """Everything never sent, oldest first, then the count; after that each change as it comes."""
        unsent = await self._store.read(simple_clients.never_sent, connection.scope, 0, PAGE)
        connection.send(_subscribed(connection, unsent.epoch, unsent.head))
        while True:
            for notification in unsent.notifications:
                connection.send(event_frame(protocol.NEW_NOTIFICATION, notification.to_wire()))
            self._hub.gave(connection, [(notification.seq, notification.id) for notification in unsent.notifications])
            if not await connection.drained():
                connection.cut()
                raise BadArguments("The client does not read what it is sent.")
            if unsent.notifications:
                await self._store.write(simple_clients.mark_sent, connection.scope, [unsent.notifications[-1].id])
            if len(unsent.notifications) < PAGE:
                break
            unsent = await self._store.read(simple_clients.never_sent, connection.scope, unsent.last, PAGE)
        connection.send(count_frame(unsent.unread_count, unsent.epoch, unsent.head))
        self._hub.start(connection, "simple", unsent.head)
        return {"epoch": unsent.epoch, "seq": unsent.head, "unread_count": unsent.unread_count}

    async def _unsubscribe(self, connection: Connection, data: Json) -> Json:
        connection.mode = "none"
        connection.held.clear()
        return {}

    async def _join_room(self, connection: Connection, data: Json) -> Json:
        """Kept for the clients that ask for their room by name; there is none but their own."""
        room = data.get("room")
        if room != f"notifications:{connection.scope.user_id}":
            raise Refused(protocol.FORBIDDEN, "Only your own room.")
        return {"room": room}

    async def _acknowledge(self, connection: Connection, data: Json) -> Json:
        self._hub.acknowledge(connection, _whole(data, "seq"))
        return {}

    async def _count(self, connection: Connection, data: Json) -> Json:
        count = await self._store.read(feed.unread_count, connection.scope)
        seq = await self._store.read(feed.cursor, connection.scope)
        return {"count": count, "epoch": self._store.epoch, "seq": seq}

    # --- items -------------------------------------------------------------------------------------------------

    async def _mark_read(self, connection: Connection, data: Json) -> Json:
        notification = await self._inbox.mark_read(connection.scope, _text(data, "notification_id"))
        return {"notification": notification.to_wire()}

    async def _mark_all_read(self, connection: Connection, data: Json) -> Json:
        committed = await self._inbox.mark_all_read(connection.scope, _up_to(data))
        return {"changed": len(committed.changes), "count": committed.unread_count}

    async def _clear(self, connection: Connection, data: Json) -> Json:
        committed = await self._inbox.clear(connection.scope, _up_to(data))
        return {"changed": len(committed.changes), "count": committed.unread_count}

    async def _snooze(self, connection: Connection, data: Json) -> Json:
        until = snooze_until(data.get("until"), self._clock())
        notification = await self._inbox.snooze(connection.scope, _text(data, "notification_id"), until)
        return {"notification": notification.to_wire()}

    async def _perform_action(self, connection: Connection, data: Json) -> Json:
        params = {} if data.get("params") is None else data["params"]
        if not isinstance(params, dict):
            raise BadArguments("params: expected an object.")
        request_id = None if data.get("request_id") is None else _text(data, "request_id")
        user = await self._auth.user(connection.claims)
        return await self._actions.perform(
            user, _text(data, "notification_id"), _text(data, "action"), params, request_id
        )

    async def _refresh_token(self, connection: Connection, data: Json) -> Json:
        claims: Claims = await self._auth.check(_text(data, "token"))
        if claims.scope != connection.scope:
            raise Refused(protocol.INVALID_TOKEN, "The token belongs to another user.")
        connection.claims = claims
        for sid, known in self._connections.items():
            if known is connection:
                self._expire_at(sid, connection)
                break
        return {"expires_at": protocol.format_time(claims.expires_at)}


def _subscribed(connection: Connection, epoch: str, seq: int) -> str:
    body = {"user_id": connection.scope.user_id, "epoch": epoch, "seq": seq}
    return event_frame(protocol.NOTIFICATION_SUBSCRIBED, body)


def snooze_until(value: Any, now: datetime) -> datetime:
    """A moment to come. Raises WireError."""
    until = protocol.parse_time(value) if isinstance(value, str) else None
    if until is None or until <= now:
        raise WireError("until: expected a time to come, as ISO 8601.")
    return until


def _origins(allowed: tuple[str, ...]) -> Any:
    """The library's forms: None is the same origin; an empty list would switch the check off."""
    return "*" if "*" in allowed else list(allowed) or None


def _token(environ: dict[str, Any], auth: Any) -> str | None:
    if isinstance(auth, dict) and isinstance(auth.get("token"), str):
        return str(auth["token"]).removeprefix("Bearer ")
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _refusal(code: str, message: str) -> Exception:
    refusal: Exception = socketio.exceptions.ConnectionRefusedError(message)
    # `data` is where the JavaScript client looks, the top level where the Python client does.
    refusal.error_args = {"message": message, "code": code, "data": {"code": code}}  # type: ignore[attr-defined]
    return refusal


def _no(code: str, message: str) -> Json:
    return {"ok": False, "code": code, "message": message}


def _text(data: Json, key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value or len(value) > 10_000:
        raise BadArguments(f"{key}: expected text.")
    return value


def _whole(data: Json, key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise BadArguments(f"{key}: expected a whole number.")
    return value


def _up_to(data: Json) -> int | None:
    return None if data.get("up_to_seq") is None else _whole(data, "up_to_seq")
