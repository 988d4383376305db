"""The questions detection asks the CRM, as SQL: for the reference tables, or the CRM's own from `CRM_MAPPING`.

Owns the statements, their columns and their parameters (docs/detection.md lists them for those who write a mapping),
and the sentence for a statement that the CRM's database refuses.
The texts for the reference tables are in reference. Runs nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from . import buckets, reference
from .engine import CrmDatabaseError
from .reference import Dialect

QUERY_MILLISECONDS: Final = 60_000
"""No question may hold the CRM's database for longer."""

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "users": ("user_id", "tenant_id", "name", "email", "role", "active"),
    "unanswered_conversations": (
        "conversation_id",
        "tenant_id",
        "phone_number",
        "seller_id",
        "seller_name",
        "last_message_time",
    ),
    "lead_candidates": (
        "lead_id",
        "tenant_id",
        "first_name",
        "last_name",
        "phone_number",
        "source",
        "location",
        "status",
        "seller_id",
        "estimated_value",
        "converted_at",
        "message_count",
        "last_message_time",
    ),
    "lead_messages": ("lead_id", "body", "created_at"),
    "followups": (
        "lead_id",
        "tenant_id",
        "first_name",
        "last_name",
        "phone_number",
        "status",
        "seller_id",
        "next_follow_up",
        "notes",
    ),
    "seller_metrics": (
        "tenant_id",
        "seller_id",
        "seller_name",
        "avg_response_time_minutes",
        "unanswered_conversations",
        "conversion_rate",
        "leads_generated",
    ),
    "timezones": ("tenant_id", "timezone"),
}
"""The queries that a mapping may give, and what each must return."""

OPTIONAL: Final = frozenset({"timezones"})
"""What a CRM need not know."""

PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "users": (),
    "unanswered_conversations": (),
    "lead_candidates": ("recent", "min_points", "area_points"),
    "lead_messages": ("ids",),
    "followups": ("until",),
    "seller_metrics": ("day_start", "unanswered_before"),
    "timezones": (),
}

ID_COLUMN: Final = {
    "unanswered_conversations": "conversation_id",
    "lead_candidates": "lead_id",
    "lead_messages": "lead_id",
    "followups": "lead_id",
}
"""By which a query is narrowed to a few rows."""

IN_BUCKETS: Final = {"unanswered_conversations": "conversation_id", "followups": "lead_id"}
"""Queries with long answers, and the column whose buckets they are read by."""
DECISIVE: Final = {
    "unanswered_conversations": ("conversation_id", "tenant_id", "seller_id", "last_message_time"),
    "followups": ("lead_id", "tenant_id", "seller_id", "next_follow_up"),
}
"""Of these, what makes a difference to who is told what when."""


class CrmError(CrmDatabaseError):
    """The administrator's world: one sentence that says what is wrong with the CRM and how to mend it."""


class CrmMissing(CrmError):
    """The database answers, but a table or column is not there, or is not of this kind."""


class MappingError(Exception):
    """The administrator's world: one sentence that names the file, the key and what is allowed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`text` reads everything that matters; `by_ids` the rows with one of `:ids`, whether they matter or not.

    Long answers are also read by bucket: `digest` sums them up, `in_order` and `some_in_order` read all or `:buckets`.
    """

    name: str
    text: str
    by_ids: str
    mapped: bool = False
    digest: str = ""
    in_order: str = ""
    some_in_order: str = ""


def statements(dialect: Dialect, mapping: Mapping[str, str] | None = None) -> dict[str, Statement]:
    """All queries by name: the reference ones, with those of the mapping in their place."""
    found = _reference(dialect)
    for name, text in (mapping or {}).items():
        found[name] = Statement(name, text, _narrowed(name, text), mapped=True)
    return found | {name: _in_buckets(dialect, found[name], column) for name, column in IN_BUCKETS.items()}


def _in_buckets(dialect: Dialect, statement: Statement, column: str) -> Statement:
    text = statement.text
    # What a mapped query returns beside the columns it must (last_answer_time) may decide too: all of the row counts.
    # SQLite cannot say that, and a small database can be read whole.
    if not statement.mapped:
        decisive = reference.decisive(dialect)[statement.name]
        digest = buckets.digest(dialect, decisive, column, DECISIVE[statement.name])
    else:
        digest = "" if dialect == "sqlite" else buckets.digest(dialect, text, column, ())
    return replace(
        statement,
        digest=digest,
        in_order=buckets.in_order(dialect, text, column, some=False),
        some_in_order=buckets.in_order(dialect, text, column, some=True),
    )


def load_mapping(path: str | Path) -> dict[str, str]:
    """Reads a TOML file of `name = "SELECT …"`. Raises MappingError."""
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"CRM_MAPPING={path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"CRM_MAPPING={path}: not a TOML file: {error}") from None
    return {name: _checked(path, name, value) for name, value in values.items()}


