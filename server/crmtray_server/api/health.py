"""Is it working? For load balancers and the people on call; says nothing that needs a login."""

from __future__ import annotations

from aiohttp import web

from .operation import PUBLIC, Operations
from .schemas import HealthOut
from .web import answer, services

operations = Operations("Operations")

@operations.get("/health", answers=HealthOut, access=PUBLIC)
async def health(request: web.Request) -> web.Response:
    """Whether each service works; 503 when one that is needed does not."""
    healthy, report = await services(request).health()
    return answer(report, 200 if healthy else 503)
