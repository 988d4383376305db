"""A small real server (HTTP and Socket.IO on loopback) for faults the product's own server cannot be asked to have.

It keeps one person's feed in memory, hands out numbered tokens, writes down every request, and can be told to refuse,
to lose pushes, to restart its feed, or to end a login.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import socketio
from aiohttp import web

from crmtray.protocol import Json, Notification, parse_time

USER = {"user_id": "7", "tenant_id": "t1", "name": "Ana", "email": "ana@example.com", "role": "seller"}
PASSWORD = "correct horse"
DROP_SECONDS = 1.0


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came in."""

    method: str
    path: str
    body: Any
    key: str | None
    token: str | None


class FakeServer:
    """Start it with `running`."""

    def __init__(self) -> None:
        self.epoch = "e1"
        self.head = 0
        self.entries: list[tuple[int, str]] = []
        self.items: dict[str, Notification] = {}
        self.first_seq: dict[str, int] = {}
        self.requests: list[Request] = []
        self.answers: deque[tuple[str, int, str]] = deque()
        """(part of a path, status, code): the next request for it is answered so, and not carried out."""
        self.lose_answers = 0
        """So many operations are carried out, and their answers cut off."""
        self.done: dict[str, Any] = {}
        self.answering = asyncio.Event()
        """While it is not set, requests wait."""
        self.answering.set()
        self.pushing = True
        self.sockets_refused_with: str | None = None
        self.expires_in = 900
        self.login_over = False
        self.token_number = 0
        self.valid: set[str] = set()
        self.acknowledged: list[int] = []
        self.socket_tokens: list[str] = []
        self.introductions: list[Json] = []
        self.user_agents: set[str] = set()
        self.url = ""
        self.sio: Any = socketio.AsyncServer(async_mode="aiohttp", namespaces=["/"])
        self.sio.on("connect", self._connect)
        self.sio.on("subscribe_notifications", self._subscribe)
        self.sio.on("ack_notifications", self._ack)
        self.sio.on("refresh_token", self._refresh_token)
        self._runner: web.AppRunner | None = None
        self._port = 0

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[FakeServer]:
        server = cls()
        await server.up()
        try:
            yield server
        finally:
            await server.down()

    async def up(self) -> None:
        """Starts listening; on the same port as before, when there was one."""
        app = web.Application()
        self.sio.attach(app)
        app.router.add_route("*", "/{path:(?!socket.io).*}", self._http)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def down(self) -> None:
        if self._runner is not None:
            await self.drop_sockets()
            await self._runner.cleanup()
            self._runner = None

    async def drop_sockets(self) -> None:
        for sid in list(self.sio.eio.sockets):
            # The library waits, without end, for what a client that has just gone will never read.
            with suppress(TimeoutError):
                await asyncio.wait_for(self.sio.eio.disconnect(sid), DROP_SECONDS)

    # --- the feed -----------------------------------------------------------------------------------------------

    async def add(self, *notifications: Notification) -> None:
        for notification in notifications:
            self.first_seq[notification.id] = self.head + 1
            await self._store(notification, "new_notification")

    async def _store(self, notification: Notification, event: str) -> Notification:
        self.head += 1
        stored = replace(notification, seq=self.head)
        self.items[stored.id] = stored
        self.entries.append((self.head, stored.id))
        await self._push(event, stored.to_wire())
        return stored

    async def _remove(self, id: str) -> None:
        self.head += 1
        del self.items[id]
        self.entries.append((self.head, id))
        await self._push("notification_removed", {"id": id, "seq": self.head})

    async def _push(self, event: str, data: Json) -> None:
        if self.pushing:
            await self.sio.emit(event, data)
            await self.sio.emit("notification_count_update", {"count": 0, "epoch": self.epoch, "seq": self.head})

    def restore(self, epoch: str) -> None:
        """As after a restored backup: the same items, another feed."""
        self.epoch, self.head, self.entries = epoch, 0, []
        for id, notification in list(self.items.items()):
            self.head += 1
            self.items[id] = replace(notification, seq=self.head)
            self.first_seq[id] = self.head
            self.entries.append((self.head, id))

    def changes(self, epoch: str | None, since: int | None, limit: int = 200) -> Json:
        reset = epoch != self.epoch or since is None or since > self.head
        if reset:
            entries = sorted((item.seq, id) for id, item in self.items.items())
        else:
            entries = [entry for entry in self.entries if entry[0] > (since or 0)]
        shown, more = entries[:limit], len(entries) > limit
        return {
            "epoch": self.epoch,
            "seq": shown[-1][0] if more else self.head,
            "changes": [self._entry(*entry) for entry in shown],
            "has_more": more,
            "reset": reset,
            "unread_count": sum(not item.read for item in self.items.values()),
        }

    def _entry(self, seq: int, id: str) -> Json:
        kept = self.items.get(id)
        if kept is None:
            return {"seq": seq, "op": "remove", "id": id}
        return {"seq": seq, "op": "put", "notification": kept.to_wire()}

    # --- HTTP ---------------------------------------------------------------------------------------------------

    async def _http(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        key = request.headers.get("Idempotency-Key")
        self.user_agents.add(request.headers.get("User-Agent", ""))
        self.requests.append(Request(request.method, request.path_qs, body, key, token))
        await self.answering.wait()
        for answer in list(self.answers):
            if answer[0] in request.path:
                self.answers.remove(answer)
                return _problem(answer[1], answer[2])
        if request.path.startswith("/auth/"):
            return self._auth(request.path, body)
        if token not in self.valid:
            return _problem(401, "token_expired")
        return await self._signed_in(request, body, key)

    def _auth(self, path: str, body: Any) -> web.Response:
        if path == "/auth/login" and (body["email"], body["password"]) != (USER["email"], PASSWORD):
            return _problem(401, "invalid_credentials")
        if path == "/auth/refresh" and (self.login_over or body["refresh_token"] != f"refresh-{self.token_number}"):
            return _problem(401, "invalid_token")
        if path == "/auth/logout":
            self.valid.clear()
            return web.Response(status=204)
        return web.json_response(self._tokens())

    def _tokens(self) -> Json:
        self.token_number += 1
        self.valid = {f"access-{self.token_number}"}
        return {
            "access_token": f"access-{self.token_number}",
            "refresh_token": f"refresh-{self.token_number}",
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "user": USER,
        }

    async def _signed_in(self, request: web.Request, body: Any, key: str | None) -> web.StreamResponse:
        if request.path == "/notifications/changes":
            query = request.query
            since = int(query["since"]) if "since" in query else None
            return web.json_response(self.changes(query.get("epoch"), since, int(query["limit"])))
        if request.path == "/sellers":
            return web.json_response([{"id": "7", "name": "Ana"}])
        if key is not None and key in self.done:
            return web.json_response(self.done[key])
        answer = await self._operation(request.method, request.path, request.query, body)
        if isinstance(answer, web.Response):
            return answer
        if key is not None:
            self.done[key] = answer
        if self.lose_answers:
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(answer)

    async def _operation(self, method: str, path: str, query: Any, body: Any) -> Any:
        parts = path.strip("/").split("/")
        if path == "/notifications/read":
            for id in self._up_to(body["up_to_seq"]):
                if not self.items[id].read:
                    await self._store(replace(self.items[id], read=True), "notification_updated")
            return {"changed": 1}
        if method == "DELETE" and len(parts) == 1:
            for id in self._up_to(int(query["up_to_seq"])):
                await self._remove(id)
            return {"changed": 1}
        found = self.items.get(parts[1])
        if found is None:
            return _problem(404, "not_found")
        if method == "DELETE":
            await self._remove(found.id)
            return web.Response(status=204)
        return await self._change(found, parts[2:], body)

    async def _change(self, found: Notification, what: list[str], body: Any) -> Any:
        if what == ["snooze"]:
            changed = replace(found, snoozed_until=parse_time(body["until"]))
        else:
            changed = replace(found, read=what != ["unread"], read_at=datetime.now(UTC))
        stored = await self._store(changed, "notification_updated")
        if what[0] == "actions":
            return {"ok": True, "notification": stored.to_wire(), "result": {}}
        return stored.to_wire()

    def _up_to(self, seq: int) -> list[str]:
        return [id for id in self.items if self.first_seq[id] <= seq]

    # --- Socket.IO ----------------------------------------------------------------------------------------------

    async def _connect(self, sid: str, environ: Json, auth: Any) -> None:
        code = self.sockets_refused_with
        if code is None and auth["token"] not in self.valid:
            code = "token_expired"
        if code is not None:
            raise socketio.exceptions.ConnectionRefusedError("refused", {"code": code})
        self.socket_tokens.append(auth["token"])
        self.introductions.append({name: value for name, value in auth.items() if name != "token"})

    async def _subscribe(self, sid: str, data: Json) -> Json:
        return {"ok": True, **self.changes(data.get("epoch"), data.get("since"))}

    async def _ack(self, sid: str, data: Json) -> Json:
        self.acknowledged.append(data["seq"])
        return {"ok": True}

    async def _refresh_token(self, sid: str, data: Json) -> Json:
        self.socket_tokens.append(data["token"])
        return {"ok": True}

    def asked(self, method: str, part: str) -> list[Request]:
        return [request for request in self.requests if request.method == method and part in request.path]


def _problem(status: int, code: str) -> web.Response:
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": ""}
    return web.json_response(body, status=status, content_type="application/problem+json")
