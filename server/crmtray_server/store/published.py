"""What other programs published, as it stands: looked up by the keys under which it was published.

A removed item is found as well: it answers a repeated publication. Functions on a Connection; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crmtray.protocol import Notification

from .feed import Scope, from_row, key_of, these_keys, with_keys
from .tables import notifications

Key = tuple[Scope, str]
"""Whose item, and its dedupe key."""

_FIND = sa.select(notifications).where(with_keys)


def find(connection: Connection, keys: Iterable[Key]) -> dict[Key, Notification]:
    rows = connection.execute(_FIND, these_keys(key_of(scope, key) for scope, key in keys))
    return {(Scope(row.tenant_id, row.user_id), row.dedupe_key): from_row(row._mapping) for row in rows}
