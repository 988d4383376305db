"""All routes of the server, and how they are told apart."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from . import (
    actions,
    admin,
    crm_events,
    docs_page,
    explain,
    health,
    metrics,
    notifications,
    preferences,
    publish,
    session,
)
from .operation import Operation

MODULES = (
    session,
    notifications,
    publish,
    actions,
    preferences,
    explain,
    crm_events,
    admin,
    health,
    metrics,
    docs_page,
)


def operations() -> list[Operation]:
    return [operation for module in MODULES for operation in module.operations.all]


def table() -> list[web.RouteDef]:
    """The routes for aiohttp. A name stands for anything but the words that have a route of their own there:
    `/notifications/read` is not the notification "read", also for the methods that only `{id}` has."""
    found = operations()
    return [_route(operation, found) for operation in found]


def _route(operation: Operation, everyone: Sequence[Operation]) -> web.RouteDef:
    path = operation.path
    if "{id}" in path:
        words = {other.path.split("/")[2] for other in everyone if other.path.startswith("/notifications/")} - {"{id}"}
        path = path.replace("{id}", f"{{id:(?!(?:{'|'.join(sorted(words))})(?:/|$))[^/]+}}")
    # HEAD is what some load balancers ask with; nobody else needs it.
    more = {"allow_head": path == "/health"} if operation.method == "GET" else {}
    return web.RouteDef(operation.method, path, operation.handler, more)