def _checked(path: str | Path, name: str, value: object) -> str:
    if name not in COLUMNS:
        raise MappingError(f"CRM_MAPPING={path}: {name}: unknown query; there are {', '.join(COLUMNS)}.")
    if not isinstance(value, str) or not value.strip():
        raise MappingError(f"CRM_MAPPING={path}: {name}: must be the text of one SELECT statement.")
    text = value.strip().rstrip(";").rstrip()
    if not re.match(r"[\s(]*(SELECT|WITH|VALUES)\b", _without_comments(text), re.IGNORECASE):
        raise MappingError(f"CRM_MAPPING={path}: {name}: must be one SELECT statement; nothing else is run on a CRM.")
    unknown = set(re.findall(r"(?<![:\w\\]):([a-z_]+)\b(?!:)", _without_strings(text))) - set(PARAMETERS[name])
    if unknown:
        allowed = ", ".join(f":{parameter}" for parameter in PARAMETERS[name]) or "none"
        raise MappingError(f"CRM_MAPPING={path}: {name}: unknown parameter :{sorted(unknown)[0]}; allowed: {allowed}.")
    return _colons_as_they_are(text)


def _without_strings(text: str) -> str:
    return re.sub(r"'[^']*'", "", _without_comments(text))


def _without_comments(text: str) -> str:
    return re.sub(_SPOKEN, lambda found: found[0] if found[0].startswith("'") else " ", text)


def _colons_as_they_are(text: str) -> str:
    """SQLAlchemy takes `:word` for a parameter inside quotes and comments too."""
    return re.sub(_SPOKEN, lambda found: re.sub(r"(?<![:\w\\]):(?=\w)", r"\:", found[0]), text)


_SPOKEN: Final = re.compile(r"'[^']*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""Strings and comments; a dash or a star inside a string begins no comment."""


def _narrowed(name: str, text: str) -> str:
    column = ID_COLUMN.get(name)
    if column is None or ":ids" in text:
        return text
    return f"SELECT * FROM (\n{text}\n) AS narrowed WHERE narrowed.{column} IN :ids"


def _reference(dialect: Dialect) -> dict[str, Statement]:
    return {name: Statement(name, text, by_ids) for name, (text, by_ids) in reference.texts(dialect).items()}


def check_columns(statement: Statement, given: set[str]) -> None:
    missing = [column for column in COLUMNS.get(statement.name, ()) if column not in given]
    if missing:
        raise CrmMissing(f"The query {statement.name} of CRM_MAPPING returns no column {missing[0]}; add it there.")


def wrong_value(statement: Statement, column: str, value: str, expected: str) -> str:
    return f"The query {statement.name} returns {column} {value}, which is not {expected}; {_mend(statement)}."


def crm_error(error: sa.exc.SQLAlchemyError, statement: Statement) -> CrmError:
    """One sentence of what the driver says, with table and column when it names them."""
    original = getattr(error, "orig", None)
    said = (str(original or error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
    for pattern, what in _MISSING:
        if match := re.search(pattern, said):
            return CrmMissing(_missing_sentence(what, match[1].replace('"', ""), statement))
    state = getattr(original, "sqlstate", None)
    if state == "42501":
        return CrmError(
            f"The CRM's database refuses to be read ({said}); grant SELECT to the account of CRM_DATABASE_URL."
        )
    if state == "57014":
        return CrmError(
            f"The query {statement.name} took longer than {QUERY_MILLISECONDS // 1000} s; "
            "give the CRM's database the indexes that docs/detection.md names."
        )
    if isinstance(error, sa.exc.DataError):
        return CrmError(f"The query {statement.name} gives a value that cannot be read ({said}); {_mend(statement)}.")
    if isinstance(error, sa.exc.ProgrammingError | sa.exc.InternalError | sa.exc.NotSupportedError) or (
        statement.mapped and re.search(_SQLITE_REFUSALS, said)
    ):
        return CrmMissing(f"The CRM's database refuses the query {statement.name} ({said}); {_mend(statement)}.")
    return CrmError(
        f"The CRM's database does not answer ({said}); check that it runs and that CRM_DATABASE_URL is right."
    )


_MISSING: Final[tuple[tuple[str, str], ...]] = (
    (r"no such table: (\S+)", "table"),
    (r"no such column: (\S+)", "column"),
    (r'relation ("[^"]+"|\S+) does not exist', "table"),
    (r'column ("[^"]+"|\S+) does not exist', "column"),
)
_SQLITE_REFUSALS: Final = "syntax error|no such function|wrong number|misuse|ambiguous column|incomplete|unrecognized"
"""SQLite has one class for a wrong statement and for a database that is away."""


def _missing_sentence(what: str, name: str, statement: Statement) -> str:
    return f"The CRM has no {what} {name}; {_mend(statement, 'add it')}."


def _mend(statement: Statement, otherwise: str = "") -> str:
    if statement.mapped:
        return f"correct the query {statement.name} in CRM_MAPPING"
    if statement.name in COLUMNS:
        return f"{otherwise + ', or ' if otherwise else ''}give a query {statement.name} in CRM_MAPPING"
    return otherwise or "compare its columns with docs/detection.md"
