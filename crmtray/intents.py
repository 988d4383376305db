"""What the person did that the server has not confirmed yet, and how it changes what is shown.

Pure: a queued intent, and the function that lays queued intents over the server's truth. It must not store or send.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from .protocol import Json, parse_time

IntentKind = Literal["read", "unread", "snooze", "remove", "action", "read_all", "clear_all"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Times are stored as whole microseconds: they sort and compare as numbers."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True)
class PendingAction:
    """One queued intent. `op_id` is its Idempotency-Key; `error` is why the last attempt did not get through."""

    op_id: str
    kind: IntentKind
    notification_id: str | None
    args: Json
    queued_at: datetime
    attempts: int = 0
    error: str | None = None

    @property
    def action(self) -> str | None:
        """The CRM's name of the action, for kind `action`."""
        name = self.args.get("action")
        return name if isinstance(name, str) else None

    @property
    def up_to_seq(self) -> int:
        """`read_all` and `clear_all` cover only what this device had seen: items made up to this number."""
        return int(self.args.get("up_to_seq", 0))

    @property
    def until(self) -> datetime | None:
        return parse_time(self.args["until"]) if "until" in self.args else None


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a row that intents can change; times in microseconds."""

    read: bool
    read_at: int | None
    snoozed_until: int | None
    hidden: bool = field(default=False)


def overlay(truth: Shown, id: str, first_seq: int, intents: Iterable[PendingAction], now: int) -> Shown:
    """What is shown of an item: the server's truth, then the queued intents in order, then the clock."""
    shown = truth
    for intent in intents:
        if intent.notification_id in (None, id):
            shown = _after(shown, intent, first_seq)
    if shown.snoozed_until is not None and shown.snoozed_until <= now:
        # The server brings a snoozed item back as unread; offline the clock alone must do.
        shown = replace(shown, read=False, read_at=None, snoozed_until=None)
    return shown


def _after(shown: Shown, intent: PendingAction, first_seq: int) -> Shown:
    covered = intent.notification_id is not None or first_seq <= intent.up_to_seq
    match intent.kind:
        case "read" | "action":
            return _read(replace(shown, snoozed_until=None), intent)
        case "unread":
            return replace(shown, read=False, read_at=None)
        case "snooze":
            until = intent.until
            return replace(shown, snoozed_until=None if until is None else to_micros(until))
        case "remove":
            return replace(shown, hidden=True)
        case "read_all":
            return _read(shown, intent) if covered and shown.snoozed_until is None else shown
        case "clear_all":
            return replace(shown, hidden=True) if covered else shown


def _read(shown: Shown, intent: PendingAction) -> Shown:
    return shown if shown.read else replace(shown, read=True, read_at=to_micros(intent.queued_at))
