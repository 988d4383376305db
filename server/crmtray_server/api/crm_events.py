"""`POST /crm/events`: a CRM says what it changed, instead of waiting to be read.

Owns the form of the events and what they must hold. The tenant is the token's, always.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from crmtray.protocol import FORBIDDEN, Json

from ..auth import Refused
from ..crm_events import CrmEvents
from ..store.mirror import Message, Pushed, Said
from .entries import LARGEST, MOST, SCOPE, Id, Time, one_or_many
from .operation import Body, Moment, Operations
from .schemas import Answer
from .web import answer, claims, services

CRM_EVENTS = web.AppKey("crm_events", CrmEvents)
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)

operations = Operations("Push")


Line = Annotated[str, Field(max_length=1000)]
LongText = Annotated[str, Field(max_length=100_000)]
Kind = Literal["message.received", "message.sent", "lead.created", "lead.updated", "conversation.assigned"]


class ConversationRow(Body):
    """A row of the reference table; columns that are left out stay as they are."""

    id: Id
    tenant_id: Id | None = None
    lead_id: Id | None = None
    assigned_seller_id: Id | None = None
    phone_number: Line | None = None
    status: Line | None = None
    last_message_time: Time | None = None
    last_message_from_customer: bool | None = None


class LeadRow(Body):
    """A row of the reference table; columns that are left out stay as they are."""

    id: Id
    tenant_id: Id | None = None
    first_name: Line | None = None
    last_name: Line | None = None
    phone_number: Line | None = None
    source: Line | None = None
    location: Line | None = None
    status: Line | None = None
    assigned_seller_id: Id | None = None
    estimated_value: float | None = None
    next_follow_up: Time | None = None
    notes: LongText | None = None
    created_at: Time | None = None
    converted_at: Time | None = None
    last_contacted_at: Time | None = None


class MessageRow(Body):
    """A row of the reference table. Left out, `conversation_id` is that of the conversation which is sent with it, and
    `created_at` the time of the event."""

    id: Id
    conversation_id: Id | None = None
    from_customer: bool | None = None
    body: LongText | None = None
    created_at: Time | None = None


_NULL, _OBJECT, _GIVEN = {"type": "null"}, {"type": "object"}, {"not": {"type": "null"}}


def _message_schema(kind: str, from_customer: bool) -> Json:
    said = {"type": "object", "properties": {"from_customer": {"enum": [from_customer, None]}}}
    named = {"message": {"required": ["conversation_id"], "properties": {"conversation_id": _GIVEN}}}
    return {
        "required": ["message"],
        "properties": {"event": {"const": kind}, "message": said},
        "anyOf": [{"required": ["conversation"], "properties": {"conversation": _OBJECT}}, {"properties": named}],
    }


_PARTS: Json = {
    "oneOf": [
        _message_schema("message.received", True),
        _message_schema("message.sent", False),
        {
            "required": ["lead"],
            "properties": {"event": {"enum": ["lead.created", "lead.updated"]}, "lead": _OBJECT, "message": _NULL},
        },
        {
            "required": ["conversation"],
            "properties": {
                "event": {"const": "conversation.assigned"},
                "conversation": {"type": "object", "required": ["assigned_seller_id"]},
                "message": _NULL,
            },
        },
    ]
}
"""What each kind of event needs, for the OpenAPI document; `_needed` says it in sentences."""


class CrmEvent(Body):
    """What happened, and the rows it happened to."""

    model_config = ConfigDict(json_schema_extra=_PARTS)

    event: Kind
    occurred_at: Moment
    conversation: ConversationRow | None = None
    lead: LeadRow | None = None
    message: MessageRow | None = None

    @model_validator(mode="after")
    def _complete(self) -> CrmEvent:
        for part in _needed(self):
            raise ValueError(f"{self.event} needs {part}")
        if self.message is not None:
            _check_message(self, self.message)
        return self

    @property
    def received(self) -> bool:
        return self.event == "message.received"


def _needed(event: CrmEvent) -> Iterable[str]:
    """What is missing."""
    conversation, message = event.conversation, event.message
    if event.event.startswith("message."):
        if message is None:
            yield "message"
        elif message.conversation_id is None and conversation is None:
            yield "conversation, or message.conversation_id"
    elif event.event.startswith("lead."):
        if event.lead is None:
            yield "lead"
    elif conversation is None or "assigned_seller_id" not in conversation.model_fields_set:
        yield "conversation with assigned_seller_id"


def _check_message(event: CrmEvent, message: MessageRow) -> None:
    if not event.event.startswith("message."):
        raise ValueError(f"{event.event} has no message; send message.received or message.sent")
    if message.from_customer is not None and message.from_customer is not event.received:
        raise ValueError(f"message.from_customer: expected {str(event.received).lower()} with {event.event}")


class AcceptedOut(Answer):
    accepted: int


Events = Annotated[
    Annotated[CrmEvent, Tag("event")] | Annotated[list[CrmEvent], Field(min_length=1, max_length=MOST), Tag("events")],
    Discriminator(one_or_many("event", "events")),
]


@operations.post("/crm/events", answers=AcceptedOut, status=202, scope=SCOPE, largest=LARGEST)
async def push(request: web.Request, body: Events) -> web.Response:
    """Says what the CRM changed: one event or up to 1000. What they concern is looked at at once."""
    events = body if isinstance(body, list) else [body]
    now = services(request).clock()
    pushed = taken_apart(claims(request).scope.tenant_id, events, now)
    await request.app[CRM_EVENTS].accept(pushed, now)
    return answer({"accepted": len(events)}, 202)


def taken_apart(tenant_id: str, events: list[CrmEvent], now: datetime) -> Pushed:
    """The rows that these events tell of. Raises Refused for those of another tenant."""
    pushed = Pushed(tenant_id)
    for index, event in enumerate(events):
        _check_tenant(tenant_id, f"events.{index}" if len(events) > 1 else "event", event)
        _take(event, _since(event.occurred_at, now), pushed)
    return pushed


def _since(occurred_at: datetime, now: datetime) -> datetime:
    """A clock that is ahead must not make its events count for more than those that come later."""
    return EARLIEST if occurred_at.year < EARLIEST.year else min(occurred_at, now)


def _check_tenant(tenant_id: str, place: str, event: CrmEvent) -> None:
    for name, row in (("conversation", event.conversation), ("lead", event.lead)):
        if row is not None and row.tenant_id not in (None, tenant_id):
            raise Refused(FORBIDDEN, f"{place}.{name}.tenant_id: the access token is for another tenant.")


def _take(event: CrmEvent, at: datetime, pushed: Pushed) -> None:
    conversation, lead, message = event.conversation, event.lead, event.message
    if lead is not None:
        pushed.leads.append(Said(lead.id, _given(lead), at))
    if conversation is not None:
        values = _given(conversation)
        if lead is not None:
            values.setdefault("lead_id", lead.id)
        pushed.conversations.append(Said(conversation.id, values, at))
    if message is not None:
        of = message.conversation_id or (conversation.id if conversation else "")
        written = message.created_at or at
        pushed.messages.append(Message(message.id, of, event.received, message.body or "", written, at))
        if conversation is None and lead is not None:
            pushed.conversations.append(Said(of, {"lead_id": lead.id}, at))


def _given(row: ConversationRow | LeadRow) -> dict[str, Any]:
    """The columns that were sent, null included; an id is no news."""
    return {name: getattr(row, name) for name in row.model_fields_set - {"id", "tenant_id"}}
