"""The wire types of crmtray, shared by the server and every client.

Owns the names and shapes of what travels: notifications, feed changes, event names, error codes. Standard
library only, so that it can be imported without any extra. Strict out, tolerant in: what we build carries exactly
these fields; fields a newer peer adds are ignored when read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

PROTOCOL = 1
"""Raised when a change would break an older peer; sent as `protocol` in the Socket.IO auth and in a header."""
PROTOCOL_HEADER = "X-Crmtray-Protocol"

Json = dict[str, Any]
Priority = Literal["low", "medium", "high", "urgent"]
PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high", "urgent")

Kind = Literal["unanswered_conversation", "hot_lead", "follow_up_reminder", "performance_alert"]
UNANSWERED: Kind = "unanswered_conversation"
HOT_LEAD: Kind = "hot_lead"
FOLLOW_UP: Kind = "follow_up_reminder"
PERFORMANCE: Kind = "performance_alert"
KINDS: tuple[Kind, ...] = (UNANSWERED, HOT_LEAD, FOLLOW_UP, PERFORMANCE)
TEAM_MESSAGE = "team_message"
"""What a manager wrote to one seller. Other programs may publish types of their own."""

LINK_ACTIONS = frozenset({"open_chat", "contact_lead", "view_lead", "view_metrics"})
"""Actions that open `url`; the server is told only so that the item becomes read."""
CRM_ACTIONS = frozenset(
    {"reassign", "assign_lead", "schedule_call", "reschedule", "mark_contacted", "schedule_meeting", "notify_seller"}
)
"""Actions that change something, applied by the server."""

# Socket.IO events, server to client.
NOTIFICATION_CONNECTED = "notification_connected"
NOTIFICATION_SUBSCRIBED = "notification_subscribed"
NEW_NOTIFICATION = "new_notification"
NOTIFICATIONS_BATCH = "notifications_batch"
NOTIFICATION_UPDATED = "notification_updated"
NOTIFICATION_REMOVED = "notification_removed"
NOTIFICATION_COUNT_UPDATE = "notification_count_update"

# Socket.IO events, client to server; each is answered by an ack {ok, ...} or {ok: false, code, message}.
SUBSCRIBE_NOTIFICATIONS = "subscribe_notifications"
UNSUBSCRIBE_NOTIFICATIONS = "unsubscribe_notifications"
JOIN_ROOM = "join_room"
MARK_NOTIFICATION_READ = "mark_notification_read"
MARK_ALL_NOTIFICATIONS_READ = "mark_all_notifications_read"
CLEAR_NOTIFICATIONS = "clear_notifications"
SNOOZE_NOTIFICATION = "snooze_notification"
GET_NOTIFICATION_COUNT = "get_notification_count"
PERFORM_ACTION = "perform_action"
ACK_NOTIFICATIONS = "ack_notifications"
REFRESH_TOKEN = "refresh_token"

# Error codes of refused connections and of problem documents that a client acts upon.
AUTHENTICATION_REQUIRED = "authentication_required"
INVALID_TOKEN = "invalid_token"
TOKEN_EXPIRED = "token_expired"
TOO_MANY_CONNECTIONS = "too_many_connections"
INVALID_CREDENTIALS = "invalid_credentials"
TOO_MANY_ATTEMPTS = "too_many_attempts"
CRM_LOGIN_FAILED = "crm_login_failed"
NOT_FOUND = "not_found"
FORBIDDEN = "forbidden"
INVALID_REQUEST = "invalid_request"


class WireError(ValueError):
    """A peer sent something that is not of these shapes."""


def format_time(moment: datetime) -> str:
    """UTC, ISO 8601 with `Z`; microseconds only when there are some: `2026-02-27T15:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """An aware UTC datetime; text without an offset is UTC. Raises WireError."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise WireError(f"not an ISO 8601 time: {text!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _optional_time(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)


def _time_or_null(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


@dataclass(frozen=True, slots=True)
class NotificationAction:
    """A button: `action` names what happens, `params` on what; `url` is set when it opens a page."""

    label: str
    action: str
    params: Json = field(default_factory=dict)
    url: str | None = None

    def to_wire(self) -> Json:
        return {"label": self.label, "action": self.action, "params": self.params, "url": self.url}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> NotificationAction:
        return cls(
            label=_text(data, "label"),
            action=_text(data, "action"),
            params=dict(data.get("params") or {}),
            url=data.get("url"),
        )


@dataclass(frozen=True, slots=True)
class Notification:
    """One person's inbox item. `seq` is the number of its newest change in that person's feed."""

    id: str
    seq: int
    type: str
    title: str
    message: str
    data: Json
    priority: Priority
    created_at: datetime
    audience: str | None = None
    actions: tuple[NotificationAction, ...] = ()
    read: bool = False
    read_at: datetime | None = None
    snoozed_until: datetime | None = None
    silent: bool = False
    reason: str | None = None

    def to_wire(self) -> Json:
        return {
            "id": self.id,
            "seq": self.seq,
            "type": self.type,
            "title": self.title,
            "message": self.message,
            "data": self.data,
            "priority": self.priority,
            "audience": self.audience,
            "actions": [action.to_wire() for action in self.actions],
            "read": self.read,
            "read_at": _time_or_null(self.read_at),
            "created_at": format_time(self.created_at),
            "snoozed_until": _time_or_null(self.snoozed_until),
            "silent": self.silent,
            "reason": self.reason,
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Notification:
        """Raises WireError when a needed field is missing or of the wrong type."""
        priority = data.get("priority", "medium")
        if priority not in PRIORITIES:
            raise WireError(f"unknown priority: {priority!r}")
        return cls(
            id=_text(data, "id"),
            seq=_number(data, "seq"),
            type=_text(data, "type"),
            title=_text(data, "title"),
            message=_text(data, "message"),
            data=dict(data.get("data") or {}),
            priority=cast(Priority, priority),
            audience=data.get("audience"),
            actions=tuple(NotificationAction.from_wire(item) for item in data.get("actions") or ()),
            read=bool(data.get("read", False)),
            read_at=_optional_time(data.get("read_at")),
            created_at=parse_time(_text(data, "created_at")),
            snoozed_until=_optional_time(data.get("snoozed_until")),
            silent=bool(data.get("silent", False)),
            reason=data.get("reason"),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One numbered entry of a feed: a put of the item as it now is, or (notification None) a removal.

    `new`: this change made the item. On the socket the event's name tells it; a page does not, because whoever keeps
    items knows which ids he has.
    """

    seq: int
    id: str
    notification: Notification | None
    new: bool = False

    def to_wire(self) -> Json:
        if self.notification is None:
            return {"seq": self.seq, "op": "remove", "id": self.id}
        return {"seq": self.seq, "op": "put", "notification": self.notification.to_wire()}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Change:
        seq = _number(data, "seq")
        if data.get("op") == "remove":
            return cls(seq, _text(data, "id"), None)
        body = data.get("notification")
        if data.get("op") != "put" or not isinstance(body, Mapping):
            raise WireError(f"neither a put nor a remove: {data!r}")
        notification = Notification.from_wire(body)
        return cls(seq, notification.id, notification)


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """An answer of `GET /notifications/changes`: what came after `since`, and the cursor to go on from.

    `seq` is the cursor after this page; with `has_more` another page follows. `reset` means: forget everything you
    have, these are the items kept.
    """

    epoch: str
    seq: int
    changes: tuple[Change, ...]
    has_more: bool
    reset: bool
    unread_count: int

    def to_wire(self) -> Json:
        return {
            "epoch": self.epoch,
            "seq": self.seq,
            "changes": [change.to_wire() for change in self.changes],
            "has_more": self.has_more,
            "reset": self.reset,
            "unread_count": self.unread_count,
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> ChangesPage:
        return cls(
            epoch=_text(data, "epoch"),
            seq=_number(data, "seq"),
            changes=tuple(Change.from_wire(item) for item in data.get("changes") or ()),
            has_more=bool(data.get("has_more", False)),
            reset=bool(data.get("reset", False)),
            unread_count=_number(data, "unread_count"),
        )


@dataclass(frozen=True, slots=True)
class User:
    """Who is signed in. Ids are strings, whatever the CRM uses."""

    user_id: str
    tenant_id: str
    name: str
    email: str
    role: str

    def to_wire(self) -> Json:
        return {
            "user_id": self.user_id,
            "tenant_id": self.tenant_id,
            "name": self.name,
            "email": self.email,
            "role": self.role,
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> User:
        return cls(
            user_id=str(data["user_id"]),
            tenant_id=str(data["tenant_id"]),
            name=str(data.get("name") or ""),
            email=str(data.get("email") or ""),
            role=str(data.get("role") or ""),
        )


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise WireError(f"{key}: expected text, got {value!r}")
    return value


def _number(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WireError(f"{key}: expected a whole number, got {value!r}")
    return value
