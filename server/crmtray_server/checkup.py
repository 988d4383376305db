"""Is everything this server needs there? One line for each part: "ok", or what is wrong and how to mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from . import smtp
from .app import NO_REDIS_PACKAGE, mail_sender, open_source
from .config import Settings, SettingsError
from .crm import indexes
from .crm.engine import CrmDatabaseError, crm_engine
from .crm.queries import CrmError
from .crm.reference import Dialect
from .crm.source import CrmSource
from .crm.writer import CHANGED, CrmWriter
from .inbox import utc_now
from .outbound import Outbound, OutboundError
from .store import migrate, mirror
from .store.database import make_engine

OK = "ok"
"""Also the beginning of a sentence that gives advice: `ok, but …`."""
SLOW_SECONDS = 10.0
"""A query that takes longer makes every reading late."""
NO_CRM = "nothing is detected: set CRM_DATABASE_URL, or let the CRM push what happens (docs/push.md)"


def check(settings: Settings) -> Iterator[tuple[str, str]]:
    """Parts and their sentences, as they are found. Changes nothing, but makes the file of a SQLite store."""
    yield "store", _store(settings)
    yield from _crm(settings)
    if settings.crm_actions not in ("off", "sql"):
        yield "crm actions", _reachable(settings, "CRM_ACTIONS", settings.crm_actions)
    if settings.crm_login_url is not None:
        yield "crm login", _reachable(settings, "CRM_LOGIN_URL", settings.crm_login_url)
    if settings.smtp_url is not None:
        yield "smtp", _smtp(settings, settings.smtp_url.get_secret_value())
    if settings.redis_url is not None:
        yield "redis", _redis(settings.redis_url.get_secret_value())


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


def _smtp(settings: Settings, url: str) -> str:
    """As far as a mail would get before it is handed over: connection, TLS, login."""
    try:
        mail_sender(settings)
        asyncio.run(smtp.probe(smtp.mail_server(url)))
    except SettingsError as error:
        return str(error)
    except smtp.Unreachable as error:
        return f"{error}. Correct SMTP_URL, or look after the mail server" if not error.permanent else str(error)
    return OK


def _redis(url: str) -> str:
    """All that the server does with it: what one node publishes is heard, and failed logins can be counted."""
    try:
        from . import redis_counts, redis_server
    except ImportError:
        return NO_REDIS_PACKAGE
    try:
        asyncio.run(redis_server.probe(url, redis_counts.every_command()))
    except redis_server.Wrong as error:
        return str(error)
    return OK


def _crm(settings: Settings) -> Iterator[tuple[str, str]]:
    if not settings.crm_database_url:
        yield "crm", OK if _is_pushed(settings) else NO_CRM
        return
    try:
        engine = crm_engine(settings.crm_database_url, read_only=True)
    except CrmDatabaseError as error:
        yield "crm", str(error)
        return
    try:
        yield from _readable(settings, engine)
    finally:
        engine.dispose()


def _is_pushed(settings: Settings) -> bool:
    """Whether a CRM that cannot be read has told of anything."""
    engine = make_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            return bool(mirror.tenants(connection))
    except sa.exc.SQLAlchemyError:
        return False  # what is wrong with the store is another line
    finally:
        engine.dispose()


def _readable(settings: Settings, engine: Engine) -> Iterator[tuple[str, str]]:
    try:
        source = open_source(settings, engine)
        source.connect()
    except (CrmError, SettingsError) as error:
        yield "crm", str(error)
        return
    for query in source.checked():
        yield f"crm {query}", _query(source, query)
    yield "crm indexes", _indexes(settings, engine)
    if settings.crm_actions == "sql":
        yield "crm actions", _actions(engine)


def _query(source: CrmSource, name: str) -> str:
    begun = monotonic()
    sentence = source.check_query(name, utc_now())
    seconds = monotonic() - begun
    if sentence == OK and seconds > SLOW_SECONDS:
        return (
            f"The query {name} is right, but took {seconds:.0f} s, which makes alerts late; "
            "give the CRM's database the indexes that docs/detection.md names."
        )
    return sentence


def _indexes(settings: Settings, engine: Engine) -> str:
    """Only advice: a small CRM is read well without. Nothing is made: the database is its owner's."""
    if settings.crm_mapping:
        return f"{OK}, not looked for: CRM_MAPPING may read other tables (docs/mapping.md, Speed)"
    try:
        lacking = indexes.lacking(engine)
    except sa.exc.SQLAlchemyError as error:
        return f"{OK}, cannot be looked for: {_reason(error)}"
    if not lacking:
        return OK
    dialect: Dialect = "sqlite" if engine.dialect.name == "sqlite" else "postgresql"
    advice = "; ".join(_advice(dialect, *one) for one in lacking)
    return f"{OK}, but a big CRM is read slowly without these (packaging/crm/indexes-{dialect}.sql): {advice}"


def _advice(dialect: Dialect, wanted: indexes.Wanted, state: indexes.State, name: str) -> str:
    if state == "invalid":
        return f"the index {name} is not valid: DROP INDEX CONCURRENTLY {name}, then {wanted.sql(dialect)}"
    return wanted.sql(dialect)


def _actions(engine: Engine) -> str:
    try:
        missing = CrmWriter(engine).missing_columns()
    except sa.exc.SQLAlchemyError as error:
        return f"cannot be looked at: {_reason(error)}"
    if missing:
        return (
            f"CRM_ACTIONS=sql changes the reference tables, and this CRM has no {', '.join(_short(missing))}; set "
            "CRM_ACTIONS to the address of a webhook that makes the changes (docs/actions.md), or to off."
        )
    return OK


def _reachable(settings: Settings, name: str, url: str) -> str:
    """Whether somebody answers at an address that is only used when a person presses a button or signs in."""
    try:
        asyncio.run(Outbound(settings.crm_private_hosts).reach(url))
    except OutboundError as error:
        return f"{error}. Correct {name}, or see why that address does not answer"
    return OK


def _short(missing: list[str]) -> Iterator[str]:
    """A table of which nothing is there is named once."""
    for table, columns in CHANGED.items():
        gone = [column for column in columns if f"{table}.{column}" in missing]
        if len(gone) == len(columns):
            yield f"table {table}"
        else:
            yield from (f"column {table}.{column}" for column in gone)


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
