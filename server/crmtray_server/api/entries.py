"""What the routes for other programs have in common: one entry or many at once, ids, times, and the scope they need.

Owns these types only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from crmtray.protocol import Json

from .operation import Moment

SCOPE: Final = "notifications:write"
MOST: Final = 1000
LARGEST: Final = 8 * 1024 * 1024
LONGEST_ID: Final = 200


def one_or_many(one: str, many: str) -> Callable[[Any], str]:
    """Tells by its form which of two tags a body has."""
    return lambda body: many if isinstance(body, list) else one


def _text_id(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected an id: a whole number or a text")
    return str(value)


PLAIN: Final[Json] = {"pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"}
"""What `plain_text` allows, for the OpenAPI document."""


def plain_text(text: str) -> str:
    """Raises ValueError for characters that no screen shows as such, line breaks and tabs aside."""
    if any(unicodedata.category(character) == "Cc" and character not in "\n\r\t" for character in text):
        raise ValueError("expected plain text without control characters")
    return text


def _or_none(moment: datetime) -> datetime | None:
    """Some programs write the year 1 or 9999 for "none", and so they are read everywhere."""
    return moment if 1900 <= moment.year <= 9000 else None


Id = Annotated[
    str,
    BeforeValidator(_text_id),
    Field(min_length=1, max_length=LONGEST_ID),
    AfterValidator(plain_text),
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": LONGEST_ID} | PLAIN]}
    ),
]
"""Compared as text: 7 and "7" are the same."""
Time = Annotated[Moment, AfterValidator(_or_none)]
"""Of a column that may be empty."""
