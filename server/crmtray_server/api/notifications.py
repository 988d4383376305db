"""A person's own notifications and the feed of changes to them."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from crmtray.protocol import PRIORITIES

from ..inbox import NotFound
from ..realtime import snooze_until
from ..store import feed
from ..store.feed import Filter
from .web import BadRequest, answer, claims, json_body, query_whole, services, signed_in, whole

PAGE, LARGEST_PAGE = 50, 200
CHANGES_PAGE, LARGEST_CHANGES_PAGE = 200, 500
MOST_IDS = 1000
LARGEST = 2**63 - 1
FLAGS = {"true": True, "1": True, "false": False, "0": False}


async def index(request: web.Request) -> web.Response:
    limit = query_whole(request, "limit", 1, LARGEST_PAGE) or PAGE
    offset = query_whole(request, "offset", 0, LARGEST) or 0
    store, scope = services(request).store, claims(request).scope
    found, total = await store.read(feed.search, scope, _filter(request), limit, offset)
    headers = {
        "X-Total-Count": str(total),
        "X-Unread-Count": str(await store.read(feed.unread_count, scope)),
    }
    if links := _links(request, limit, offset, total):
        headers["Link"] = links
    return answer([notification.to_wire() for notification in found], headers=headers)


def _filter(request: web.Request) -> Filter:
    query = request.query
    priority, unread = query.get("priority"), query.get("unread")
    if priority is not None and priority not in PRIORITIES:
        raise BadRequest(f"priority: expected one of {', '.join(PRIORITIES)}.")
    if unread is not None and unread not in FLAGS:
        raise BadRequest("unread: expected true or false.")
    return Filter(query.get("type"), priority, None if unread is None else FLAGS[unread], query.get("q"))


def _links(request: web.Request, limit: int, offset: int, total: int) -> str:
    """RFC 8288, relative to the request."""

    def link(to: int, relation: str) -> str:
        query = urlencode({**request.query, "limit": limit, "offset": to})
        return f'<{request.path}?{query}>; rel="{relation}"'

    links = [link(offset + limit, "next")] if offset + limit < total else []
    return ", ".join([*links, link(max(0, offset - limit), "prev")] if offset else links)


async def changes(request: web.Request) -> web.Response:
    limit = query_whole(request, "limit", 1, LARGEST_CHANGES_PAGE) or CHANGES_PAGE
    since = query_whole(request, "since", 0, LARGEST)
    store, scope = services(request).store, claims(request).scope
    page = await store.read(feed.changes_since, scope, store.epoch, request.query.get("epoch"), since, limit)
    return answer(page.to_wire())


async def get(request: web.Request) -> web.Response:
    notification = await services(request).store.read(feed.get, claims(request).scope, request.match_info["id"])
    if notification is None:
        raise NotFound
    return answer(notification.to_wire())


async def read(request: web.Request) -> web.Response:
    marked = await services(request).inbox.mark_read(claims(request).scope, request.match_info["id"])
    return answer(marked.to_wire())


async def unread(request: web.Request) -> web.Response:
    marked = await services(request).inbox.mark_unread(claims(request).scope, request.match_info["id"])
    return answer(marked.to_wire())


async def snooze(request: web.Request) -> web.Response:
    made = services(request)
    until = snooze_until((await json_body(request)).get("until"), made.clock())
    return answer((await made.inbox.snooze(claims(request).scope, request.match_info["id"], until)).to_wire())


async def remove(request: web.Request) -> web.Response:
    await services(request).inbox.remove(claims(request).scope, request.match_info["id"])
    return web.Response(status=204)


async def read_many(request: web.Request) -> web.Response:
    """`{"ids": […]}` or `{"all": true}`; with `up_to_seq`, all means what had been made up to that number."""
    body = await json_body(request)
    inbox, scope = services(request).inbox, claims(request).scope
    if body.get("all") is True:
        up_to = body.get("up_to_seq")
        committed = await inbox.mark_all_read(scope, None if up_to is None else whole(up_to, "up_to_seq", 0, LARGEST))
    else:
        committed = await inbox.mark_many_read(scope, _ids(body.get("ids")))
    return answer({"changed": len(committed.changes), "unread_count": committed.unread_count})


def _ids(ids: object) -> list[str]:
    if not isinstance(ids, list) or len(ids) > MOST_IDS or not all(isinstance(id, str) for id in ids):
        raise BadRequest(f'Expected {{"all": true}} or {{"ids": […]}} with at most {MOST_IDS} ids.')
    return ids


async def clear(request: web.Request) -> web.Response:
    up_to = query_whole(request, "up_to_seq", 0, LARGEST)
    committed = await services(request).inbox.clear(claims(request).scope, up_to)
    return answer({"changed": len(committed.changes), "unread_count": committed.unread_count})


def routes() -> list[web.RouteDef]:
    return [
        web.get("/notifications", signed_in(index), allow_head=False),
        web.delete("/notifications", signed_in(clear)),
        web.get("/notifications/changes", signed_in(changes), allow_head=False),
        web.post("/notifications/read", signed_in(read_many)),
        web.get("/notifications/{id}", signed_in(get), allow_head=False),
        web.delete("/notifications/{id}", signed_in(remove)),
        web.post("/notifications/{id}/read", signed_in(read)),
        web.post("/notifications/{id}/unread", signed_in(unread)),
        web.post("/notifications/{id}/snooze", signed_in(snooze)),
    ]
