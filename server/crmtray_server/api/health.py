"""Is it working? For load balancers and the people on call; says nothing that needs a login."""

from __future__ import annotations

from aiohttp import web

from .web import answer, services


async def health(request: web.Request) -> web.Response:
    healthy, report = await services(request).health()
    return answer(report, 200 if healthy else 503)


def routes() -> list[web.RouteDef]:
    return [web.get("/health", health)]
