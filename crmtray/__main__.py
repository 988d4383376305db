"""`crmtray`: the tray app in the forms desktops start it with, else one of its commands.

Owns how a failure is told in a terminal, and nothing else. It imports the library of the command line only for what
needs it: see `start`.
"""

from __future__ import annotations

import importlib
import io
import sys

from . import start
from .failure import Failure


def main() -> None:
    if getattr(sys, "frozen", False) and sys.argv[1:2] == ["server"]:
        # A bundle is both programs. By name, because the client does not know the server otherwise.
        del sys.argv[1]
        importlib.import_module("crmtray_server.__main__").main()
        return
    _speak_utf8()
    try:
        _run()
    except Exception as error:
        if "--debug" in sys.argv[1:]:
            raise
        known = isinstance(error, Failure | ValueError) and not isinstance(error, UnicodeError)
        print(f"crmtray: {error if known else repr(error)}", file=sys.stderr)
        if not known:
            print("This is a fault of crmtray; `--debug` shows where.", file=sys.stderr)
        sys.exit(1)


def _run() -> None:
    asked = start.understood(sys.argv[1:])
    if asked is None:
        from .command_line import app

        app(prog_name="crmtray")
        return
    try:
        sys.exit(asked.run())
    except KeyboardInterrupt:
        sys.exit(1)


def _speak_utf8() -> None:
    """What goes into a pipe or a file is UTF-8 everywhere; a terminal that lacks a character shows a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")


if __name__ == "__main__":
    main()
