"""The administrator's file: presets for everybody on this machine, and values that nobody here may change.

Owns reading it and its two tables. What the keys mean, and which values are good, is `config`'s to say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TABLES = ("defaults", "locked")


class PolicyError(ValueError):
    """The file cannot be read, or has something in it that it must not have."""


@dataclass(frozen=True, slots=True)
class Policy:
    """As it stands in the file: not checked yet."""

    file: Path | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    locked: Mapping[str, Any] = field(default_factory=dict)


def read(path: Path) -> Policy:
    """An empty policy when there is no such file: most machines have none. Raises PolicyError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Policy()
    except OSError as error:
        raise PolicyError(f"the policy {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"the policy {path}: {error}") from None
    return Policy(path, *(_table(path, values, name) for name in TABLES))


def _table(path: Path, values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    unknown = sorted(values.keys() - set(TABLES))
    if unknown:
        raise PolicyError(f"the policy {path} has {unknown[0]!r}; settings go into [defaults] or [locked]")
    table = values.get(name, {})
    if not isinstance(table, dict):
        raise PolicyError(f"the policy {path}: {name} must be a table, [{name}]")
    return table
