"""Who is asking: passwords, tokens, sessions.

Owns signing and checking of tokens, the login limit, and the rule that an error in any check refuses. Handlers get
Claims from here and take the tenant and the user from nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from crmtray.protocol import (
    AUTHENTICATION_REQUIRED,
    INVALID_CREDENTIALS,
    INVALID_TOKEN,
    TOKEN_EXPIRED,
    TOO_MANY_ATTEMPTS,
    Json,
    User,
)

from .store import accounts, sessions
from .store.database import Store
from .store.feed import Scope

log = logging.getLogger(__name__)

ACCESS_LIFETIME = timedelta(minutes=15)
FAILURES, WINDOW = 5, timedelta(minutes=1)
FAILURES_PER_ADDRESS = 20
"""An office shares one address: more than one person may mistype."""

hasher = PasswordHasher()  # Argon2id with the library's parameters: RFC 9106, low-memory recommendation
_NOBODY = hasher.hash("nobody has this password")
_hashing = asyncio.Semaphore(2)


class Refused(Exception):
    """Authentication failed: a stable code and a sentence. `retry_after` in seconds, for too many attempts."""

    def __init__(self, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. `session` is None for tokens that were not made by a login here."""

    scope: Scope
    role: str
    expires_at: datetime
    session: str | None = None
    scopes: frozenset[str] = frozenset()


FindUser = Callable[[str], Awaitable[User | None]]


class Auth:
    """Login, refresh, logout and the check of every request's token."""

    def __init__(self, store: Store, secret: str, find_user: FindUser) -> None:
        self._store = store
        self._secret = secret
        self._find_user = find_user
        self._failures: dict[str, deque[datetime]] = {}

    async def login(self, email: str, password: str, address: str, now: datetime) -> Json:
        """Token pair and user. Raises Refused: the same for an unknown address and a wrong password."""
        key, source = f"email {accounts.fold(email)}", f"address {address}"
        self._limit(key, FAILURES, now)
        self._limit(source, FAILURES_PER_ADDRESS, now)
        account = await self._store.read(accounts.by_email, email)
        good = await check_password(account.password_hash if account else _NOBODY, password)
        if account is None or not good or not account.active:
            self._failed(key, now)
            self._failed(source, now)
            log.info("login refused from %s", address)
            raise Refused(INVALID_CREDENTIALS, "The e-mail address or the password is wrong.")
        self._failures.pop(key, None)
        session, refresh_token = await self._store.write(sessions.start, account.scope, now)
        return self._answer(account.user, session, refresh_token, now)

    async def refresh(self, refresh_token: str, now: datetime) -> Json:
        rotated = await self._store.write(sessions.rotate, refresh_token, now)
        account = await self._store.read(accounts.get, rotated[0]) if rotated else None
        if rotated is None or account is None or not account.active:
            raise Refused(INVALID_TOKEN, "The session has ended. Sign in again.")
        _, session, fresh = rotated
        return self._answer(account.user, session, fresh, now)

    async def logout(self, claims: Claims, now: datetime) -> None:
        if claims.session:
            await self._store.write(sessions.revoke, claims.session, now)

    async def check(self, token: str | None) -> Claims:
        """The claims of a token that is signed, timely, and whose login still counts. Raises Refused."""
        if not token:
            raise Refused(AUTHENTICATION_REQUIRED, "Send the access token as `Authorization: Bearer`.")
        payload = decode(token, self._secret)
        session = payload.get("sid")
        if session and await self._store.read(sessions.revoked, [session]):
            raise Refused(INVALID_TOKEN, "The session has ended. Sign in again.")
        return await self._claims(payload, session)

    async def user(self, claims: Claims) -> User:
        account = await self._store.read(accounts.get, claims.scope)
        found = account.user if account else await self._find_user(claims.scope.user_id)
        return found or User(claims.scope.user_id, claims.scope.tenant_id, "", "", claims.role)

    async def _claims(self, payload: Json, session: str | None) -> Claims:
        user_id = str(payload["user_id"])
        tenant_id, role = payload.get("tenant_id"), payload.get("role")
        if tenant_id is None or role is None:
            # A token of the CRM's own holds only the user: the rest stands in the CRM.
            user = await self._find_user(user_id)
            if user is None:
                raise Refused(INVALID_TOKEN, "The token's user is not known here.")
            tenant_id = user.tenant_id if tenant_id is None else tenant_id
            role = user.role if role is None else role
        scopes = frozenset(str(payload.get("scope") or "").split())
        expires_at = datetime.fromtimestamp(payload["exp"], UTC)
        return Claims(Scope(str(tenant_id), user_id), str(role), expires_at, session, scopes)

    def _answer(self, user: User, session: str, refresh_token: str, now: datetime) -> Json:
        token = sign(self._secret, user, ACCESS_LIFETIME, now, session)
        return {
            "access_token": token,
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFETIME.total_seconds()),
            "user": user.to_wire(),
        }

    def _limit(self, key: str, allowed: int, now: datetime) -> None:
        recent = self._failures.get(key)
        while recent and recent[0] <= now - WINDOW:
            recent.popleft()
        if recent is not None and not recent:
            del self._failures[key]
        if recent and len(recent) >= allowed:
            wait = int((recent[0] + WINDOW - now).total_seconds()) + 1
            raise Refused(TOO_MANY_ATTEMPTS, f"Too many failed logins. Try again in {wait} seconds.", wait)

    def _failed(self, key: str, now: datetime) -> None:
        if len(self._failures) > 10_000:  # a flood of invented addresses must not fill the memory
            del self._failures[next(iter(self._failures))]
        self._failures.setdefault(key, deque(maxlen=FAILURES_PER_ADDRESS)).append(now)


def sign(secret: str, user: User, lifetime: timedelta, now: datetime, session: str) -> str:
    claims = {"user_id": user.user_id, "tenant_id": user.tenant_id, "role": user.role, "sid": session}
    return sign_claims(secret, claims, lifetime, now)


def sign_claims(secret: str, claims: Mapping[str, Any], lifetime: timedelta, now: datetime) -> str:
    """A token with these claims, those that are None left out."""
    payload = {name: value for name, value in claims.items() if value is not None}
    payload |= {"iat": int(now.timestamp()), "exp": int((now + lifetime).timestamp())}
    return jwt.encode(payload, secret, algorithm="HS256")


def decode(token: str, secret: str) -> Json:
    """The payload of a well-signed token that has not expired. Raises Refused with a stable code."""
    try:
        payload: Json = jwt.decode(
            token, secret, algorithms=["HS256"], options={"require": ["exp"], "verify_aud": False}
        )
    except jwt.ExpiredSignatureError:
        raise Refused(TOKEN_EXPIRED, "The access token has expired. Get a new one with the refresh token.") from None
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise Refused(INVALID_TOKEN, "The access token is not valid.") from None
    if not isinstance(payload.get("user_id"), str | int) or isinstance(payload.get("user_id"), bool):
        raise Refused(INVALID_TOKEN, "The access token names no user_id.")
    return payload


async def check_password(password_hash: str, password: str) -> bool:
    async with _hashing:  # 64 MiB and a core each: a storm of logins must not take the whole machine
        try:
            return await asyncio.to_thread(hasher.verify, password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
