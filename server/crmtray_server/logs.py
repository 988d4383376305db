"""Where log lines go and what never stands in them."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime

import orjson

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_SECRET = re.compile(r"""(["']?(?:password|refresh_token|access_token)["']?\s*[:=]\s*["']?)[^"',\s}]+""", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(\w+://[^/\s:@]+:)[^@\s/]+@")


def redact(text: str) -> str:
    """Without tokens and passwords. Libraries log whole packets, and drivers whole addresses."""
    text = _TOKEN.sub("[token]", text)
    text = _SECRET.sub(r"\1[secret]", text)
    return _URL_PASSWORD.sub(r"\1[secret]@", text)


class TextFormatter(logging.Formatter):
    """One line a record, so that text from outside cannot forge another; tracebacks follow it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for collectors."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _text(redact(record.getMessage())),
        }
        if record.exc_info:
            line["traceback"] = _text(redact(self.formatException(record.exc_info)))
        return orjson.dumps(line).decode()


def _text(text: str) -> str:
    """JSON takes no halves of characters, which addresses of requests may have."""
    return text.encode("utf-8", "backslashreplace").decode()


def not_http(record: logging.LogRecord) -> bool:
    """Passes on everything; what was not HTTP at all, which anyone can send, is one line and no traceback."""
    from aiohttp.http_exceptions import HttpProcessingError

    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        said = " ".join(error.message.split())[:200]
        record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
        record.msg, record.args = "a request was not HTTP: %s", (said,)
    return True


def configure(level: str, form: str) -> None:
    """Logs to stderr. DEBUG also opens the Socket.IO libraries' own loggers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(not_http)
    for name in ("socketio", "engineio", "aiohttp.access", "alembic", "asyncio"):
        logging.getLogger(name).setLevel("DEBUG" if level == "DEBUG" else "WARNING")
