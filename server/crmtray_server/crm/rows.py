"""What the CRM's rows are to us: plain values, whatever form the CRM keeps them in.

Owns the shapes and the many forms of ids, times and numbers. Pure; reads nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, cast

from sqlalchemy.engine import RowMapping

OVER: Final = frozenset({"converted", "won", "lost"})
"""Statuses of leads that nobody has to win any more."""
LONGEST_NOTES: Final = 2000


@dataclass(frozen=True, slots=True)
class CrmUser:
    user_id: str
    tenant_id: str
    name: str
    email: str
    role: str
    active: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """Active, assigned, the last message is the customer's. `last_message_time` None: missing or unreadable.

    `seller_ref` is the seller's id as the CRM has it: a whole number stays one in JSON. `last_answer` is given by a
    mapped query only.
    """

    id: str
    tenant_id: str
    phone_number: str
    seller_id: str
    seller_ref: int | str
    seller_name: str
    last_message_time: datetime | None
    last_answer: datetime | None


@dataclass(frozen=True, slots=True)
class Lead:
    id: str
    tenant_id: str
    name: str
    phone_number: str
    source: str
    location: str
    over: bool
    """Converted or lost."""
    seller_id: str | None
    estimated_value: int | float | None
    message_count: int
    last_message_time: datetime | None


@dataclass(frozen=True, slots=True)
class FollowUp:
    lead_id: str
    tenant_id: str
    lead_name: str
    status: str
    seller_id: str
    seller_ref: int | str
    at: datetime | None
    notes: str | None


@dataclass(frozen=True, slots=True)
class SellerMetrics:
    """A seller's figures on `day`, the tenant's own calendar day."""

    tenant_id: str
    seller_id: str
    seller_ref: int | str
    seller_name: str
    day: date
    avg_response_time_minutes: float | None
    unanswered_conversations: int
    conversion_rate: float | None
    leads_generated: int


def parse_moment(value: object) -> datetime:
    """An aware UTC datetime of what a CRM's column may hold; without an offset it is UTC. Raises ValueError."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, datetime.min.time())
    # Some programs write the year 1 or 9999 for "none"; near the calendar's ends nothing can be added or taken away.
    if not isinstance(value, datetime) or not 1900 <= value.year <= 9000:
        raise ValueError(f"not a time: {value!r}")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def json_id(value: object) -> int | str:
    """An id as it goes into JSON: whole numbers stay whole numbers."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal) and value == int(value):
        return int(value)
    return str(value)


def text_id(value: object) -> str:
    """An id as it is compared everywhere."""
    return value if isinstance(value, str) else str(json_id(value))


def plain(value: object) -> str:
    """Text without what no database would store again."""
    return "" if value is None else str(value).replace("\0", "").strip()


def one_line(value: object) -> str:
    """Text that goes into a sentence."""
    return " ".join(plain(value).split())


def full_name(row: RowMapping, otherwise: str) -> str:
    parts = (one_line(row["first_name"]), one_line(row["last_name"]))
    return " ".join(filter(None, parts)) or one_line(row["phone_number"]) or otherwise


def notes_of(value: object) -> str | None:
    """As the CRM has them, up to a length that still fits a notification."""
    text = plain(value)
    return (text if len(text) <= LONGEST_NOTES else f"{text[: LONGEST_NOTES - 1]}…") or None


def number_of(value: object) -> int | float | None:
    """A number as JSON has it; None for what is none."""
    try:
        number = float(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
