"""What the CRM's rows are to us: plain values, whatever form the CRM keeps them in.

Owns the shapes, the many forms of ids, times, numbers and flags, and which values a column may not hold. What detection
reads and what `crmtray-server check` looks for are the same functions. Pure; reads nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy.engine import RowMapping

OVER: Final = frozenset({"converted", "won", "lost"})
"""Statuses of leads that nobody has to win any more."""
LONGEST_NOTES: Final = 2000
LONGEST_DAY: Final = 25 * 60
"""Minutes of the day on which the clocks are put back: no average of one day is longer."""
YES: Final = frozenset({"1", "t", "true", "y", "yes", "on"})
NO: Final = frozenset({"", "0", "f", "false", "n", "no", "off"})
LEFT_OUT: Final = "the row is left out"


class Unreadable(Exception):
    """A value that its column may not hold. `row` says whose it is, `expected` what would be right."""

    def __init__(self, row: str, column: str, value: object, expected: str, then: str = LEFT_OUT) -> None:
        super().__init__(f"{row}: {column} {_shown(value)} is not {expected}; {then}")
        self.row, self.column, self.value, self.expected = row, column, _shown(value), expected


Doubt = Callable[[Unreadable], None]
"""Is told of a value that the row can do without; the row then has None there."""


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


def conversation(row: RowMapping, doubt: Doubt) -> Conversation | None:
    """None when nobody is assigned."""
    if row["seller_id"] is None:
        return None
    id = text_id(_id(row, "conversation_id", "a conversation"))
    what = f"conversation {id}"
    seller = _id(row, "seller_id", what)
    return Conversation(
        id=id,
        tenant_id=text_id(_id(row, "tenant_id", what)),
        phone_number=one_line(row["phone_number"]),
        seller_id=text_id(seller),
        seller_ref=seller,
        seller_name=one_line(row["seller_name"]),
        last_message_time=_moment(row, "last_message_time", what, doubt),
        last_answer=_moment(row, "last_answer_time", what, doubt) if "last_answer_time" in row else None,
    )


def lead(row: RowMapping, doubt: Doubt) -> Lead:
    id = text_id(_id(row, "lead_id", "a lead"))
    what = f"lead {id}"
    # A time that cannot be read still says that there was a day on which the lead converted.
    _moment(row, "converted_at", what, doubt)
    return Lead(
        id=id,
        tenant_id=text_id(_id(row, "tenant_id", what)),
        name=full_name(row, f"Lead {id}"),
        phone_number=one_line(row["phone_number"]),
        source=plain(row["source"]),
        location=plain(row["location"]),
        over=row["converted_at"] is not None or plain(row["status"]).lower() in OVER,
        seller_id=None if row["seller_id"] is None else text_id(_id(row, "seller_id", what)),
        estimated_value=_worth(row, what, doubt),
        message_count=_count(row, "message_count", what),
        last_message_time=_moment(row, "last_message_time", what, doubt),
    )


def followup(row: RowMapping, doubt: Doubt) -> FollowUp | None:
    """None when nobody is assigned."""
    if row["seller_id"] is None:
        return None
    id = text_id(_id(row, "lead_id", "a lead"))
    what = f"lead {id}"
    seller = _id(row, "seller_id", what)
    return FollowUp(
        lead_id=id,
        tenant_id=text_id(_id(row, "tenant_id", what)),
        lead_name=full_name(row, f"Lead {id}"),
        status=plain(row["status"]),
        seller_id=text_id(seller),
        seller_ref=seller,
        at=_moment(row, "next_follow_up", what, doubt),
        notes=notes_of(row["notes"]),
    )


def user(row: RowMapping, _doubt: Doubt) -> CrmUser:
    id = text_id(_id(row, "user_id", "a user"))
    return CrmUser(
        user_id=id,
        tenant_id=text_id(_id(row, "tenant_id", f"user {id}")),
        name=one_line(row["name"]),
        email=plain(row["email"]),
        role=plain(row["role"]).lower(),
        active=_flag(row, "active", f"user {id}"),
    )


def metrics(row: RowMapping, day: date) -> SellerMetrics:
    seller = _id(row, "seller_id", "a seller")
    what = f"seller {seller}"
    return SellerMetrics(
        tenant_id=text_id(_id(row, "tenant_id", what)),
        seller_id=text_id(seller),
        seller_ref=seller,
        seller_name=one_line(row["seller_name"]),
        day=day,
        avg_response_time_minutes=_between(
            row, "avg_response_time_minutes", what, LONGEST_DAY, "a number of minutes, at most a day's"
        ),
        unanswered_conversations=_count(row, "unanswered_conversations", what),
        conversion_rate=_between(row, "conversion_rate", what, 1, "a share from 0 to 1"),
        leads_generated=_count(row, "leads_generated", what),
    )


def message(row: RowMapping, doubt: Doubt) -> tuple[str, datetime, str] | None:
    """The lead, when it was written, and what; None without a time."""
    id = text_id(_id(row, "lead_id", "a message"))
    written = _moment(row, "created_at", f"a message of lead {id}", doubt)
    return None if written is None else (id, written, str(row["body"] or ""))


def zone_name(row: RowMapping, _doubt: Doubt) -> tuple[str, str]:
    return text_id(_id(row, "tenant_id", "a time zone")), plain(row["timezone"])


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


def _id(row: RowMapping, column: str, what: str) -> int | str:
    value = row[column]
    if isinstance(value, str | UUID) and str(value):
        return str(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and _is_whole(value):
        return int(value)
    raise Unreadable(what, column, value, "an id (text, a UUID or a whole number)")


def _is_whole(value: float | Decimal) -> bool:
    return math.isfinite(value) and value == int(value)


def _moment(row: RowMapping, column: str, what: str, doubt: Doubt) -> datetime | None:
    value = row[column]
    if value is None:
        return None
    try:
        return parse_moment(value)
    except ValueError:
        doubt(Unreadable(what, column, value, "a time"))
        return None


def _count(row: RowMapping, column: str, what: str) -> int:
    """None of anything is nought."""
    number = 0.0 if row[column] is None else _number(row[column])
    if number is None or number < 0 or not number.is_integer():
        raise Unreadable(what, column, row[column], "a whole number of 0 or more")
    return int(number)


def _between(row: RowMapping, column: str, what: str, most: float, expected: str) -> int | float | None:
    if row[column] is None:
        return None
    number = _number(row[column])
    if number is None or not 0 <= number <= most:
        raise Unreadable(what, column, row[column], expected)
    return number_of(number)


def _worth(row: RowMapping, what: str, doubt: Doubt) -> int | float | None:
    """Only shown, so no lead is lost because of it."""
    value = row["estimated_value"]
    if value is not None and _number(value) is None:
        doubt(Unreadable(what, "estimated_value", value, "a number", "the lead is shown without it"))
        return None
    return number_of(value)


def _number(value: object) -> float | None:
    """A finite number; a flag is none."""
    number = None if isinstance(value, bool) else number_of(value)
    return None if number is None else float(number)


def _flag(row: RowMapping, column: str, what: str) -> bool:
    value = row[column]
    if value is None or isinstance(value, bool):
        return bool(value)
    text = value.strip().lower() if isinstance(value, str) else str(json_id(value)) if value in (0, 1) else "?"
    if text not in YES | NO:
        raise Unreadable(what, column, value, "true or false (also 1 or 0, t or f, y or n, yes or no, on or off)")
    return text in YES


def _shown(value: object) -> str:
    """A value as it stands in a sentence."""
    text = repr(value) if isinstance(value, str | bytes) or value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
