"""What the person does: shown at once, stored with it, sent in order until the server has answered.

Owns the queue's rules: one in flight, the same id until there is an answer, what is dropped and what is tried again.
It writes to the cache only through intents, never the server's truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .api import Api, ApiError, item_path
from .cache import Cache, PendingAction
from .intents import IntentKind
from .protocol import Json, format_time
from .realtime import Backoff
from .words import mark, say

log = logging.getLogger(__name__)

MAX_AGE = timedelta(days=29)
"""The server remembers operation ids for thirty days; after that the same id could be carried out twice."""
MOST_SERVER_FAULTS = 30
"""An operation on which the server itself fails this often must not hold up the others for ever."""
_TOO_OLD = mark("Una acción llevaba semanas sin poder enviarse y se descartó.")
_RESTORED = mark("El servidor se restauró desde una copia; hay que volver a marcar o borrar todas.")


class Outbox:
    """The methods named after what the person does return at once, with the operation's id."""

    def __init__(
        self,
        cache: Cache,
        *,
        changed: Callable[[Collection[str]], None],
        refused: Callable[[str | None, str], None],
        pull: Callable[[], None],
        performed: Callable[[str, str, Json], None] = lambda id, action, result: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        backoff: Backoff | None = None,
    ) -> None:
        self._cache = cache
        self._changed, self._refused, self._pull, self._performed = changed, refused, pull, performed
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._online = False
        self._kick = asyncio.Event()
        self._retry = asyncio.Event()

    # --- what the person does -----------------------------------------------------------------------------------

    def mark_read(self, id: str) -> str:
        return self._queue("read", id)

    def mark_unread(self, id: str) -> str:
        return self._queue("unread", id)

    def remove(self, id: str) -> str:
        return self._queue("remove", id)

    def snooze(self, id: str, until: datetime) -> str:
        return self._queue("snooze", id, {"until": format_time(until)})

    def perform(self, notification_id: str, action: str, params: Json) -> str:
        """A button of the notification; the item counts as read."""
        return self._queue("action", notification_id, {"action": action, "params": params})

    def mark_all_read(self) -> str:
        """All this device has seen; what arrives later stays unread."""
        return self._queue("read_all")

    def clear_all(self, up_to: tuple[str, int] | None = None) -> str:
        """All this device had seen at the cursor `up_to`; at the present one without it."""
        return self._queue("clear_all", None, None if up_to is None else {"epoch": up_to[0], "up_to_seq": up_to[1]})

    def _queue(self, kind: IntentKind, id: str | None = None, args: Json | None = None) -> str:
        if id is None and self._cache.cursor is None:
            return ""  # nothing has been seen here yet
        intent, changed = self._cache.queue(kind, id, args, now=self._clock())
        # The row itself too: that something is being sent shows in it.
        touched = changed | ({id} if id is not None else set())
        if touched:
            self._changed(touched)
        self._kick.set()
        return intent.op_id

    # --- sending ------------------------------------------------------------------------------------------------

    def online(self, reachable: bool) -> None:
        """Sync has caught up with the feed, or could not reach it. Nothing is sent before it has caught up: only
        then is it known that the feed is still the one the intents were made on."""
        if reachable and not self._online:
            self._backoff.reset()
            self._kick.set()
            self._retry.set()
        self._online = reachable

    async def run(self, api: Api) -> None:
        while True:
            rows = self._cache.outbox_rows() if self._online else []
            if not rows:
                await self._kick.wait()
                self._kick.clear()
                continue
            delay = await self._send(api, rows[0])
            if delay is not None:
                await self._pause(delay)

    async def _pause(self, delay: float) -> None:
        """Cut short when the server is back, not by a new intent: that waits behind the one that failed anyway."""
        self._retry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._retry.wait()

    async def _send(self, api: Api, intent: PendingAction) -> float | None:
        """One attempt. None: go on with the next; a number: wait so many seconds first."""
        now = self._clock()
        if intent.until is not None and intent.until <= now:
            self._changed(self._cache.drop(intent.op_id, now=now) | {str(intent.notification_id)})
            return None
        if reason := self._outdated(intent, now):
            self._refuse(intent, reason)
            return None
        try:
            answer = await _request(api, intent)
        except ApiError as error:
            return self._failed(intent, error)
        self._accepted(intent, _seq(answer))
        if intent.kind == "action" and isinstance(answer, dict) and isinstance(answer.get("result"), dict):
            self._performed(str(intent.notification_id), str(intent.action), answer["result"])
        return None

    def _outdated(self, intent: PendingAction, now: datetime) -> str | None:
        if now - intent.queued_at > MAX_AGE:
            return say(_TOO_OLD)
        cursor = self._cache.cursor
        if intent.notification_id is None and cursor is not None and intent.args.get("epoch") != cursor[0]:
            return say(_RESTORED)
        return None

    def _accepted(self, intent: PendingAction, seq: int | None) -> None:
        self._backoff.reset()
        changed = self._cache.sent(intent.op_id, seq, now=self._clock())
        self._tell(intent, changed)
        cursor = self._cache.cursor
        if seq is None or cursor is None or cursor[1] < seq:
            self._pull()

    def _failed(self, intent: PendingAction, error: ApiError) -> float | None:
        if error.status == 404 and intent.kind == "remove":
            self._accepted(intent, None)  # gone is what was wanted
            return None
        fault = error.status == 500 and intent.attempts + 1 >= MOST_SERVER_FAULTS
        if error.permanent or fault:
            self._refuse(intent, error.message)
            return None
        log.info("%s was not accepted yet: %s", intent.kind, error)
        self._cache.fail(intent.op_id, error.message)
        self._tell(intent, set())
        return self._backoff.next() if error.retry_after is None else error.retry_after

    def _refuse(self, intent: PendingAction, message: str) -> None:
        log.info("%s is taken back: %s", intent.kind, message)
        changed = self._cache.drop(intent.op_id, now=self._clock())
        self._tell(intent, changed)
        self._refused(intent.notification_id, message)
        self._pull()

    def _tell(self, intent: PendingAction, changed: set[str]) -> None:
        touched = changed | ({intent.notification_id} if intent.notification_id is not None else set())
        if touched:
            self._changed(touched)


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    body: Json | None = None
    query: Mapping[str, str] | None = None


def _call(intent: PendingAction) -> _Call:
    id = intent.notification_id or ""
    match intent.kind:
        case "read" | "unread":
            return _Call("POST", item_path(id, intent.kind))
        case "snooze":
            return _Call("POST", item_path(id, "snooze"), {"until": intent.args["until"]})
        case "remove":
            return _Call("DELETE", item_path(id))
        case "action":
            path = item_path(id, "actions", str(intent.action))
            return _Call("POST", path, {"params": intent.args.get("params") or {}})
        case "read_all":
            return _Call("POST", "/notifications/read", {"all": True, "up_to_seq": intent.up_to_seq})
        case "clear_all":
            return _Call("DELETE", "/notifications", query={"up_to_seq": str(intent.up_to_seq)})


async def _request(api: Api, intent: PendingAction) -> Any:
    call = _call(intent)
    return await api.request(call.method, call.path, body=call.body, query=call.query, op_id=intent.op_id)


def _seq(answer: Any) -> int | None:
    """The number of the change the server made, when its answer shows the item."""
    if not isinstance(answer, dict):
        return None
    inner = answer.get("notification")
    seq = (inner if isinstance(inner, dict) else answer).get("seq")
    return seq if isinstance(seq, int) else None
