"""Where the words that are searched for stand in a text. Pure.

The same idea of a match as the search itself: the beginning of a word, whatever its case and accents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=64)
def _wanted(sought: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_WORD.findall(folded(sought))))


def folded(text: str) -> str:
    """Without case and accents, character for character: places in it are places in the text."""
    return "".join(_plain(character) for character in text)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0].lower()
    return base if len(base) == 1 else character


def matches(text: str, sought: str) -> Sequence[tuple[int, int]]:
    """From and to, in order, never overlapping."""
    words = _wanted(sought) if sought else ()
    if not words:
        return ()
    found = []
    for word in _WORD.finditer(folded(text)):
        length = max((len(one) for one in words if word[0].startswith(one)), default=0)
        if length:
            found.append((word.start(), word.start() + length))
    return found
