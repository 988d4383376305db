"""Prints what the server needs, one requirement a line: the extra `postgres` of pyproject.toml, and those in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def main() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    print("\n".join(sorted(set(wanted(project["optional-dependencies"], "postgres")))))


def wanted(extras: dict[str, list[str]], extra: str) -> list[str]:
    found = []
    for requirement in extras[extra]:
        own = re.fullmatch(r"crmtray\[([\w,-]+)\]", requirement)
        found += [deep for name in own[1].split(",") for deep in wanted(extras, name)] if own else [requirement]
    return found


main()
