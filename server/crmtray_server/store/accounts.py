"""Accounts of people who sign in at this server: who they are and their password's hash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import User

from . import revocations
from .scopes import Scope, of_people, people
from .tables import accounts

_OF = sa.select(accounts).where(of_people(accounts))


class AccountExists(Exception):
    """The e-mail address or the user id is taken."""


@dataclass(frozen=True, slots=True)
class Account:
    user: User
    password_hash: str
    active: bool

    @property
    def scope(self) -> Scope:
        return Scope(self.user.tenant_id, self.user.user_id)


def fold(email: str) -> str:
    """The form in which addresses are compared: people type them in any case."""
    return email.strip().casefold()


def add(connection: Connection, users: Iterable[tuple[User, str]], now: datetime) -> None:
    """Users with their password hashes. Raises AccountExists."""
    rows = [
        {
            "tenant_id": user.tenant_id,
            "user_id": user.user_id,
            "email": fold(user.email),
            "name": user.name,
            "role": user.role,
            "password_hash": password_hash,
            "active": True,
            "created_at": now,
        }
        for user, password_hash in users
    ]
    try:
        connection.execute(accounts.insert(), rows)
    except sa.exc.IntegrityError:
        raise AccountExists from None


def by_email(connection: Connection, email: str) -> Account | None:
    return _one(connection, accounts.c.email == fold(email))


def get(connection: Connection, scope: Scope) -> Account | None:
    return _one(connection, (accounts.c.tenant_id == scope.tenant_id) & (accounts.c.user_id == scope.user_id))


def of(connection: Connection, scopes: Iterable[Scope]) -> dict[Scope, Account]:
    """The accounts of those of these people who have one."""
    return {account.scope: account for account in map(_account, connection.execute(_OF, people(scopes)))}


def everyone(connection: Connection) -> list[Account]:
    query = sa.select(accounts).order_by(accounts.c.tenant_id, accounts.c.name)
    return [_account(row) for row in connection.execute(query)]


def set_password(connection: Connection, email: str, password_hash: str) -> bool:
    """False when there is no such account."""
    return _set(connection, email, password_hash=password_hash)


def set_active(connection: Connection, email: str, active: bool) -> bool:
    return _set(connection, email, active=active)


def _set(connection: Connection, email: str, **values: object) -> bool:
    """Whatever changes, running servers look at the account's rights again."""
    result = connection.execute(accounts.update().where(accounts.c.email == fold(email)).values(values))
    revocations.note(connection)
    return result.rowcount == 1


def _one(connection: Connection, where: sa.ColumnElement[bool]) -> Account | None:
    row = connection.execute(sa.select(accounts).where(where)).first()
    return None if row is None else _account(row)


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    user = User(row.user_id, row.tenant_id, row.name, row.email, row.role)
    return Account(user, row.password_hash, row.active)
