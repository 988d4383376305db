"""Between a notification and its row in the cache. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .intents import from_micros, to_micros
from .protocol import Notification

ROW = "body, alert_at, read, read_at, snoozed_until"
"""The columns that `notification` and `alert` take."""


def fts_query(text: str) -> str:
    """Every word as a quoted prefix: whatever the person types is words, never query syntax."""
    quoted = (word.replace('"', '""') for word in text.split())
    return " ".join(f'"{word}"*' for word in quoted)


def truth(item: Notification) -> dict[str, Any]:
    read_at = None if item.read_at is None else to_micros(item.read_at)
    snoozed = None if item.snoozed_until is None else to_micros(item.snoozed_until)
    return {
        "id": item.id,
        "type": item.type,
        "title": item.title,
        "message": item.message,
        "body": json.dumps(item.to_wire(), ensure_ascii=False, separators=(",", ":")),
        "created_at": to_micros(item.created_at),
        "silent": item.silent,
        "true_read": item.read,
        "true_read_at": read_at,
        "true_snoozed_until": snoozed,
        "read": item.read,
        "read_at": read_at,
        "snoozed_until": snoozed,
    }


def notification(row: Sequence[Any]) -> Notification:
    body, _, read, read_at, snoozed_until = row
    return replace(
        Notification.from_wire(json.loads(body)),
        read=bool(read),
        read_at=None if read_at is None else from_micros(read_at),
        snoozed_until=None if snoozed_until is None else from_micros(snoozed_until),
    )


def alert(row: Sequence[Any]) -> Notification:
    """After a snooze the alert is as old as the snooze's end: that is what `snoozed_until` says here."""
    item, alert_at = notification(row), from_micros(row[1])
    return replace(item, snoozed_until=alert_at) if alert_at > item.created_at else item
