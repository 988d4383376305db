"""The OpenAPI document and a page that shows it to people: no script, nothing from outside."""

from __future__ import annotations

import functools
from typing import Any

from aiohttp import web

from crmtray.protocol import Json

from .operation import PUBLIC, Operations
from .pages import page
from .web import answer

operations = Operations("Operations")


@functools.cache
def described() -> Json:
    from . import openapi, routes  # they list this module too

    return openapi.document(routes.operations())


@operations.get("/openapi.json", answers=dict[str, Any], access=PUBLIC)
async def openapi_json(request: web.Request) -> web.Response:
    """This description, as OpenAPI 3.1."""
    return answer(described())


@operations.get("/docs", answers=str, access=PUBLIC, media="text/html")
async def docs(request: web.Request) -> web.Response:
    """This description, as a page."""
    return page("docs.html", api=described())
