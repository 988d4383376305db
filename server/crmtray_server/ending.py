"""How a command ends: with what sentence, and that it ends at all."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress

from . import logs
from .config import SettingsError


class Failure(Exception):
    """What the person at the terminal can mend: one sentence."""


def leave(code: int) -> None:
    """`sys.exit`, but for threads that wait for a database which may never answer: the interpreter would wait too."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if any(not thread.daemon for thread in others):
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def explain(error: Exception) -> list[str]:
    """The lines to print: of the user's world one that says what to do, of ours one that says how to see more."""
    from sqlalchemy.exc import SQLAlchemyError

    from .crm.engine import CrmDatabaseError
    from .crm.orders import CrmUnavailable
    from .store.backup import BackupError
    from .store.database import StoreUnavailable
    from .store.migrate import SchemaError

    if isinstance(error, SettingsError):
        return str(error).splitlines()
    if isinstance(error, SQLAlchemyError):
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return [logs.redact(f"the database cannot be used: {reason}")]
    if isinstance(error, OSError) and error.filename:
        return [f"{error.filename}: {(error.strerror or type(error).__name__).lower()}"]
    if isinstance(
        error, (Failure, BackupError, CrmDatabaseError, CrmUnavailable, OSError, SchemaError, StoreUnavailable)
    ):
        return [logs.redact(str(error))]
    logging.getLogger(__name__).debug("unexpected", exc_info=error)
    return [f"unexpected {type(error).__name__}: {logs.redact(str(error))} (run again with --debug for the traceback)"]
