"""The administrators' page: what the server does now, as HTML that reloads itself. No script.

Owns its login form and cookie. The cookie is looked at here and nowhere else: the API takes tokens in headers only,
so that no other site can use a login of this page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from crmtray import __version__
from crmtray.protocol import KINDS, User

from ..auth import ACCESS_LIFETIME, Claims, Refused
from ..crm.writer import CrmUnavailable
from ..hub import Connection
from ..store import overview
from ..store.database import StoreUnavailable
from ..store.feed import Scope
from . import admin_view as view
from .operation import ADMIN_ROLES
from .pages import page
from .web import STATUS, services

COOKIE = "crmtray_admin"
HOME, LOGIN = "/admin", "/admin/login"
REFRESH_SECONDS = 10
LONGEST_FIELD = 1000
MOST_EMAILS = 50
NOT_FOR_YOU = "This page is for people with the role admin or ceo."
AWAY = "A database of the server does not answer. Try again in a moment."
DAY = timedelta(days=1)

Handler = Callable[[web.Request], Awaitable[web.Response]]


async def home(request: web.Request) -> web.Response:
    try:
        claims = await _signed_in(request)
    except Refused:
        return _forget(request, _redirect(LOGIN))
    if claims.role not in ADMIN_ROLES:
        return _page("admin_login.html", 403, problem=NOT_FOR_YOU, email="")
    answer = _page("admin.html", **await _values(request, claims))
    await _keep_signed_in(request, claims, answer)
    return answer


async def _keep_signed_in(request: web.Request, claims: Claims, answer: web.Response) -> None:
    """A page that stays open stays signed in, as long as the login behind it counts."""
    made, now = services(request), services(request).clock()
    if COOKIE in request.cookies and claims.expires_at - now < ACCESS_LIFETIME / 2:
        token = await made.auth.prolonged(claims, now)
        if token is not None:
            _set_cookie(request, answer, token)


async def login_form(request: web.Request) -> web.Response:
    try:
        await _signed_in(request)
    except Refused:
        return _page("admin_login.html", problem="", email="")
    return _redirect(HOME)


async def login(request: web.Request) -> web.Response:
    """The same check, and the same limit of attempts, as POST /auth/login."""
    if not _from_here(request):
        return _page("admin_login.html", 403, problem="Sign in on this page, please.", email="")
    fields = await request.post()
    email, password = fields.get("email"), fields.get("password")
    if not (isinstance(email, str) and isinstance(password, str) and email.strip() and password):
        return _page("admin_login.html", 400, problem="Give an e-mail address and a password.", email="")
    if len(email) > LONGEST_FIELD or len(password) > LONGEST_FIELD:
        return _page("admin_login.html", 400, problem="That is too long.", email="")
    try:
        return await _enter(request, email.strip(), password)
    except Refused as refused:
        answer = _page("admin_login.html", STATUS.get(refused.code, 401), problem=refused.message, email=email)
        if refused.retry_after:
            answer.headers["Retry-After"] = str(refused.retry_after)
        return answer


async def _enter(request: web.Request, email: str, password: str) -> web.Response:
    made = services(request)
    pair = await made.auth.login(email, password, request.remote or "", made.clock())
    claims = await made.auth.check(pair["access_token"])
    if claims.role not in ADMIN_ROLES:
        await made.auth.logout(claims, made.clock())
        return _page("admin_login.html", 403, problem=NOT_FOR_YOU, email=email)
    answer = _redirect(HOME)
    _set_cookie(request, answer, pair["access_token"])
    return answer


def _set_cookie(request: web.Request, answer: web.Response, token: str) -> None:
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(ACCESS_LIFETIME.total_seconds()),
        path=HOME,
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )


async def logout(request: web.Request) -> web.Response:
    if not _from_here(request):
        return _page("admin_login.html", 403, problem="Sign out on this page, please.", email="")
    made = services(request)
    with suppress(Refused):  # it has ended already
        await made.auth.logout(await _signed_in(request), made.clock())
    return _forget(request, _redirect(LOGIN))


async def _signed_in(request: web.Request) -> Claims:
    """By an `Authorization: Bearer` header, else by this page's cookie. Raises Refused."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    return await services(request).auth.check(bearer or request.cookies.get(COOKIE))


def _from_here(request: web.Request) -> bool:
    """Whether a form was sent from this site; browsers say so, and other programs have no cookies to steal."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin", "null")  # null: the pages' Referrer-Policy hides it
    return origin == "null" or urlsplit(origin).netloc == request.host


async def _values(request: web.Request, claims: Claims) -> dict[str, Any]:
    made, tenant_id = services(request), claims.scope.tenant_id
    now, stats = made.clock(), made.monitor.stats()
    everyone = made.hub.connections(tenant_id)
    shown = everyone[: view.MOST_ROWS]
    _, report = await made.health()
    kinds = await made.store.read(overview.made_since, tenant_id, KINDS, now - DAY)
    failed, failures = await made.store.read(overview.failed_emails, tenant_id, MOST_EMAILS)
    people = await _people(request, shown)
    state, summary = view.summary(report["status"], len(made.alerts.active))
    return {
        "refresh": REFRESH_SECONDS,
        "version": __version__,
        "uptime": view.duration(timedelta(seconds=stats.uptime_seconds)),
        "now": view.moment(now, now),
        "state": state,
        "summary": summary,
        "tiles": view.tiles(stats, len(everyone)),
        "latencies": view.latency_bars(made.monitor.latencies()),
        "measured": view.amount(stats.recent_messages, "message"),
        "kinds": view.kind_bars(kinds),
        "active": view.alert_rows(made.alerts.active, now),
        "recent": view.alert_rows(made.alerts.recent, now),
        "services": view.service_rows(report),
        "connections": view.connection_rows(shown, people, now),
        "connected": view.amount(len(everyone), "connection"),
        "more": len(everyone) - len(shown),
        "emails": view.email_rows(failed, now),
        "failures": view.amount(failures, "e-mail"),
        "more_emails": failures - len(failed),
    }


async def _people(request: web.Request, connections: list[Connection]) -> dict[Scope, User]:
    directory = services(request).directory
    found = {scope: await directory.get(scope) for scope in {connection.scope for connection in connections}}
    return {scope: user for scope, user in found.items() if user is not None}


def _page(template: str, status: int = 200, **values: Any) -> web.Response:
    answer = page(template, status, **values)
    answer.headers["X-Frame-Options"] = "DENY"
    return answer


def _redirect(to: str) -> web.Response:
    return web.Response(status=303, headers={"Location": to, "Cache-Control": "no-store"})


def _forget(request: web.Request, answer: web.Response) -> web.Response:
    answer.del_cookie(COOKIE, path=HOME, httponly=True, samesite="Strict", secure=request.secure)
    return answer


def _readable(handler: Handler) -> Handler:
    """What a person looks at stays a page when a database is away; it tries again by itself."""

    async def shown(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except (StoreUnavailable, CrmUnavailable):
            _, report = await services(request).health()
            values = {"message": AWAY, "services": view.service_rows(report), "refresh": REFRESH_SECONDS}
            return _page("admin_away.html", 503, **values)

    return shown


def routes() -> list[web.RouteDef]:
    """Pages for people, so not in the API's description."""
    return [
        web.get(HOME, _readable(home), allow_head=False),
        web.get(LOGIN, _readable(login_form), allow_head=False),
        web.post(LOGIN, _readable(login)),
        web.post("/admin/logout", _readable(logout)),
    ]
