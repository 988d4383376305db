"""What Qt itself says goes into our log, under its own category.

Owns the way from Qt's message handler to `logging`. Whether a record is then written is the affair of `log_file`.
"""

from __future__ import annotations

import atexit
import logging

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

from ..log_file import QT

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
MOST_KEPT = 500
_said: set[tuple[str, str]] = set()


def log_qt_messages() -> None:
    qInstallMessageHandler(_heard)
    # Python ends before Qt does.
    atexit.register(qInstallMessageHandler, None)


def _heard(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    """The same words are written once in a run: some come with every paint, or with every question of a screen reader,
    and would push everything else out of the file."""
    category = context.category or "default"
    if (category, message) in _said:
        return
    if len(_said) < MOST_KEPT:
        _said.add((category, message))
    logging.getLogger(logger_name(category)).log(_LEVELS.get(kind, logging.WARNING), "%s", message)


def logger_name(category: str) -> str:
    return category if category == QT or category.startswith(f"{QT}.") else f"{QT}.{category}"
