"""Pressing a notification's button, and the people one can choose for it."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from .operation import Body, Operations
from .schemas import PerformedOut, SellerOut
from .web import BadRequest, answer, claims, services

operations = Operations("Actions")


class Press(Body):
    params: dict[str, Any] | None = None


@operations.post("/notifications/{id}/actions/{action}", answers=PerformedOut, errors={403, 409, 422}, idempotent=True)
async def perform(request: web.Request, body: Press | None) -> web.Response:
    """Press a button. With `Idempotency-Key` the same order is carried out once, however often it arrives."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[!-~]{1,200}", key):
        raise BadRequest("Idempotency-Key: expected 1 to 200 characters of ASCII, without spaces.")
    made = services(request)
    user = await made.auth.user(claims(request))
    id, action = request.match_info["id"], request.match_info["action"]
    return answer(await made.actions.perform(user, id, action, (body and body.params) or {}, key))


@operations.get("/sellers", answers=list[SellerOut])
async def sellers(request: web.Request) -> web.Response:
    """Active sellers of one's own company, by name."""
    found = await services(request).directory.with_role(claims(request).scope.tenant_id, ["seller"])
    by_name = sorted(found, key=lambda user: user.name.casefold())
    return answer([{"id": user.user_id, "name": user.name} for user in by_name])
