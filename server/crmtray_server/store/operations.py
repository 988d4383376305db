"""What operations with an id of the client's answered: the same id again is the same operation, not a second."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Json

from .feed import Scope
from .tables import operations


class IdReused(Exception):
    """The id belongs to another operation of this user."""


def find(connection: Connection, scope: Scope, id: str, request: str) -> Json | None:
    """The earlier answer. `request` says what was asked; raises IdReused when it was something else."""
    query = sa.select(operations.c.request, operations.c.result).where(
        operations.c.tenant_id == scope.tenant_id,
        operations.c.user_id == scope.user_id,
        operations.c.operation_id == id,
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.request != request:
        raise IdReused
    result: Json = row.result
    return result


def remember(connection: Connection, scope: Scope, id: str, request: str, result: Json, now: datetime) -> None:
    connection.execute(
        operations.insert().values(
            tenant_id=scope.tenant_id,
            user_id=scope.user_id,
            operation_id=id,
            request=request,
            result=result,
            created_at=now,
        )
    )
