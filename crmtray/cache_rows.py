"""Between a notification and its row in the cache. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .intents import Shown, from_micros, to_micros
from .protocol import Notification

ROW = "body, alert_at, read, read_at, snoozed_until"
"""The columns that `notification` and `alert` take."""
_NO_WORDS = ("_id", "_type", "_time", "_at", "metric", "period", "impact", "recommended_action")
"""What ends the names of fields that nobody reads as words."""
_ENDS = (10, 8, 7, 6, 4)
"""How much of a telephone number people type, from its end."""


@dataclass(slots=True)
class Applied:
    """What a page of changes did here."""

    arrived: list[Notification] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    reset: bool = False


def fts_query(text: str) -> str:
    """Every word as a quoted prefix: whatever the person types is words, never query syntax."""
    quoted = (word.replace('"', '""') for word in text.split())
    return " ".join(f'"{word}"*' for word in quoted)


def search_words(item: Notification) -> str:
    """What can be searched besides title and message: names, notes, telephone numbers by their ends too."""
    texts = [value for key, value in item.data.items() if isinstance(value, str) and not key.endswith(_NO_WORDS)]
    digits = "".join(c for c in str(item.data.get("phone_number") or "") if c.isdigit())
    return " ".join([*texts, *(digits[-length:] for length in _ENDS if len(digits) > length)])


def truth(item: Notification) -> dict[str, Any]:
    read_at = None if item.read_at is None else to_micros(item.read_at)
    snoozed = None if item.snoozed_until is None else to_micros(item.snoozed_until)
    return {
        "id": item.id,
        "type": item.type,
        "title": item.title,
        "message": item.message,
        "priority": item.priority,
        "words": search_words(item),
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
    return as_shown(Notification.from_wire(json.loads(body)), Shown(bool(read), read_at, snoozed_until))


def as_shown(item: Notification, shown: Shown) -> Notification:
    """The server's item with what this device lays over it."""
    return replace(
        item,
        read=shown.read,
        read_at=None if shown.read_at is None else from_micros(shown.read_at),
        snoozed_until=None if shown.snoozed_until is None else from_micros(shown.snoozed_until),
    )


def alert(row: Sequence[Any]) -> Notification:
    """After a snooze the alert is as old as the snooze's end: that is what `snoozed_until` says here."""
    item, alert_at = notification(row), from_micros(row[1])
    return replace(item, snoozed_until=alert_at) if alert_at > item.created_at else item
