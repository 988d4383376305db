"""The Socket.IO frames that a feed becomes. Knows no connection: a frame is the same for all of a feed's owner."""

from __future__ import annotations

from typing import Any

import orjson

from crmtray.protocol import (
    NEW_NOTIFICATION,
    NOTIFICATION_COUNT_UPDATE,
    NOTIFICATION_REMOVED,
    NOTIFICATION_UPDATED,
    Change,
)

from .store.feed import Committed


def event_frame(name: str, body: Any) -> str:
    """A Socket.IO EVENT packet of the default namespace, without Engine.IO's type in front."""
    return f"2{orjson.dumps([name, body]).decode()}"


def count_frame(count: int, epoch: str, seq: int) -> str:
    return event_frame(NOTIFICATION_COUNT_UPDATE, {"count": count, "epoch": epoch, "seq": seq})


def frames(entry: Committed) -> list[tuple[int, str]]:
    """One frame a change, built once for all of the owner's connections."""
    return [(change.seq, _frame(change)) for change in entry.changes]


def _frame(change: Change) -> str:
    if change.notification is None:
        return event_frame(NOTIFICATION_REMOVED, {"id": change.id, "seq": change.seq})
    name = NEW_NOTIFICATION if change.new else NOTIFICATION_UPDATED
    return event_frame(name, change.notification.to_wire())
