"""Logins: one row each, with the hash of its refresh token, which is replaced at every use.

A refresh token that was used before means that two parties hold it: the login is revoked. One exception, because an
answer can be lost on the way: the token just before the current one is good for a short while (GRACE).
Rule: RFC 9700 section 4.14.2.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Json

from . import revocations
from .among import Among, Keys
from .scopes import Scope
from .tables import sessions

LIFETIME = timedelta(days=30)
"""Since the last use: a tray app that is started once a month stays signed in."""
GRACE = timedelta(seconds=60)

_VALID = sa.select(sessions.c.id).where(
    Among(sessions.c.id, sa.bindparam("_ids", type_=Keys)), sessions.c.revoked_at.is_(None)
)


def start(connection: Connection, scope: Scope, now: datetime, person: Json | None = None) -> tuple[str, str]:
    """A new login: its id and its refresh token. `person`: who it is, for one whom only the CRM's login knows."""
    id, secret = uuid.uuid4().hex, secrets.token_urlsafe(32)
    connection.execute(
        sessions.insert().values(
            id=id,
            tenant_id=scope.tenant_id,
            user_id=scope.user_id,
            refresh_hash=_hash(secret),
            rotated_at=now,
            expires_at=now + LIFETIME,
            person=person,
        )
    )
    return id, f"{id}.{secret}"


def owner(connection: Connection, token: str) -> tuple[Scope, Json | None] | None:
    """Whose login a refresh token names, and what was noted about that person. Says nothing about its worth."""
    id, _, _ = token.partition(".")
    query = sa.select(sessions.c.tenant_id, sessions.c.user_id, sessions.c.person).where(sessions.c.id == id)
    row = connection.execute(query).first()
    return None if row is None else (Scope(row.tenant_id, row.user_id), row.person)


def person(connection: Connection, id: str) -> Json | None:
    noted: Json | None = connection.execute(sa.select(sessions.c.person).where(sessions.c.id == id)).scalar()
    return noted


def rotate(connection: Connection, token: str, now: datetime) -> tuple[Scope, str, str] | None:
    """Whose login, its id and the next refresh token. None (and the login revoked) when the token is no good.

    None rather than an exception, because an exception would undo the revocation.
    """
    id, _, secret = token.partition(".")
    row = connection.execute(sa.select(sessions).where(sessions.c.id == id).with_for_update()).first()
    if row is None or row.revoked_at is not None or row.expires_at <= now:
        return None
    current = _same(row.refresh_hash, secret)
    just_before = row.previous_hash is not None and now - row.rotated_at <= GRACE and _same(row.previous_hash, secret)
    if not current and not just_before:
        revoke(connection, id, now)
        return None
    fresh = secrets.token_urlsafe(32)
    connection.execute(
        sessions.update()
        .where(sessions.c.id == id)
        .values(
            refresh_hash=_hash(fresh),
            previous_hash=_hash(secret),
            rotated_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return Scope(row.tenant_id, row.user_id), id, f"{id}.{fresh}"


def revoke(connection: Connection, id: str, now: datetime) -> None:
    connection.execute(sessions.update().where(sessions.c.id == id).values(revoked_at=now))
    revocations.note(connection)


def revoke_all(connection: Connection, scope: Scope, now: datetime) -> None:
    of_user = (sessions.c.tenant_id == scope.tenant_id) & (sessions.c.user_id == scope.user_id)
    connection.execute(sessions.update().where(of_user, sessions.c.revoked_at.is_(None)).values(revoked_at=now))
    revocations.note(connection)


def revoked(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these logins that no longer count, unknown ones included."""
    if not ids:
        return set()
    return set(ids) - set(connection.execute(_VALID, {"_ids": [(id,) for id in ids]}).scalars())


def _hash(secret: str) -> str:
    # The secret is 256 random bits: a plain hash cannot be searched, no slow one is needed.
    return hashlib.sha256(secret.encode()).hexdigest()


def _same(stored: str, secret: str) -> bool:
    return hmac.compare_digest(stored, _hash(secret))
