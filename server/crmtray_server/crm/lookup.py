"""One conversation as the CRM's reference table has it now, whatever its state.

Detection reads only what waits; whoever asks why something does not wait needs the rest. Reads only; blocking.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from .queries import CrmError
from .rows import parse_moment, plain, text_id


@dataclass(frozen=True, slots=True)
class ConversationState:
    """`seller_id` None: nobody's. `last_message_time` None: missing or unreadable."""

    tenant_id: str
    seller_id: str | None
    active: bool
    from_customer: bool
    last_message_time: datetime | None


def conversation(engine: Engine, id: str) -> ConversationState | None:
    """None when there is none with this id. Raises CrmError when the CRM cannot say."""
    values: list[Any] = [id]
    if engine.dialect.name == "sqlite" and id.isdecimal() and len(id) < 19:
        values.append(int(id))  # a column without a type keeps what was put in
    try:
        with engine.connect() as connection:
            row = connection.execute(_QUERY, {"ids": values}).first()
    except sa.exc.DataError:
        return None  # not an id of this CRM's form
    except sa.exc.SQLAlchemyError as error:
        raise CrmError(f"The CRM cannot be asked: {str(getattr(error, 'orig', error)).strip()[:200]}") from error
    return None if row is None else _state(row)


_QUERY = sa.text(
    "SELECT tenant_id, assigned_seller_id, status, last_message_from_customer, last_message_time "
    "FROM conversations WHERE id IN :ids"
).bindparams(sa.bindparam("ids", expanding=True))


def _state(row: Any) -> ConversationState:
    try:
        last = None if row.last_message_time is None else parse_moment(row.last_message_time)
    except ValueError:
        last = None
    return ConversationState(
        tenant_id=text_id(row.tenant_id),
        seller_id=None if row.assigned_seller_id is None else text_id(row.assigned_seller_id),
        active=plain(row.status) == "active",
        from_customer=bool(row.last_message_from_customer),
        last_message_time=last,
    )
