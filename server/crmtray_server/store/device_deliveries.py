"""Which of a person's devices got an item, and when it said so.

Functions on a Connection over the `deliveries` rows of the channels socket and pull; e-mails are another module's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from .feed import Scope, owned_by
from .tables import deliveries

Channel = Literal["socket", "pull"]
State = Literal["sent", "acknowledged"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """An item went to a device (`sent`), or the device has said that it keeps it (`acknowledged`)."""

    scope: Scope
    notification_id: str
    channel: Channel
    device: str
    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of one way an item took. `updated_at` is when it was acknowledged, or first sent."""

    channel: str
    device: str
    state: str
    created_at: datetime
    updated_at: datetime
    attempts: int
    detail: str | None


def record(connection: Connection, receipts: Sequence[Receipt]) -> None:
    """The first time is kept; what was acknowledged stays so."""
    if not receipts:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(deliveries)
    raised = statement.on_conflict_do_update(
        index_elements=["notification_id", "channel", "device"],
        set_={"state": statement.excluded.state, "updated_at": statement.excluded.updated_at},
        where=(deliveries.c.state == "sent") & (statement.excluded.state == "acknowledged"),
    )
    # In one order everywhere, so that two nodes never wait for each other's rows crosswise.
    connection.execute(raised, sorted(map(_row, receipts), key=lambda row: (row["notification_id"], row["device"])))


def _row(receipt: Receipt) -> dict[str, object]:
    return {
        "notification_id": receipt.notification_id,
        "channel": receipt.channel,
        "device": receipt.device,
        "tenant_id": receipt.scope.tenant_id,
        "user_id": receipt.scope.user_id,
        "state": receipt.state,
        "created_at": receipt.at,
        "updated_at": receipt.at,
        "attempts": 1,
    }


def of(connection: Connection, scope: Scope, notification_id: str) -> list[Delivery]:
    """Every way this item took to this person, e-mails among them, oldest first."""
    query = (
        sa.select(deliveries)
        .where(owned_by(deliveries, scope), deliveries.c.notification_id == notification_id)
        .order_by(deliveries.c.created_at, deliveries.c.channel, deliveries.c.device)
    )
    return [
        Delivery(row.channel, row.device, row.state, row.created_at, row.updated_at, row.attempts, row.detail)
        for row in connection.execute(query)
    ]
