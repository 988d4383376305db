"""What never stands in a log, a crash report or a copied diagnosis: tokens, passwords, logins in addresses. Pure."""

from __future__ import annotations

import re

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_BEARER = re.compile(r"(Bearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_NAMED = re.compile(
    r"""(?<![\w-])((?:["']|\\")?(?:[\w-]*passw(?:or)?d|[\w-]*secret|contraseña|(?:access_|refresh_)?token)(?:["']|\\")?\s*[:=]\s*)"""
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\"[^"]*\\"|[^"'\s,;}&)]+)""",
    re.IGNORECASE,
)
"""A name and its value, the way Python, JSON, JSON within JSON, forms and headers write them."""
_IN_ADDRESS = re.compile(r"(\w+://)[^\s/@'\"]+@")


def redact(text: str) -> str:
    """Libraries log whole packets, errors quote whole addresses, and a traceback shows what a call was given."""
    text = _JWT.sub("[token]", text)
    text = _BEARER.sub(r"\1[token]", text)
    text = _NAMED.sub(r"\1[secret]", text)
    return _IN_ADDRESS.sub(r"\1[secret]@", text)
