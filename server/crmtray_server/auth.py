"""Who is asking: logins, sessions, and whether a token still counts.

Owns the rule that an error in any check refuses, and that a right that ended elsewhere ends here. Handlers get Claims
from here and take the tenant and the user from nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from crmtray.protocol import AUTHENTICATION_REQUIRED, INVALID_CREDENTIALS, INVALID_TOKEN, Json, User, WireError

from .crm.orders import CrmUnavailable
from .crm_login import failed
from .login_limit import Counts, SharedLimit
from .store import accounts, sessions
from .store.accounts import Account
from .store.database import Store
from .store.feed import Scope
from .tokens import ACCESS_LIFETIME, Refused, decode, expiry, sign, sign_claims

__all__ = ["ACCESS_LIFETIME", "Auth", "Claims", "Refused", "decode", "hasher", "sign_claims"]

log = logging.getLogger(__name__)

hasher = PasswordHasher()  # Argon2id with the library's parameters: RFC 9106, low-memory recommendation
_NOBODY = hasher.hash("nobody has this password")
_hashing = asyncio.Semaphore(2)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. `session` is None for tokens that were not made by a login here."""

    scope: Scope
    role: str
    expires_at: datetime
    session: str | None = None
    scopes: frozenset[str] = frozenset()


class People(Protocol):
    """Who works where (directory)."""

    async def find(self, user_id: str) -> User | None:
        """By id alone. Raises CrmUnavailable."""

    async def get(self, scope: Scope) -> User | None: ...

    async def standing(self, scope: Scope, *, again: bool = False) -> str:
        """active | left | absent | unreadable | no_crm."""


class AskCrm(Protocol):
    """The CRM's own login."""

    async def claims(self, email: str, password: str) -> Json:
        """What the CRM's token says. Raises Refused or CrmUnavailable."""


