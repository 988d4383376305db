"""What a company's administrator sees of the store: what was detected, and which e-mails failed.

Functions on a Connection, each for one tenant. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .tables import deliveries, notifications


@dataclass(frozen=True, slots=True)
class FailedEmail:
    """An e-mail that was given up. `title` is None when the item is gone."""

    address: str
    title: str | None
    reason: str | None
    attempts: int
    at: datetime


def made_since(connection: Connection, tenant_id: str, types: Sequence[str], since: datetime) -> dict[str, int]:
    """How many facts of each type were told: one that went to three people is one."""
    query = (
        sa.select(notifications.c.type, sa.func.count(notifications.c.dedupe_key.distinct()))
        .where(
            notifications.c.tenant_id == tenant_id,
            notifications.c.created_at >= since,
            notifications.c.type.in_(types),
        )
        .group_by(notifications.c.type)
    )
    counts = {row[0]: row[1] for row in connection.execute(query)}
    return {type: counts.get(type, 0) for type in types}


def failed_emails(connection: Connection, tenant_id: str, limit: int) -> tuple[list[FailedEmail], int]:
    """The newest of them, and how many there are."""
    failed = (
        (deliveries.c.tenant_id == tenant_id) & (deliveries.c.channel == "email") & (deliveries.c.state == "failed")
    )
    joined = deliveries.outerjoin(
        notifications,
        (notifications.c.id == deliveries.c.notification_id) & (notifications.c.tenant_id == deliveries.c.tenant_id),
    )
    query = (
        sa.select(deliveries, notifications.c.title)
        .select_from(joined)
        .where(failed)
        .order_by(deliveries.c.updated_at.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    total = connection.execute(sa.select(sa.func.count()).select_from(deliveries).where(failed)).scalar_one()
    return [FailedEmail(row.device, row.title, row.detail, row.attempts, row.updated_at) for row in rows], total
