"""Changing a few values of a TOML file that a person wrote: the rest of it, comments too, stays as it is.

Knows single-line values of the top table, which is all that our configuration has. It must not know what they mean.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_TABLE = re.compile(r"\s*\[")
Value = str | bool | int | float | datetime
Changes = Mapping[str, Value | None]
"""None: the key goes."""


def edited(text: str, changes: Changes) -> str:
    """The text with these keys changed. Raises tomllib.TOMLDecodeError when it was not TOML before."""
    wanted = _merged(tomllib.loads(text), changes)
    lines = text.splitlines()
    for key, value in changes.items():
        _put(lines, key, value)
    made = "".join(f"{line}\n" for line in lines)
    # A value over several lines is more than this can edit: then the values are kept, and the comments are not.
    return made if _is(made, wanted) else written(wanted)


def written(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {literal(value)}\n" for key, value in values.items())


def literal(value: Value) -> str:
    """How TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        # A JSON string is a TOML one, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return repr(value)


def _merged(values: dict[str, Any], changes: Changes) -> dict[str, Any]:
    merged = values | {key: value for key, value in changes.items() if value is not None}
    return {key: value for key, value in merged.items() if changes.get(key, value) is not None}


def _put(lines: list[str], key: str, value: Value | None) -> None:
    end = next((number for number, line in enumerate(lines) if _TABLE.match(line)), len(lines))
    assignment = re.compile(rf"\s*(?:{key}|\"{key}\"|'{key}')\s*=")
    found = next((number for number in range(end) if assignment.match(lines[number])), None)
    if found is None:
        if value is not None:
            lines.insert(end, f"{key} = {literal(value)}")
    elif value is None:
        del lines[found]
    else:
        lines[found] = f"{key} = {literal(value)}{_comment(lines[found])}"


def _comment(line: str) -> str:
    """What stands behind the value: from the first `#` that is not inside of it."""
    for mark in (number for number, character in enumerate(line) if character == "#"):
        try:
            tomllib.loads(line[:mark])
        except tomllib.TOMLDecodeError:
            continue
        return f"  {line[mark:]}"
    return ""


def _is(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False
