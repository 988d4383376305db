"""Where log lines go: to stderr, to a file that is rotated, and the last ones into memory, for a crash report.

Owns the form of a line and that no secret is in one. What a line says is the affair of whoever logs; the text of an
alert does not belong in it, because the log stays when somebody signs out.
"""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
from collections import deque
from pathlib import Path
from typing import TextIO, cast

from .redaction import redact

MAX_BYTES, OLD_FILES = 1_000_000, 3
QT = "qt"
"""The logger over everything that Qt says."""
KEPT_LINES = 50


class LineFormatter(logging.Formatter):
    """One line a record, so that text from outside cannot forge another; tracebacks follow it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class RecentLines(logging.Handler):
    """The last lines, whatever becomes of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

    def lines(self) -> list[str]:
        return list(self._lines)


class _File(logging.handlers.RotatingFileHandler):
    """Readable by this account only. A full disk must not end the alerts, nor fill the terminal."""

    def _open(self) -> io.TextIOWrapper:
        file = open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)  # noqa: SIM115
        return cast(io.TextIOWrapper, file)

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


recent = RecentLines()


def log_to_stderr(level: str) -> None:
    """Programs of a desktop may have no stderr: then only the rest of it."""
    logging.getLogger().setLevel(level)
    _quieten_libraries(level)
    if recent not in logging.getLogger().handlers:
        _add(recent)
        if sys.stderr is not None:
            _add(_terminal(sys.stderr))


def _terminal(stream: TextIO) -> logging.Handler:
    """Without Qt's own words, which nobody who reads them there can do anything about, but for the last one: after
    that Qt ends the process."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: record.levelno >= logging.CRITICAL or record.name.split(".")[0] != QT)
    return handler


def log_to_file(path: Path) -> bool:
    """False: it cannot be written, and the program goes on without."""
    try:
        _add(_File(path, maxBytes=MAX_BYTES, backupCount=OLD_FILES, encoding="utf-8"))
    except OSError as error:
        logging.getLogger(__name__).warning("no log file: %s", error)
        return False
    return True


def _add(handler: logging.Handler) -> None:
    handler.setFormatter(LineFormatter())
    logging.getLogger().addHandler(handler)


def _quieten_libraries(level: str) -> None:
    """Told before they are imported: left alone they print to stderr past our formatter, and they print whole packets,
    which are other people's messages."""
    debug = level == "DEBUG"
    logging.getLogger("engineio.client").setLevel(logging.WARNING if debug else logging.ERROR)
    logging.getLogger("socketio.client").setLevel(logging.INFO if debug else logging.ERROR)
    for name in ("asyncio", "qasync", "keyring", "dbus_fast"):
        logging.getLogger(name).setLevel(logging.WARNING)


def tail(path: Path, lines: int = KEPT_LINES) -> list[str]:
    """The last lines of a log file, without what an older version may have let through."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 500 * lines))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return redact(text).splitlines()[-lines:]
