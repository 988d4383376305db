"""The CRM as detection reads it: rows of a database that is not ours, made into plain values.

Owns reading: transactions, streams, parameters, and warnings about rows that cannot be read. Decides nothing about
alerts and writes nothing. Blocking: called from a worker thread.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from sqlalchemy.engine import Engine, RowMapping

from ..config import Settings
from .queries import (
    COLUMNS,
    PARAMETERS,
    QUERY_MILLISECONDS,
    CrmError,
    CrmMissing,
    Dialect,
    Statement,
    check_columns,
    crm_error,
    statements,
)
from .rows import (
    OVER,
    Conversation,
    CrmUser,
    FollowUp,
    Lead,
    SellerMetrics,
    full_name,
    json_id,
    notes_of,
    number_of,
    one_line,
    parse_moment,
    plain,
    text_id,
)

log = logging.getLogger(__name__)

ROWS: Final = 1000
"""Rows held at a time while a long answer is read."""
CHUNK: Final = 500
"""Ids in one IN list."""


class _BadId(Exception):
    """An id of another form than this CRM's."""


class CrmSource:
    """Reads one CRM. Every method raises CrmError when it cannot; no method keeps a transaction open after it."""

    def __init__(self, engine: Engine, settings: Settings, mapping: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self._engine = engine
        self._timezones: dict[str, str] = {}
        self._sqlite = engine.dialect.name == "sqlite"
        self._statements = statements(cast(Dialect, engine.dialect.name), mapping)
        self._warned: set[str] = set()

    def users(self) -> list[CrmUser]:
        return [_user(row) for row in self._stream("users", {})]

    def timezones(self) -> dict[str, str]:
        """Time zone names by tenant; empty when the CRM keeps none, and then all days are UTC days."""
        try:
            rows = list(self._stream("timezones", {}))
            self._timezones = {text_id(row["tenant_id"]): plain(row["timezone"]) for row in rows}
        except CrmMissing as error:
            self._warn_once("timezones", f"{error} Until then days begin at midnight UTC.")
            self._timezones = {}
        return self._timezones

    def timezone(self, tenant_id: str) -> str | None:
        """As `timezones` read it last; asks nothing."""
        return self._timezones.get(tenant_id)

    def zones(self) -> dict[str, tzinfo]:
        """As `timezones`, ready for use; a name that is not one counts as UTC."""
        return {tenant: self._zone(tenant, name) for tenant, name in self.timezones().items()}

    def pending_conversations(self, ids: Sequence[str] | None = None) -> Iterator[Conversation]:
        """All that wait for a seller, whatever their age; with `ids` those of them that still do."""
        return map(self._conversation, self._rows("unanswered_conversations", {}, ids))

    def last_answers(self, ids: Sequence[str]) -> dict[str, datetime] | None:
        """When a seller last wrote, by conversation. None when the CRM has no messages table of the known form."""
        try:
            rows = list(self._by_ids("answers", {}, ids))
        except CrmMissing as error:
            self._warn_once("answers", f"{error} Answers between two readings cannot be seen without it.")
            return None
        seconds = {text_id(row["conversation_id"]): number_of(row["answered_at"]) for row in rows}
        return {id: datetime.fromtimestamp(value, UTC) for id, value in seconds.items() if value is not None}

    def lead_candidates(self, recent: datetime, min_points: float, area_points: int) -> Iterator[Lead]:
        """Open leads that can reach `min_points`, whatever their messages say."""
        parameters = {"recent": recent, "min_points": min_points, "area_points": area_points}
        return map(self._lead, self._stream("lead_candidates", parameters))

    def leads(self, ids: Sequence[str]) -> Iterator[Lead]:
        """These leads, whether they are likely to reach anything or not."""
        everything = {"recent": datetime(1970, 1, 1, tzinfo=UTC), "min_points": 0.0, "area_points": 0}
        return map(self._lead, self._by_ids("lead_candidates", everything, ids))

    def lead_messages(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """What each lead's customer wrote: the last ten messages, oldest first."""
        found: dict[str, list[tuple[datetime, str]]] = {}
        for row in self._by_ids("lead_messages", {}, ids):
            lead = text_id(row["lead_id"])
            written = self._moment(row["created_at"], "created_at", "a message of lead", lead)
            if written is not None:
                found.setdefault(lead, []).append((written, str(row["body"] or "")))
        # Sorted here: a narrowed query need not keep the order of the one inside. The sort keeps ties as they came.
        return {lead: [body for _, body in sorted(rows, key=_written)[-10:]] for lead, rows in found.items()}

    def followups(self, until: datetime) -> Iterator[FollowUp]:
        """Open, assigned leads whose next follow-up is at `until` or before."""
        return map(self._followup, self._stream("followups", {"until": until}))

    def followups_of(self, ids: Sequence[str], until: datetime) -> Iterator[FollowUp]:
        """As `followups`, of these leads only; the date may be any."""
        return map(self._followup, self._by_ids("followups", {"until": until}, ids))

    def seller_metrics(
        self, now: datetime, unanswered_after: timedelta, zones: Mapping[str, tzinfo]
    ) -> Iterator[SellerMetrics]:
        """Every active user's figures of the tenant's today: one query for each time zone in use."""
        strangers = False
        for zone in sorted(set(zones.values()) or {UTC}, key=str):
            for metrics in self._metrics(now, unanswered_after, zone):
                strangers = strangers or metrics.tenant_id not in zones
                if zones.get(metrics.tenant_id) == zone:
                    yield metrics
        if strangers:  # of a tenant without a time zone
            for metrics in self._metrics(now, unanswered_after, UTC):
                if metrics.tenant_id not in zones:
                    yield metrics

    def _metrics(self, now: datetime, unanswered_after: timedelta, zone: tzinfo) -> Iterator[SellerMetrics]:
        day = now.astimezone(zone).date()
        day_start = datetime.combine(day, datetime.min.time(), zone)
        parameters = {"day_start": day_start, "unanswered_before": now - unanswered_after}
        for row in self._stream("seller_metrics", parameters):
            yield _metrics(row, day)

    def check(self, now: datetime) -> dict[str, str]:
        """Runs every query once: by name "ok", or the sentence that says what is wrong."""
        values: dict[str, Any] = {name: now for name in ("recent", "until", "day_start", "unanswered_before")}
        values |= {"min_points": 0.0, "area_points": 0}
        return {
            name: self._try(name, {key: values[key] for key in PARAMETERS[name] if key != "ids"}) for name in COLUMNS
        }

    def _try(self, name: str, parameters: dict[str, Any]) -> str:
        try:
            rows = self._run(self._statements[name], by_ids=["0"] if "ids" in PARAMETERS[name] else None, **parameters)
            next(rows, None)
        except CrmError as error:
            return str(error)
        except _BadId:
            return "ok"
        return "ok"

    # --- rows ------------------------------------------------------------------------------------------------------

    def _conversation(self, row: RowMapping) -> Conversation:
        id, seller = text_id(row["conversation_id"]), row["seller_id"]
        answer = row.get("last_answer_time")
        return Conversation(
            id=id,
            tenant_id=text_id(row["tenant_id"]),
            phone_number=one_line(row["phone_number"]),
            seller_id=text_id(seller),
            seller_ref=json_id(seller),
            seller_name=one_line(row["seller_name"]),
            last_message_time=self._moment(row["last_message_time"], "last_message_time", "conversation", id),
            last_answer=self._moment(answer, "last_answer_time", "conversation", id),
        )

    def _lead(self, row: RowMapping) -> Lead:
        id, seller = text_id(row["lead_id"]), row["seller_id"]
        return Lead(
            id=id,
            tenant_id=text_id(row["tenant_id"]),
            name=full_name(row, f"Lead {id}"),
            phone_number=one_line(row["phone_number"]),
            source=plain(row["source"]),
            location=plain(row["location"]),
            over=row["converted_at"] is not None or plain(row["status"]).lower() in OVER,
            seller_id=None if seller is None else text_id(seller),
            estimated_value=number_of(row["estimated_value"]),
            message_count=int(row["message_count"] or 0),
            last_message_time=self._moment(row["last_message_time"], "last_message_time", "lead", id),
        )

    def _followup(self, row: RowMapping) -> FollowUp:
        id = text_id(row["lead_id"])
        return FollowUp(
            lead_id=id,
            tenant_id=text_id(row["tenant_id"]),
            lead_name=full_name(row, f"Lead {id}"),
            status=plain(row["status"]),
            seller_id=text_id(row["seller_id"]),
            seller_ref=json_id(row["seller_id"]),
            at=self._moment(row["next_follow_up"], "next_follow_up", "lead", id),
            notes=notes_of(row["notes"]),
        )

    def _moment(self, value: object, column: str, what: str, id: str) -> datetime | None:
        if value is None:
            return None
        try:
            return parse_moment(value)
        except ValueError:
            sentence = f"{what} {id}: {column} {value!r} is not a time; the row is left out"
            self._warn_once(f"{what} {id} {column}", sentence)
            return None

    def _zone(self, tenant: str, name: str) -> tzinfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._warn_once(
                f"zone {tenant} {name}", f"tenant {tenant}: {name!r} is not a time zone; its days are UTC days"
            )
            return UTC

    def _warn_once(self, about: str, sentence: str) -> None:
        if about not in self._warned and len(self._warned) < 10_000:
            self._warned.add(about)
            log.warning("%s", sentence)

    # --- running ---------------------------------------------------------------------------------------------------

    def _rows(self, name: str, parameters: dict[str, Any], ids: Sequence[str] | None) -> Iterator[RowMapping]:
        return self._stream(name, parameters) if ids is None else self._by_ids(name, parameters, ids)

    def _stream(self, name: str, parameters: dict[str, Any]) -> Iterator[RowMapping]:
        return self._run(self._statements[name], None, **parameters)

    def _by_ids(self, name: str, parameters: dict[str, Any], ids: Sequence[str]) -> Iterator[RowMapping]:
        for start in range(0, len(ids), CHUNK):
            yield from self._one_chunk(self._statements[name], parameters, ids[start : start + CHUNK])

    def _one_chunk(self, statement: Statement, parameters: dict[str, Any], ids: Sequence[str]) -> Iterator[RowMapping]:
        """An id that cannot be one of this CRM's (remembered from another database) has no row; the others have."""
        try:
            yield from list(self._run(statement, ids, **parameters))
        except _BadId:
            if len(ids) > 1:
                middle = len(ids) // 2
                yield from self._one_chunk(statement, parameters, ids[:middle])
                yield from self._one_chunk(statement, parameters, ids[middle:])

    def _run(self, statement: Statement, by_ids: Sequence[str] | None, **parameters: Any) -> Iterator[RowMapping]:
        clause = sa.text(statement.text if by_ids is None else statement.by_ids)
        values = {key: self._parameter(value) for key, value in parameters.items() if f":{key}" in clause.text}
        if by_ids is not None:
            clause = clause.bindparams(sa.bindparam("ids", expanding=True))
            values["ids"] = self._id_values(by_ids)
        try:
            with self._engine.connect() as connection:
                if not self._sqlite:
                    connection.exec_driver_sql(_POSTGRES_SESSION)
                with connection.execution_options(yield_per=ROWS).execute(clause, values) as result:
                    check_columns(statement, set(result.keys()))
                    yield from result.mappings()
        except sa.exc.DataError as error:
            if by_ids is not None:
                raise _BadId from error
            raise crm_error(error, statement) from error
        except sa.exc.SQLAlchemyError as error:
            raise crm_error(error, statement) from error

    def _parameter(self, value: Any) -> Any:
        if isinstance(value, datetime) and self._sqlite:
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
        return value

    def _id_values(self, ids: Sequence[str]) -> list[Any]:
        """PostgreSQL makes of a quoted value what the column is; SQLite only where the column declares a type."""
        return [*ids, *(int(id) for id in ids if id.isdecimal() and len(id) < 19)] if self._sqlite else list(ids)


# What stands in a column without a time zone is UTC, and no question may hold the CRM's database for long.
_POSTGRES_SESSION: Final = (
    f"SELECT set_config('TimeZone', 'UTC', true), set_config('statement_timeout', '{QUERY_MILLISECONDS}', true)"
)


def _written(message: tuple[datetime, str]) -> datetime:
    return message[0]


def _user(row: RowMapping) -> CrmUser:
    active = row["active"]
    return CrmUser(
        user_id=text_id(row["user_id"]),
        tenant_id=text_id(row["tenant_id"]),
        name=one_line(row["name"]),
        email=plain(row["email"]),
        role=plain(row["role"]).lower(),
        active=active.strip().lower() in ("1", "t", "true") if isinstance(active, str) else bool(active),
    )


def _metrics(row: RowMapping, day: date) -> SellerMetrics:
    return SellerMetrics(
        tenant_id=text_id(row["tenant_id"]),
        seller_id=text_id(row["seller_id"]),
        seller_ref=json_id(row["seller_id"]),
        seller_name=one_line(row["seller_name"]),
        day=day,
        avg_response_time_minutes=number_of(row["avg_response_time_minutes"]),
        unanswered_conversations=int(row["unanswered_conversations"] or 0),
        conversion_rate=number_of(row["conversion_rate"]),
        leads_generated=int(row["leads_generated"] or 0),
    )
