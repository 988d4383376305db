"""Pressing a notification's button, and the people one can choose for it."""

from __future__ import annotations

from aiohttp import web

from .web import BadRequest, answer, claims, json_body, services, signed_in

LONGEST_KEY = 200


async def perform(request: web.Request) -> web.Response:
    """With `Idempotency-Key` the same order is carried out once, however often it arrives."""
    body = await json_body(request, optional=True)
    params = {} if body.get("params") is None else body["params"]
    key = request.headers.get("Idempotency-Key")
    if not isinstance(params, dict):
        raise BadRequest("params: expected an object.")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise BadRequest(f"Idempotency-Key: expected 1 to {LONGEST_KEY} characters.")
    made = services(request)
    user = await made.auth.user(claims(request))
    id, action = request.match_info["id"], request.match_info["action"]
    return answer(await made.actions.perform(user, id, action, params, key))


async def sellers(request: web.Request) -> web.Response:
    """Active sellers of one's own company, by name."""
    found = await services(request).directory.with_role(claims(request).scope.tenant_id, ["seller"])
    by_name = sorted(found, key=lambda user: user.name.casefold())
    return answer([{"id": user.user_id, "name": user.name} for user in by_name])


def routes() -> list[web.RouteDef]:
    return [
        web.post("/notifications/{id}/actions/{action}", signed_in(perform)),
        web.get("/sellers", signed_in(sellers), allow_head=False),
    ]
