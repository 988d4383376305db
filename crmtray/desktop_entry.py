"""The `.desktop` files of Linux desktops: how a value and a command are written in one, and how one is put in place.

Owns the two quotings of the Desktop Entry Specification. It must not know what an entry is for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_RESERVED = set(" \t\n\"'\\><~|&;$*?#()`")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def entry(values: Mapping[str, str]) -> str:
    lines = [f"{key}={escaped(value)}" for key, value in values.items()]
    return "\n".join(["[Desktop Entry]", "Type=Application", *lines, ""])


def exec_line(words: Sequence[str], field: str = "") -> str:
    """The value of `Exec`. `field`, such as %u, is what the desktop puts there itself."""
    return " ".join([*(_word(word) for word in words), *([field] if field else [])])


def _word(word: str) -> str:
    word = word.replace("%", "%%")
    if word and not _RESERVED & set(word):
        return word
    for sign in ("\\", '"', "`", "$"):
        word = word.replace(sign, f"\\{sign}")
    return f'"{word}"'


def escaped(value: str) -> str:
    """As in every value of type string: this comes after the quoting of a command."""
    return "".join(_ESCAPES.get(letter, letter) for letter in value)


def put(file: Path, text: str) -> bool:
    """Writes it, when something else or nothing is there. False: it was there."""
    if file.is_file() and file.read_bytes() == text.encode():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    made = file.with_name(f".{file.name}.new")
    made.write_text(text, encoding="utf-8")
    os.replace(made, file)
    return True
