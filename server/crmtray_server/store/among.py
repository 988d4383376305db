"""Conditions on many keys at once, as one statement whatever their number.

`(a, b) IN ((1, 2), (3, 4))` would be another statement for each number of keys, put together anew each time, and SQLite
uses no index for it: a list of rows is a compound SELECT to it, https://www.sqlite.org/rowvalue.html. Here the keys
come as one parameter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class Keys(TypeDecorator[Iterable[tuple[str, ...]]]):
    """A parameter's type: rows of texts. PostgreSQL plans by how many an array holds, of JSON it guesses."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return sa.Text() if dialect.name == "sqlite" else dialect.type_descriptor(sa.ARRAY(sa.Text()))

    def process_bind_param(self, value: Iterable[tuple[str, ...]] | None, dialect: Dialect) -> Any:
        rows = [json.dumps(row) for row in value or ()]
        return f"[{','.join(rows)}]" if dialect.name == "sqlite" else rows


class Among(FunctionElement[Any]):
    """`Among(a, b, keys)`: whether the texts (a, b) are one of `keys`, a parameter of the type `Keys`."""

    name = "among"
    type = sa.types.NULLTYPE  # a Boolean would be compared with 1 on SQLite, and no index be used
    inherit_cache = True


@compiles(Among, "sqlite")
def _sqlite(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    left, parameter, count = _parts(element, compiler, options)
    items = ", ".join(f"json_extract(value, '$[{number}]')" for number in range(count))
    return f"({left}) IN (SELECT {items} FROM json_each({parameter}))"


@compiles(Among, "postgresql")
def _postgresql(element: Among, compiler: SQLCompiler, **options: Any) -> str:
    left, parameter, count = _parts(element, compiler, options)
    items = ", ".join(f"CAST(item AS json)->>{number}" for number in range(count))
    return f"({left}) IN (SELECT {items} FROM unnest(CAST({parameter} AS text[])) AS item)"


def _parts(element: Among, compiler: SQLCompiler, options: dict[str, Any]) -> tuple[str, str, int]:
    *columns, parameter = [compiler.process(clause, **options) for clause in element.clauses]
    return ", ".join(columns), parameter, len(columns)
