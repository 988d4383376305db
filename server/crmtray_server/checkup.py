"""Is everything this server needs there? One line for each part: "ok", or what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from .app import open_source
from .config import Settings, SettingsError
from .crm.engine import CrmDatabaseError, crm_engine
from .crm.writer import CrmWriter
from .inbox import utc_now
from .store import migrate
from .store.database import make_engine

OK = "ok"


def check(settings: Settings) -> Iterator[tuple[str, str]]:
    """Parts and their sentences, as they are found. Changes nothing, but makes the file of a SQLite store."""
    yield "store", _store(settings)
    yield from _crm(settings)


def _store(settings: Settings) -> str:
    engine = make_engine(settings.database_url)
    try:
        if not migrate.is_current(engine):
            return "the schema is not up to date; run `crmtray-server migrate` (`serve` does it too)"
    except sa.exc.SQLAlchemyError as error:
        return f"cannot be used: {_reason(error)}. Correct DATABASE_URL, or start the database"
    finally:
        engine.dispose()
    return OK


def _crm(settings: Settings) -> Iterator[tuple[str, str]]:
    if not settings.crm_database_url:
        yield "crm", "CRM_DATABASE_URL is not set: nothing will be detected"
        return
    try:
        engine = crm_engine(settings.crm_database_url, read_only=True)
        source = open_source(settings, engine)
    except (CrmDatabaseError, SettingsError) as error:
        yield "crm", str(error)
        return
    for query, sentence in source.check(utc_now()).items():
        yield f"crm {query}", sentence
    if settings.crm_actions == "sql":
        yield "crm actions", _actions(engine)
    engine.dispose()


def _actions(engine: Engine) -> str:
    try:
        missing = CrmWriter(engine).missing_columns()
    except sa.exc.SQLAlchemyError as error:
        return f"cannot be looked at: {_reason(error)}"
    if missing:
        return f"buttons cannot change {', '.join(missing)}: no such table or column. Set CRM_ACTIONS=off, or add them"
    return OK


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
