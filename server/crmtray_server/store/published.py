"""What other programs published, as it stands: looked up by the keys under which it was published.

A removed item is found as well: it answers a repeated publication. Functions on a Connection; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Notification

from .feed import ID_CHUNK, Scope, from_row, owned_by
from .tables import notifications

Key = tuple[Scope, str]
"""Whose item, and its dedupe key."""


def find(connection: Connection, keys: Iterable[Key]) -> dict[Key, Notification]:
    by_scope: dict[Scope, list[str]] = {}
    for scope, key in keys:
        by_scope.setdefault(scope, []).append(key)
    found: dict[Key, Notification] = {}
    for scope, wanted in by_scope.items():
        for start in range(0, len(wanted), ID_CHUNK):
            these = notifications.c.dedupe_key.in_(wanted[start : start + ID_CHUNK])
            for row in connection.execute(sa.select(notifications).where(owned_by(notifications, scope), these)):
                found[scope, row.dedupe_key] = from_row(row._mapping)
    return found
