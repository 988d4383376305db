"""What a person reads and `ui` does not write itself: Spanish in the source, told in the language that is in use.

Owns which language that is, for everything below Qt. The program begins in Spanish; `ui/language` brings another. The
command line does not ask here: it is English for whoever runs it.
"""

from __future__ import annotations

from collections.abc import Callable


def _as_written(text: str) -> str:
    return text


_translate: Callable[[str], str] = _as_written


def say(text: str) -> str:
    """Now, in the language in use. The sentences are found in the source by this name: give a literal, or one that
    was marked."""
    return _translate(text) if text else ""


def mark(text: str) -> str:
    """For tables that are filled when the module is loaded: found in the source like `say`, said later by it."""
    return text


def speak(translate: Callable[[str], str] = _as_written) -> None:
    """From now on everything is said by `translate`."""
    global _translate
    _translate = translate
