"""Faults of ours: each leaves a report beside the log, and the next start can say so.

Whatever nobody caught is logged with its traceback: in Qt slots and at the top (`sys.excepthook`), in threads, in
destructors, in tasks (by whoever keeps them, or by the loop). A handler makes a report of every such record; native
crashes are written by `faulthandler` and become a report at the next start. A report holds no secret, and is sent
nowhere. It must not know about Qt.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import os
import platform
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from . import __version__, log_file
from .redaction import redact

log = logging.getLogger(__name__)

KEPT = 5
MOST_AT_ONCE = 3
"""In one run: a fault that comes with every turn of a timer must not push the first one out."""
OURS = ("crmtray", "asyncio", "qasync")
LIBRARIES = ("PySide6-Essentials", "qasync", "python-socketio", "aiohttp", "keyring", "desktop-notifier")


def _now() -> datetime:
    return datetime.now(UTC)


class Reports:
    """Those of one profile: `crmtray.crash-20260301T120000Z.txt` beside `crmtray.log`."""

    def __init__(self, log_path: Path, *, clock: Callable[[], datetime] = _now) -> None:
        self._log, self._clock = log_path, clock
        self._folder, self._stem = log_path.parent, log_path.stem
        self._told = self._folder / f"{self._stem}.crashes-told"
        self._native = self._folder / f"{self._stem}.native-crash"

    def all(self) -> list[Path]:
        """Oldest first."""
        return sorted(self._folder.glob(f"{self._stem}.crash-*.txt"))

    def write(self, what: str, lines: Sequence[str]) -> Path | None:
        """None: not even that could be written."""
        path = self._new_path()
        try:
            self._put(path, redact(report(what, lines, self._clock())))
            for old in self.all()[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("no crash report could be written: %s", error)
            return None
        return path

    def untold(self) -> Path | None:
        """The newest report, when nobody was told of it yet. Telling counts as done with the question."""
        newest = max((path.name for path in self.all()), default="")
        try:
            told = self._told.read_text(encoding="utf-8") if self._told.exists() else ""
            if newest <= told:
                return None
            self._put(self._told, newest)
        except OSError as error:
            log.info("whether a crash was told of is not known: %s", error)
            return None
        return self._folder / newest

    def open_native(self) -> io.FileIO | None:
        """Where a native crash is to be written. What one has left there before becomes a report."""
        with contextlib.suppress(OSError):
            left = self._native.read_text(encoding="utf-8", errors="replace") if self._native.exists() else ""
            if left:
                self._native.unlink()
                self.write(left, log_file.tail(self._log))
            return io.FileIO(self._native, "a", opener=_private)
        return None

    def _new_path(self) -> Path:
        stamp = f"{self._clock():%Y%m%dT%H%M%S.%fZ}"
        return self._folder / f"{self._stem}.crash-{stamp}.txt"

    def _put(self, path: Path, text: str) -> None:
        with open(path, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def report(what: str, lines: Sequence[str], now: datetime) -> str:
    return "\n".join([*surroundings(now), "", what.rstrip(), "", f"The last {len(lines)} log lines:", *lines, ""])


def surroundings(now: datetime) -> list[str]:
    """What we would ask first. Nothing about the person or the machine's name."""
    return [
        f"crmtray {__version__} at {now:%Y-%m-%d %H:%M:%S} UTC",
        f"{platform.system()} {platform.release()} {platform.machine()}, {_distribution()}",
        f"Python {platform.python_version()}, {', '.join(_libraries())}",
        f"desktop: {os.environ.get('XDG_CURRENT_DESKTOP') or '-'}, {os.environ.get('XDG_SESSION_TYPE') or '-'}",
    ]


def _distribution() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release().get("PRETTY_NAME", "-")
    return platform.version()


def _libraries() -> list[str]:
    from importlib import metadata  # only a report needs it, and a start does not wait for it

    found = []
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return found


# --- catching ----------------------------------------------------------------------------------------------------


class _Reporter(logging.Handler):
    """Makes a report of every record that is a fault, once for each place in the code."""

    def __init__(self, reports: Reports) -> None:
        super().__init__(logging.ERROR)
        self.setFormatter(log_file.LineFormatter())
        self._reports, self._places = reports, set[tuple[str, str, int]]()

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not record.name.startswith(OURS) or len(self._places) >= MOST_AT_ONCE:
            return
        place = _place(error)
        if place not in self._places:
            self._places.add(place)
            self._reports.write(self.format(record), log_file.recent.lines())


def _place(error: BaseException) -> tuple[str, str, int]:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return type(error).__name__, *where


def catch_faults() -> None:
    """From now on nothing that nobody caught goes unseen, and no slot's fault ends the program."""
    sys.excepthook = _fault
    threading.excepthook = _fault_in_thread
    sys.unraisablehook = _fault_unraisable


def write_reports(log_path: Path) -> Reports:
    """Reports for what `catch_faults` and everybody else logs, and for native crashes."""
    reports = Reports(log_path)
    logging.getLogger().addHandler(_Reporter(reports))
    native = reports.open_native()
    if native is not None:
        faulthandler.enable(native)
    return reports


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("a fault of crmtray", exc_info=(kind, error, trace))


def _fault_in_thread(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_value is not None and not isinstance(fault.exc_value, SystemExit):
        name = fault.thread.name if fault.thread is not None else "?"
        given = (fault.exc_type, fault.exc_value, fault.exc_traceback)
        log.critical("a fault of crmtray in the thread %s", name, exc_info=given)


def _fault_unraisable(fault: sys.UnraisableHookArgs) -> None:
    if fault.exc_value is not None:
        given = (fault.exc_type, fault.exc_value, fault.exc_traceback)
        log.error("%s: %r", fault.err_msg or "ignored", fault.object, exc_info=given)
