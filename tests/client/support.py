"""What several client tests share: building notifications and pages, a recording listener, waiting for a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crmtray.protocol import Change, ChangesPage, Json, Notification, NotificationAction, Priority
from crmtray.session import ConnectionState

NOW = datetime(2026, 2, 27, 15, 0, tzinfo=UTC)


def item(
    id: str,
    seq: int,
    *,
    title: str = "Lead caliente",
    message: str = "Ana Pérez quiere comprar",
    type: str = "hot_lead",
    priority: Priority = "high",
    created_at: datetime | None = None,
    **more: Any,
) -> Notification:
    return Notification(
        id=id,
        seq=seq,
        type=type,
        title=title,
        message=message,
        data={},
        priority=priority,
        created_at=created_at or NOW + timedelta(seconds=seq),
        actions=(NotificationAction("Contactar", "contact_lead", {"lead_id": "7"}),),
        **more,
    )


def put(notification: Notification) -> Change:
    return Change(notification.seq, notification.id, notification)


def gone(id: str, seq: int) -> Change:
    return Change(seq, id, None)


def page(*changes: Change, epoch: str = "e1", seq: int | None = None, **more: Any) -> ChangesPage:
    end = seq if seq is not None else (changes[-1].seq if changes else 0)
    fields = {"has_more": False, "reset": False, "unread_count": 0} | more
    return ChangesPage(epoch, end, tuple(changes), **fields)


class Recorder:
    """A Listener that remembers what it was told."""

    def __init__(self) -> None:
        self.changes: list[set[str]] = []
        self.arrivals: list[tuple[list[str], bool]] = []
        self.states: list[tuple[ConnectionState, str]] = []
        self.sign_outs: list[str] = []
        self.refusals: list[tuple[str | None, str]] = []
        self.results: list[tuple[str, str, Json]] = []

    def changed(self, ids: Collection[str]) -> None:
        self.changes.append(set(ids))

    def arrived(self, notifications: Sequence[Notification], catching_up: bool) -> None:
        self.arrivals.append(([notification.id for notification in notifications], catching_up))

    def connection(self, state: ConnectionState, detail: str) -> None:
        self.states.append((state, detail))

    def signed_out(self, message: str) -> None:
        self.sign_outs.append(message)

    def refused(self, notification_id: str | None, message: str) -> None:
        self.refusals.append((notification_id, message))

    def performed(self, notification_id: str, action: str, result: Json) -> None:
        self.results.append((notification_id, action, result))

    @property
    def state(self) -> ConnectionState | None:
        return self.states[-1][0] if self.states else None

    @property
    def arrived_ids(self) -> list[str]:
        return [id for ids, _ in self.arrivals for id in ids]


async def wait_until(condition: Callable[[], Any], what: str, limit: float = 15.0) -> None:
    """Returns when the condition holds; fails with `what` when it never does."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + limit
    while not condition():
        assert loop.time() < ends, f"never happened: {what}"
        await asyncio.sleep(0.01)


def client_tasks() -> list[str]:
    """What the client has running in this loop: its own tasks, and those of the library it connects with."""
    own = {"sync", "realtime", "outbox", "heartbeat", "pull", "renew the token", "sign out"}
    tasks = [(task.get_name(), getattr(task.get_coro(), "__qualname__", "")) for task in asyncio.all_tasks()]
    return [f"{name} {code}" for name, code in tasks if name in own or code.startswith("AsyncClient.")]
