"""Reads a catalogue of translations as Qt's tools write it (`.qm`), without Qt.

The terminal commands speak the same sentences as the tray app and work where Qt is not installed. Owns the file
format, as far as `lrelease` uses it for us: every message in full, with what it was written as.
Source: writeMessage and saveQM in qtbase and qttools, src/linguist/shared/qm.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

_MAGIC = bytes.fromhex("3cb86418caef9c95cd211cbf60a1bddd")
_MESSAGES = 0x69
_END, _TRANSLATION, _SOURCE, _CONTEXT, _COMMENT = 1, 3, 6, 7, 8

Forms = tuple[str, ...]
"""How it is said: in one way, or of one thing and of several."""


def read(file: Path) -> Mapping[str, Forms]:
    """The sentences that belong to no class, by what they were written as."""
    content = file.read_bytes()
    if not content.startswith(_MAGIC):
        raise ValueError(f"{file} is no catalogue of translations")
    return dict(_sentences(_section(content, _MESSAGES)))


def _section(content: bytes, wanted: int) -> bytes:
    at = len(_MAGIC)
    while at < len(content):
        kind, length = content[at], int.from_bytes(content[at + 1 : at + 5])
        if kind == wanted:
            return content[at + 5 : at + 5 + length]
        at += 5 + length
    return b""


def _sentences(messages: bytes) -> Iterator[tuple[str, Forms]]:
    forms: list[str] = []
    parts: dict[int, str] = {}
    for kind, value in _fields(messages):
        if kind == _TRANSLATION:
            forms.append(value.decode("utf-16-be"))
        elif kind == _END:
            if not parts[_CONTEXT]:
                yield parts[_SOURCE], tuple(forms)
            forms, parts = [], {}
        else:
            parts[kind] = value.decode()


def _fields(messages: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(messages):
        kind, at = messages[at], at + 1
        if kind == _END:
            yield kind, b""
            continue
        if kind not in (_TRANSLATION, _SOURCE, _CONTEXT, _COMMENT):
            raise ValueError(f"a catalogue has the part {kind}, which nobody here knows")
        length = int.from_bytes(messages[at : at + 4])
        at += 4
        yield kind, messages[at : at + length]
        at += length
