"""What this program calls itself when it talks to a server: for the people who run it, and for receipts by device.

Owns the two forms; the server takes them apart again. Tells nothing but program, version, system and host name.
"""

from __future__ import annotations

import functools
import platform

from . import __version__

LONGEST = 100


@functools.cache
def client() -> str:
    """`crmtray 0.1.0 Linux`"""
    return f"crmtray {__version__} {platform.system()}".strip()


@functools.cache
def device() -> str:
    """The host name; empty when the system has none."""
    name = "".join(letter for letter in platform.node() if letter.isprintable())
    return name[:LONGEST].strip()


@functools.cache
def user_agent() -> str:
    """`crmtray/0.1.0 (Linux; ana-laptop)`: a header takes ASCII, and these signs are its own."""
    name = "".join(letter if letter.isascii() and letter not in "();" else "-" for letter in device())
    return f"crmtray/{__version__} ({platform.system() or 'unknown'}; {name or 'unknown'})"
