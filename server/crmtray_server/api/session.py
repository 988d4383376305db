"""Sign in, renew, sign out, who am I."""

from __future__ import annotations

from aiohttp import web

from .web import answer, claims, json_body, services, signed_in, text


async def login(request: web.Request) -> web.Response:
    body = await json_body(request)
    email, password = text(body, "email"), text(body, "password")
    made = services(request)
    return answer(await made.auth.login(email, password, request.remote or "", made.clock()))


async def refresh(request: web.Request) -> web.Response:
    token = text(await json_body(request), "refresh_token")
    made = services(request)
    return answer(await made.auth.refresh(token, made.clock()))


async def logout(request: web.Request) -> web.Response:
    made = services(request)
    await made.auth.logout(claims(request), made.clock())
    session = claims(request).session
    if session:
        made.hub.cut_session(session)
    return web.Response(status=204)


async def me(request: web.Request) -> web.Response:
    return answer((await services(request).auth.user(claims(request))).to_wire())


def routes() -> list[web.RouteDef]:
    return [
        web.post("/auth/login", login),
        web.post("/auth/refresh", refresh),
        web.post("/auth/logout", signed_in(logout)),
        web.get("/auth/me", signed_in(me), allow_head=False),
    ]
