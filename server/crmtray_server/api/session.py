"""Sign in, renew, sign out, who am I."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints

from .operation import PUBLIC, Body, Operations
from .schemas import TokensOut, UserOut
from .web import answer, claims, services

operations = Operations("Session")

Given = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Login(Body):
    email: Given
    password: Given


class Refresh(Body):
    refresh_token: Given


@operations.post("/auth/login", answers=TokensOut, access=PUBLIC, errors={401, 429, 502})
async def login(request: web.Request, body: Login) -> web.Response:
    """Sign in with e-mail address and password."""
    made = services(request)
    return answer(await made.auth.login(body.email, body.password, request.remote or "", made.clock()))


@operations.post("/auth/refresh", answers=TokensOut, access=PUBLIC, errors={401})
async def refresh(request: web.Request, body: Refresh) -> web.Response:
    """Get a new pair of tokens; a refresh token is good once."""
    made = services(request)
    return answer(await made.auth.refresh(body.refresh_token, made.clock()))


@operations.post("/auth/logout")
async def logout(request: web.Request) -> web.Response:
    """End this login and close its sockets."""
    made = services(request)
    await made.auth.logout(claims(request), made.clock())
    session = claims(request).session
    if session:
        made.hub.cut_session(session)
    return web.Response(status=204)


@operations.get("/auth/me", answers=UserOut)
async def me(request: web.Request) -> web.Response:
    """Who is signed in."""
    return answer((await services(request).auth.user(claims(request))).to_wire())