class Auth:
    """Login, refresh, logout and the check of every request's token. With `crm`, passwords are the CRM's affair."""

    def __init__(
        self, store: Store, secret: str, people: People, crm: AskCrm | None = None, counts: Counts | None = None
    ) -> None:
        self._store, self._secret, self._people, self._crm = store, secret, people, crm
        self._limit = SharedLimit(counts)

    # --- sessions ----------------------------------------------------------------------------------------------

    async def login(self, email: str, password: str, address: str, now: datetime) -> Json:
        """Token pair and user. Raises Refused: the same for an unknown address and a wrong password."""
        async with self._limit.attempt(accounts.fold(email), address, now):
            try:
                user, known = await (self._crm_user if self._crm else self._own_user)(email, password)
            except Refused as refused:
                log.info("login refused from %s: %s", address, refused.code)
                raise
        scope = Scope(user.tenant_id, user.user_id)
        person = None if known else user.to_wire()
        session, refresh_token = await self._store.write(sessions.start, scope, now, person)
        return self._answer(user, session, refresh_token, now)

    async def refresh(self, refresh_token: str, now: datetime) -> Json:
        """The next pair. Raises Refused when the session has ended, CrmUnavailable when that cannot be told now."""
        named = await self._store.read(sessions.owner, refresh_token)
        # Before the token is used up: who is told to come again later comes with the same one.
        user = await self._still_here(*named) if named else None
        if named and user is None:
            await self._store.write(sessions.revoke, refresh_token.partition(".")[0], now)
        rotated = await self._store.write(sessions.rotate, refresh_token, now) if user else None
        if user is None or rotated is None:
            raise Refused(INVALID_TOKEN, "The session has ended. Sign in again.")
        _, session, fresh = rotated
        return self._answer(user, session, fresh, now)

    async def logout(self, claims: Claims, now: datetime) -> None:
        if claims.session:
            await self._store.write(sessions.revoke, claims.session, now)

    # --- tokens ------------------------------------------------------------------------------------------------

    async def check(self, token: str | None) -> Claims:
        """The claims of a token that is signed, timely, and whose owner still counts. Raises Refused."""
        if not token:
            raise Refused(AUTHENTICATION_REQUIRED, "Send the access token as `Authorization: Bearer`.")
        claims = await self._claims(decode(token, self._secret))
        [current] = await self.current([claims])
        if current is None:
            raise Refused(INVALID_TOKEN, "The session has ended. Sign in again.")
        return current

    async def current(self, claims: Sequence[Claims]) -> list[Claims | None]:
        """What each says by now: another role perhaps, None when it no longer counts."""
        ended, known = await self._store.read(_stored, claims)
        return [None if one in ended else await self._now(one, known.get(one.scope)) for one in claims]

    async def ended(self, claims: Iterable[Claims]) -> set[Claims]:
        """Those that no longer count by our own store: logins that ended, accounts that are closed."""
        ended, _ = await self._store.read(_stored, list(claims))
        return ended

    async def prolonged(self, claims: Claims, now: datetime) -> str | None:
        """A new access token for a login that is in use; None for a token that no login here made."""
        if claims.session is None:
            return None
        return sign(self._secret, await self.user(claims), ACCESS_LIFETIME, now, claims.session)

    async def user(self, claims: Claims) -> User:
        account = await self._store.read(accounts.get, claims.scope)
        if account:
            return account.user
        found = await self._people.get(claims.scope)
        noted = await self._store.read(sessions.person, claims.session) if claims.session and not found else None
        return found or _noted(noted) or User(claims.scope.user_id, claims.scope.tenant_id, "", "", claims.role)

    async def _claims(self, payload: Json) -> Claims:
        user_id, tenant_id, role = _names(payload)
        if tenant_id is None or role is None:
            # A token of the CRM's own holds only the user: the rest stands in the CRM.
            user = await self._look_up(user_id, tenant_id)
            if user is None:
                raise Refused(INVALID_TOKEN, "The token's user is not known here.")
            tenant_id, role = user.tenant_id, role or user.role
        scopes = frozenset(str(payload.get("scope") or "").split())
        expires_at = expiry(payload)
        session = None if payload.get("sid") is None else str(payload["sid"])
        return Claims(Scope(tenant_id, user_id), role, expires_at, session, scopes)

    async def _look_up(self, user_id: str, tenant_id: str | None) -> User | None:
        if tenant_id is None:
            return await self._people.find(user_id)
        return await self._people.get(Scope(tenant_id, user_id))

    async def _now(self, claims: Claims, account: Account | None) -> Claims | None:
        standing = await self._people.standing(claims.scope)
        if standing == "left":
            return None
        if claims.session is None:
            return claims  # who signs tokens says what they may; e.g. a program that no directory lists
        if account is not None:
            return replace(claims, role=account.user.role)
        if standing == "absent":
            return None
        user = await self._people.get(claims.scope)
        return replace(claims, role=user.role) if user else claims

    # --- people ------------------------------------------------------------------------------------------------

    async def _own_user(self, email: str, password: str) -> tuple[User, bool]:
        account = await self._store.read(accounts.by_email, email)
        good = await check_password(account.password_hash if account else _NOBODY, password)
        if account is None or not good or await self._gone(account):
            raise _wrong()
        return account.user, True

    async def _crm_user(self, email: str, password: str) -> tuple[User, bool]:
        """Who signed in at the CRM, and whether this server has an account for that person, which then says more."""
        assert self._crm is not None
        user_id, tenant_id, role = _names(await self._crm.claims(email, password))
        found = await self._look_up(user_id, tenant_id)
        if found is not None:
            tenant_id, role = found.tenant_id, found.role
        if tenant_id is None or role is None:
            raise failed(f"user {user_id} is not among the CRM's users, and the token names no tenant and role")
        scope = Scope(tenant_id, user_id)
        account = await self._store.read(accounts.get, scope)
        if account is not None:
            if await self._gone(account):
                raise _wrong()
            return account.user, True
        await self._must_be_listed(scope)
        return await self._people.get(scope) or User(user_id, tenant_id, "", email.strip(), role), False

    async def _must_be_listed(self, scope: Scope) -> None:
        standing = await self._people.standing(scope, again=True)
        if standing == "left":
            raise _wrong()
        if standing == "unreadable":
            raise CrmUnavailable("the CRM's users cannot be read")
        if standing == "absent":
            raise failed(f"user {scope.user_id} of tenant {scope.tenant_id} is not among the CRM's users")

    async def _gone(self, account: Account) -> bool:
        return not account.active or await self._people.standing(account.scope) == "left"

    async def _still_here(self, scope: Scope, noted: Json | None) -> User | None:
        """The owner of a session, None when it is over with him."""
        account = await self._store.read(accounts.get, scope)
        if account is not None:
            return None if await self._gone(account) else account.user
        if noted is None:
            return None  # an account that was removed
        standing = await self._people.standing(scope)
        if standing == "unreadable":
            raise CrmUnavailable("the CRM's users cannot be read")
        return _noted(noted) if standing == "no_crm" else await self._people.get(scope)

    def _answer(self, user: User, session: str, refresh_token: str, now: datetime) -> Json:
        return {
            "access_token": sign(self._secret, user, ACCESS_LIFETIME, now, session),
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFETIME.total_seconds()),
            "user": user.to_wire(),
        }


def _stored(connection: Any, claims: Sequence[Claims]) -> tuple[set[Claims], dict[Scope, Account]]:
    """Which of these are over by our store, and the accounts of their owners."""
    revoked = sessions.revoked(connection, [one.session for one in claims if one.session])
    known = accounts.of(connection, [one.scope for one in claims])
    closed = {scope for scope, account in known.items() if not account.active}
    return {one for one in claims if one.session in revoked or one.scope in closed}, known


def _names(payload: Json) -> tuple[str, str | None, str | None]:
    """User, tenant and role of a token's payload."""
    tenant_id, role = payload.get("tenant_id"), payload.get("role")
    return str(payload["user_id"]), None if tenant_id is None else str(tenant_id), None if role is None else str(role)


def _noted(person: Json | None) -> User | None:
    try:
        return None if person is None else User.from_wire(person)
    except WireError:
        return None


def _wrong() -> Refused:
    return Refused(INVALID_CREDENTIALS, "The e-mail address or the password is wrong.")


async def check_password(password_hash: str, password: str) -> bool:
    async with _hashing:  # 64 MiB and a core each: a storm of logins must not take the whole machine
        try:
            return await asyncio.to_thread(hasher.verify, password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
