"""What a person reads and `ui` does not write itself: Spanish in the source, told in the language that is in use.

Owns which language that is, for everything below Qt; the program begins in Spanish. Help, errors and reports of the
command line are not said here: they are English, for whoever runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from .catalogue import Forms, read
from .paths import resource

ENGLISH, SPANISH = "en", "es"
SPOKEN = (SPANISH, ENGLISH)

_language = SPANISH


def say(text: str, comment: str = "", n: int | None = None) -> str:
    """Now, in the language in use; `%n` is `n`, and the sentence that of one or of several.

    The sentences are found in the source by this name, in the form of Qt's `tr`: give a literal, or one that was
    marked.
    """
    if n is None:
        return _sentences(_language).get(text, (text,))[0] if text else ""
    one, *several = _sentences(_language).get(text, (text,))
    # The two languages agree in this; see Qt's `numerus.cpp` for others.
    return (one if n == 1 or not several else several[0]).replace("%n", str(n))


def mark(text: str, comment: str = "", n: int | None = None) -> str:
    """For tables that are filled when the module is loaded: found in the source like `say`, said later by it. With
    any `n` it is marked as one that counts."""
    return text


def speak(language: str) -> None:
    """From now on everything is said in it."""
    global _language
    _language = language


@cache
def _sentences(language: str) -> Mapping[str, Forms]:
    """Spanish ones are only those that count: the others are what stands in the source."""
    return read(resource(f"translations/crmtray_{language}.qm"))
