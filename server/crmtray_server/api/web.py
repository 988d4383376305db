"""What every handler shares: the services, who is asking, bodies and parameters, and the error answers.

Errors are RFC 9457 problem documents with a stable `code`. An unexpected error is our bug: logged whole, answered
without detail.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from crmtray import protocol
from crmtray.protocol import Json, WireError

from ..actions import ActionRefused, Actions
from ..alerts import Alerts
from ..auth import Auth, Claims, Refused
from ..crm.writer import CrmUnavailable
from ..directory import Directory
from ..hub import Hub
from ..inbox import Clock, Inbox, NotFound
from ..monitor import Monitor
from ..store.database import Store, StoreUnavailable
from ..store.operations import IdReused

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers work with, made once by app."""

    store: Store
    auth: Auth
    hub: Hub
    inbox: Inbox
    actions: Actions
    directory: Directory
    health: Callable[[], Awaitable[tuple[bool, Json]]]
    clock: Clock
    monitor: Monitor
    alerts: Alerts


SERVICES = web.AppKey("services", Services)
CLAIMS = web.RequestKey("claims", Claims)

STATUS = {
    protocol.AUTHENTICATION_REQUIRED: 401,
    protocol.INVALID_TOKEN: 401,
    protocol.TOKEN_EXPIRED: 401,
    protocol.INVALID_CREDENTIALS: 401,
    protocol.TOO_MANY_ATTEMPTS: 429,
    protocol.FORBIDDEN: 403,
    "action_not_offered": 422,
    "invalid_params": 422,
    "unknown_seller": 422,
    "crm_actions_off": 409,
    protocol.CRM_LOGIN_FAILED: 502,
    "target_gone": 409,
}


class BadRequest(Exception):
    """The request is not of the documented form; the sentence says which part and what is allowed."""


def services(request: web.Request) -> Services:
    return request.app[SERVICES]


def claims(request: web.Request) -> Claims:
    return request[CLAIMS]


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", charset="utf-8", headers=headers
    )


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/problem+json", headers=headers
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what handlers raise into problem documents."""
    try:
        return await handler(request)
    except Refused as refused:
        headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
        if STATUS[refused.code] == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(STATUS[refused.code], refused.code, refused.message, headers)
    except (BadRequest, WireError) as error:
        return problem(400, protocol.INVALID_REQUEST, str(error))
    except NotFound:
        return problem(404, protocol.NOT_FOUND, "There is no such notification.")
    except ActionRefused as refused:
        return problem(STATUS.get(refused.code, 422), refused.code, refused.message)
    except IdReused:
        return problem(422, "idempotency_key_reused", "This Idempotency-Key belongs to another request.")
    except (StoreUnavailable, CrmUnavailable) as error:
        log.warning("%s %s: %s", request.method, request.path, error)
        return problem(
            503, "unavailable", "The CRM or a database is not available. Try again later.", {"Retry-After": "2"}
        )
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problem(error.status, error.reason.lower().replace(" ", "_"), error.text or error.reason, allow)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return problem(500, "internal_error", "The server has a fault; it is in its log.")
