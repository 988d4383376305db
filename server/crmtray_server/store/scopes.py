"""Whose rows: queries about a person's things are told it here, so that none forgets the tenant.

Owns the three forms of that condition: with the person in the statement, as parameters of a statement that is kept, and
for many people at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .among import Among, Keys


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """A person, as the store knows one."""

    tenant_id: str
    user_id: str


def owned_by(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    return (table.c.tenant_id == scope.tenant_id) & (table.c.user_id == scope.user_id)


def owned(table: sa.Table) -> sa.ColumnElement[bool]:
    return (table.c.tenant_id == sa.bindparam("_tenant")) & (table.c.user_id == sa.bindparam("_user"))


def owner(scope: Scope) -> dict[str, Any]:
    """What a statement made with `owned` must be given."""
    return {"_tenant": scope.tenant_id, "_user": scope.user_id}


def of_people(table: sa.Table) -> sa.ColumnElement[bool]:
    return Among(table.c.tenant_id, table.c.user_id, sa.bindparam("_people", type_=Keys))


def people(scopes: Iterable[Scope]) -> dict[str, Any]:
    """What a statement made with `of_people` must be given."""
    return {"_people": [(scope.tenant_id, scope.user_id) for scope in scopes]}
