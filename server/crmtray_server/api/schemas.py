"""The shapes of answers, as the OpenAPI document describes them. What fills them are the wire types of the protocol."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from crmtray.protocol import Priority


class Answer(BaseModel):
    """Exactly these fields, all of them always there."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """RFC 9457. `code` is stable; `detail` is a sentence for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class ActionOut(Answer):
    label: str
    action: str
    params: dict[str, Any]
    url: str | None


class NotificationOut(Answer):
    """One person's inbox item; `seq` is the number of its newest change."""

    id: str
    seq: int
    type: str
    title: str
    message: str
    data: dict[str, Any]
    priority: Priority
    audience: str | None
    actions: list[ActionOut]
    read: bool
    read_at: AwareDatetime | None
    created_at: AwareDatetime
    snoozed_until: AwareDatetime | None
    silent: bool
    reason: str | None


class PutOut(Answer):
    seq: int
    op: Literal["put"]
    notification: NotificationOut


class RemoveOut(Answer):
    seq: int
    op: Literal["remove"]
    id: str


class ChangesOut(Answer):
    """What came after `since`; with `has_more` ask again from `seq`, with `reset` forget what you have."""

    epoch: str
    seq: int
    changes: list[PutOut | RemoveOut]
    has_more: bool
    reset: bool
    unread_count: int


class ChangedOut(Answer):
    changed: int
    unread_count: int


class UserOut(Answer):
    user_id: str
    tenant_id: str
    name: str
    email: str
    role: str


class TokensOut(Answer):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: UserOut


class SellerOut(Answer):
    id: str
    name: str


class PerformedOut(Answer):
    """`result` depends on the action."""

    ok: Literal[True]
    notification: NotificationOut
    result: dict[str, Any]


class ServiceOut(BaseModel):
    """`status`, and more of what the service has to say."""

    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "down", "off", "starting", "degraded"]


class ServicesOut(Answer):
    socket_io: ServiceOut
    database: ServiceOut
    redis: ServiceOut
    crm: ServiceOut
    smtp: ServiceOut


class HealthOut(Answer):
    status: Literal["ok", "degraded", "down"]
    services: ServicesOut
