"""A person's own notifications and the feed of changes to them."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from crmtray.protocol import Priority

from ..inbox import NotFound
from ..receipts import user_agent_device
from ..store import feed
from ..store.feed import Filter
from .operation import Body, Moment, Operations, Query, whole
from .schemas import ChangedOut, ChangesOut, NotificationOut
from .web import BadRequest, answer, claims, services

PAGE, LARGEST_PAGE = 50, 200
CHANGES_PAGE, LARGEST_CHANGES_PAGE = 200, 500
MOST_IDS = 1000
LARGEST = 2**63 - 1
FLAGS = {"true": True, "1": True, "false": False, "0": False}

operations = Operations("Notifications")


def _flag(value: Any) -> Any:
    if value not in FLAGS:
        raise ValueError("expected true or false")
    return FLAGS[value]


Flag = Annotated[bool, BeforeValidator(_flag)]


def _integral(value: Any) -> Any:
    """JSON knows one kind of number: 3.0 is the whole number 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seq = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_integral)]


class Search(Query):
    limit: Annotated[int, *whole(1, LARGEST_PAGE)] = PAGE
    offset: Annotated[int, *whole(0, LARGEST)] = 0
    type: str | None = None
    priority: Priority | None = None
    unread: Flag | None = None
    q: str | None = None

    @property
    def filter(self) -> Filter:
        return Filter(self.type, self.priority, self.unread, self.q)


class Since(Query):
    epoch: str | None = None
    since: Annotated[int, *whole(0, LARGEST)] | None = None
    limit: Annotated[int, *whole(1, LARGEST_CHANGES_PAGE)] = CHANGES_PAGE


class UpTo(Query):
    up_to_seq: Annotated[int, *whole(0, LARGEST)] | None = None


class Snooze(Body):
    until: Moment


def _one_of_two(schema: dict[str, Any]) -> None:
    """What the validator below demands, for those who read the schema."""
    everything = {"const": True, "type": "boolean"}
    schema["oneOf"] = [
        {"required": ["ids"], "properties": {"all": {"const": False}}},
        {"required": ["all"], "properties": {"all": everything}, "not": {"required": ["ids"]}},
    ]


class Read(Body):
    """`{"ids": […]}` or `{"all": true}`; with `up_to_seq`, all means what had been made up to that number."""

    model_config = ConfigDict(json_schema_extra=_one_of_two)

    ids: Annotated[tuple[Annotated[str, StringConstraints(max_length=40)], ...], Field(max_length=MOST_IDS)] = ()
    all: bool = False
    up_to_seq: Seq | None = None

    @model_validator(mode="after")
    def _checked(self) -> Read:
        if self.all == ("ids" in self.model_fields_set):
            raise ValueError('expected {"all": true} or {"ids": […]}')
        return self


@operations.get(
    "/notifications",
    answers=list[NotificationOut],
    headers={
        "X-Total-Count": "how many there are in all",
        "X-Unread-Count": "how many of one's notifications are unread",
        "Link": "the next and the previous page (RFC 8288)",
    },
)
async def index(request: web.Request, query: Search) -> web.Response:
    """One's own notifications, newest first."""
    store, scope = services(request).store, claims(request).scope
    found, total = await store.read(feed.search, scope, query.filter, query.limit, query.offset)
    headers = {
        "X-Total-Count": str(total),
        "X-Unread-Count": str(await store.read(feed.unread_count, scope)),
    }
    if links := _links(request, query.limit, query.offset, total):
        headers["Link"] = links
    return answer([notification.to_wire() for notification in found], headers=headers)


def _links(request: web.Request, limit: int, offset: int, total: int) -> str:
    """RFC 8288, relative to the request."""

    def link(to: int, relation: str) -> str:
        query = urlencode({**request.query, "limit": limit, "offset": to})
        return f'<{request.path}?{query}>; rel="{relation}"'

    links = [link(offset + limit, "next")] if offset + limit < total else []
    return ", ".join([*links, link(max(0, offset - limit), "prev")] if offset else links)


@operations.get("/notifications/changes", answers=ChangesOut)
async def changes(request: web.Request, query: Since) -> web.Response:
    """What changed after a cursor; everything kept when there is none or it means nothing here."""
    store, scope = services(request).store, claims(request).scope
    page = await store.read(feed.changes_since, scope, query.epoch, query.since, query.limit)
    device = user_agent_device(request.headers.get("User-Agent"))
    services(request).hub.pulled(scope, device.name, page.changes)
    return answer(page.to_wire())


@operations.post("/notifications/read", answers=ChangedOut)
async def read_many(request: web.Request, body: Read) -> web.Response:
    """Mark many read, or all."""
    inbox, scope = services(request).inbox, claims(request).scope
    if body.all:
        committed = await inbox.mark_all_read(scope, body.up_to_seq)
    else:
        committed = await inbox.mark_many_read(scope, body.ids)
    return answer({"changed": len(committed.changes), "unread_count": committed.unread_count})


@operations.delete("/notifications", answers=ChangedOut)
async def clear(request: web.Request, query: UpTo) -> web.Response:
    """Remove all; with `up_to_seq`, those made up to that number."""
    committed = await services(request).inbox.clear(claims(request).scope, query.up_to_seq)
    return answer({"changed": len(committed.changes), "unread_count": committed.unread_count})


@operations.get("/notifications/{id}", answers=NotificationOut)
async def get(request: web.Request) -> web.Response:
    """One notification."""
    notification = await services(request).store.read(feed.get, claims(request).scope, request.match_info["id"])
    if notification is None:
        raise NotFound
    return answer(notification.to_wire())


@operations.delete("/notifications/{id}")
async def remove(request: web.Request) -> web.Response:
    """Remove one."""
    await services(request).inbox.remove(claims(request).scope, request.match_info["id"])
    return web.Response(status=204)


@operations.post("/notifications/{id}/read", answers=NotificationOut)
async def read(request: web.Request) -> web.Response:
    """Mark one read."""
    marked = await services(request).inbox.mark_read(claims(request).scope, request.match_info["id"])
    return answer(marked.to_wire())


@operations.post("/notifications/{id}/unread", answers=NotificationOut)
async def unread(request: web.Request) -> web.Response:
    """Mark one unread."""
    marked = await services(request).inbox.mark_unread(claims(request).scope, request.match_info["id"])
    return answer(marked.to_wire())


@operations.post("/notifications/{id}/snooze", answers=NotificationOut)
async def snooze(request: web.Request, body: Snooze) -> web.Response:
    """Put one off; it comes back as unread at that moment."""
    made, scope, id = services(request), claims(request).scope, request.match_info["id"]
    if await made.store.read(feed.get, scope, id) is None:
        raise NotFound
    if body.until <= made.clock():
        raise BadRequest("until: expected a time to come.")
    return answer((await made.inbox.snooze(scope, id, body.until)).to_wire())
