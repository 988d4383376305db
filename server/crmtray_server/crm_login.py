"""Signing in with the CRM's own login: the password is shown to the CRM, which answers with a token of its own.

Owns the request and the meaning of its answer. Passwords are passed on and kept nowhere; the session that follows is
this server's own (auth).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import orjson

from crmtray.protocol import CRM_LOGIN_FAILED, INVALID_CREDENTIALS, TOO_MANY_ATTEMPTS, Json

from .crm.orders import CrmUnavailable
from .outbound import OutboundError
from .tokens import Refused, decode

log = logging.getLogger(__name__)

WRONG = frozenset({400, 401, 403, 422})
WAIT_SECONDS, LONGEST_WAIT = 60, 3600


class CrmAnswer(Protocol):
    """What the CRM's login answered."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[CrmAnswer]]


class CrmLogin:
    """`post` is Outbound.post; `secret` the one with which the CRM signs its tokens."""

    def __init__(self, post: Post, url: str, secret: str) -> None:
        self._post, self._url, self._secret = post, url, secret

    async def claims(self, email: str, password: str) -> Json:
        """What the CRM's token says about whom it let in. Raises Refused or CrmUnavailable."""
        body = orjson.dumps({"email": email, "password": password})
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "crmtray-server"}
        try:
            answer = await self._post(self._url, body, headers)
        except OutboundError as error:
            raise CrmUnavailable(f"the CRM's login: {error}", permanent=error.permanent) from None
        _judge(answer)
        return self._claims(answer.body)

    def _claims(self, body: bytes) -> Json:
        token = _token(body)
        if token is None:
            raise failed("its answer has no access_token")
        try:
            return decode(token, self._secret)
        except Refused as refused:
            raise failed(f"its token is not signed with JWT_SECRET_KEY, or is of no use: {refused.message}") from None


def failed(why: str) -> Refused:
    """The CRM let somebody in whom we cannot take: for the log why, for the person whom to tell."""
    log.warning("the CRM's login was accepted, but %s", why)
    return Refused(
        CRM_LOGIN_FAILED,
        "The CRM accepted the password, but its answer cannot be used here. Tell whoever administers crmtray.",
    )


def _judge(answer: CrmAnswer) -> None:
    if 200 <= answer.status < 300:
        return
    if answer.status in WRONG:
        raise Refused(INVALID_CREDENTIALS, "The e-mail address or the password is wrong.")
    if answer.status == 429:
        wait = _seconds(answer.headers.get("Retry-After", ""))
        raise Refused(TOO_MANY_ATTEMPTS, f"Too many failed logins at the CRM. Try again in {wait} seconds.", wait)
    raise CrmUnavailable(f"the CRM's login answered {answer.status}")


def _seconds(text: str) -> int:
    given = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else WAIT_SECONDS
    return min(max(given, 1), LONGEST_WAIT)


def _token(body: bytes) -> str | None:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(answer, dict):
        return None
    token = answer.get("access_token") or answer.get("token")
    return token if isinstance(token, str) else None
