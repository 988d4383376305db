"""How a notification stands in its row, and what a row and a number of the feed mean as a change.

Pure: no queries.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crmtray.protocol import Change, Notification, NotificationAction

if TYPE_CHECKING:
    from .feed import NewItem


def to_row(item: NewItem, seq: int, now: datetime) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "tenant_id": item.scope.tenant_id,
        "user_id": item.scope.user_id,
        "first_seq": seq,
        "seq": seq,
        "dedupe_key": item.dedupe_key,
        "type": item.type,
        "title": item.title,
        "message": item.message,
        "data": item.data,
        "actions": [action.to_wire() for action in item.actions],
        "priority": item.priority,
        "audience": item.audience,
        "created_at": now,
        "read_at": None,
        "snoozed_until": None,
        "woken_at": None,
        "removed_at": None,
        "silent": item.silent,
        "reason": item.reason,
    }


def change_of(row: Any, seq: int | None = None) -> Change:
    """An entry shows the item as it is now, not as it was: the newest state is what every device ends with."""
    number = row["seq"] if seq is None else seq
    body = None if row["removed_at"] is not None else from_row(row)
    return Change(number, row["id"], body, new=number == row["first_seq"])


def from_row(row: Any) -> Notification:
    return Notification(
        id=row["id"],
        seq=row["seq"],
        type=row["type"],
        title=row["title"],
        message=row["message"],
        data=row["data"],
        priority=row["priority"],
        audience=row["audience"],
        actions=tuple(NotificationAction.from_wire(action) for action in row["actions"]),
        read=row["read_at"] is not None,
        read_at=row["read_at"],
        created_at=row["created_at"],
        snoozed_until=row["snoozed_until"],
        silent=row["silent"],
        reason=row["reason"],
    )
