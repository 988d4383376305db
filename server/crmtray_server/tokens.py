"""Access tokens: how they are signed and what a good one says. Pure, but for PyJWT's look at the clock for `exp`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from crmtray.protocol import INVALID_TOKEN, TOKEN_EXPIRED, Json, User

ACCESS_LIFETIME = timedelta(minutes=15)


class Refused(Exception):
    """Authentication failed: a stable code and a sentence. `retry_after` in seconds, for too many attempts."""

    def __init__(self, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after


def sign(secret: str, user: User, lifetime: timedelta, now: datetime, session: str) -> str:
    claims = {"user_id": user.user_id, "tenant_id": user.tenant_id, "role": user.role, "sid": session}
    return sign_claims(secret, claims, lifetime, now)


def sign_claims(secret: str, claims: Mapping[str, Any], lifetime: timedelta, now: datetime) -> str:
    """A token with these claims, those that are None left out."""
    payload = {name: value for name, value in claims.items() if value is not None}
    payload |= {"iat": int(now.timestamp()), "exp": int((now + lifetime).timestamp())}
    return jwt.encode(payload, secret, algorithm="HS256")


def decode(token: str, secret: str) -> Json:
    """The payload of a well-signed token that has not expired and names a user. Raises Refused with a stable code."""
    try:
        payload: Json = jwt.decode(
            token, secret, algorithms=["HS256"], options={"require": ["exp"], "verify_aud": False}
        )
    except jwt.ExpiredSignatureError:
        raise Refused(TOKEN_EXPIRED, "The access token has expired. Get a new one with the refresh token.") from None
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
        raise Refused(INVALID_TOKEN, "The access token is not valid.") from None
    if payload.get("user_id") is None:
        raise Refused(INVALID_TOKEN, "The access token names no user_id.")
    for name in ("user_id", "tenant_id", "role", "sid"):
        if not _is_name(payload.get(name)):
            raise Refused(INVALID_TOKEN, f"The access token's {name} is neither a text nor a whole number.")
    return payload


def expiry(payload: Json) -> datetime:
    """When a decoded token expires. Raises Refused for what is no moment: a CRM may have written milliseconds."""
    try:
        return datetime.fromtimestamp(float(payload["exp"]), UTC)
    except (OverflowError, ValueError, TypeError, OSError):
        raise Refused(INVALID_TOKEN, "The access token's exp is not a number of seconds since 1970.") from None


def _is_name(value: Any) -> bool:
    """Whether it can stand in a query: signed is not the same as sensible."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return True
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
