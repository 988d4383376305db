"""Numbers for Prometheus, and the middleware that counts the HTTP requests among them."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from .operation import PUBLIC, Operations
from .web import Handler, services

operations = Operations("Operations")
NO_ROUTE = "(none)"


@operations.get("/metrics", answers=str, access=PUBLIC, media="text/plain")
async def metrics(request: web.Request) -> web.Response:
    """What this server counts, in Prometheus' text format. Names no user and no company."""
    return web.Response(body=services(request).monitor.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


@web.middleware
async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outside of everything that makes an answer. Sockets are not requests: they are counted elsewhere."""
    if request.path.startswith("/socket.io"):
        return await handler(request)
    monitor = services(request).monitor
    began = monitor.clock()
    response = await handler(request)
    monitor.answered(route_of(request), request.method, response.status, monitor.clock() - began)
    return response


def route_of(request: web.Request) -> str:
    """The template, never the path: that holds ids, and what strangers try."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else NO_ROUTE
