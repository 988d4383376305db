"""The CRM as detection reads it: rows of a database that is not ours, made into plain values.

Owns the questions and their answers' shapes; how they are asked is reading's. Decides nothing about alerts and writes
nothing. Blocking: called from a worker thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice
from operator import attrgetter
from typing import Any, Final, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from sqlalchemy.engine import Engine, RowMapping

from ..config import Settings
from ..events import Concern
from . import rows as shapes
from .queries import COLUMNS, OPTIONAL, PARAMETERS, CrmError, CrmMissing, Statement, crm_error, wrong_value
from .reading import CHUNK, ROWS, BadId, Reading
from .rows import Conversation, CrmUser, Doubt, FollowUp, Lead, SellerMetrics, Unreadable, number_of, text_id
from .schema import ROLES

log = logging.getLogger(__name__)

NO_LEADS: Final[list[Any]] = [None]
"""Fits a column of any kind, and is nobody's id."""

T = TypeVar("T")
Ref = tuple[str, str]
"""Tenant and id."""


class CrmSource(Reading):
    """Reads one CRM. Every method raises CrmError when it cannot; no method keeps a transaction open after it."""

    def __init__(self, engine: Engine, settings: Settings, mapping: Mapping[str, str] | None = None) -> None:
        super().__init__(engine, mapping)
        self.settings = settings
        self._timezones: dict[str, str] = {}

    def prepare(self, now: datetime) -> None:
        """Called before each look at the CRM; what is read then is read as of `now`."""

    def users(self) -> list[CrmUser]:
        return list(self._each(shapes.user, self._stream("users", {})))

    def timezones(self) -> dict[str, str]:
        """Time zone names by tenant; empty when the CRM keeps none, and then all days are UTC days."""
        try:
            self._timezones = dict(self._each(shapes.zone_name, self._stream("timezones", {})))
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
        return self._each(shapes.conversation, self._rows("unanswered_conversations", {}, ids))

    def waiting(self, buckets: frozenset[str] | None = None) -> Generator[Conversation, None, None]:
        """All that wait for a seller, of these buckets, in the order of buckets; as the database shows them.

        Raises BucketsDiffer; from then on the order is made here.
        """
        rows = self._in_order("unanswered_conversations", {}, buckets)
        return self._ordered(self._each(shapes.conversation, rows), attrgetter("id"), buckets)

    def touched(self) -> Concern:
        """What is not as the database shows it: these are looked at by their ids."""
        return Concern()

    def last_answers(self, ids: Sequence[str]) -> dict[str, datetime] | None:
        """When a seller last wrote, by conversation. None when the CRM has no messages table of the known form."""
        try:
            rows = list(self._by_ids("answers", {}, ids))
        except CrmMissing as error:
            self._warn_once("answers", f"{error} Answers between two readings cannot be seen without it.")
            return None
        seconds = {text_id(row["conversation_id"]): number_of(row["answered_at"]) for row in rows}
        return {id: datetime.fromtimestamp(value, UTC) for id, value in seconds.items() if value is not None}

    def answers_to(self, pending: Sequence[Conversation]) -> dict[Ref, datetime]:
        """When a seller last wrote in each of these, as far as it is known."""
        found = self.last_answers([row.id for row in pending]) if pending else None
        return {(row.tenant_id, row.id): found[row.id] for row in pending if found and row.id in found}

    def leads_of(self, conversations: Sequence[str]) -> set[str]:
        """The leads that these conversations are with, as far as the reference tables tell."""
        try:
            return {text_id(row["lead_id"]) for row in self._by_ids("conversation_leads", {}, conversations)}
        except CrmMissing:
            return set()

    def lead_candidates(self, recent: datetime, min_points: float, area_points: int) -> Iterator[Lead]:
        """Open leads that can reach `min_points`, whatever their messages say."""
        parameters = {"recent": recent, "min_points": min_points, "area_points": area_points}
        return self._each(shapes.lead, self._stream("lead_candidates", parameters))

    def talking_leads(self, recent: datetime, min_points: float, area_points: int) -> Iterator[Lead] | None:
        """Those `lead_candidates` with whom somebody wrote since `recent`. None when a mapping says who they are."""
        if self._statements["lead_candidates"].mapped:
            return None
        parameters = {"recent": recent, "min_points": min_points, "area_points": area_points}
        statement = replace(self._statements["talking_leads"], name="lead_candidates")
        return self._each(shapes.lead, self._run(statement, None, **parameters))

    def leads(self, ids: Sequence[str]) -> Iterator[Lead]:
        """These leads, whether they are likely to reach anything or not."""
        everything = {"recent": datetime(1970, 1, 1, tzinfo=UTC), "min_points": 0.0, "area_points": 0}
        return self._each(shapes.lead, self._by_ids("lead_candidates", everything, ids))

    def lead_messages(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """What each lead's customer wrote: the last ten messages, oldest first."""
        found: dict[str, list[tuple[datetime, str]]] = {}
        for lead, written, body in self._each(shapes.message, self._by_ids("lead_messages", {}, ids)):
            found.setdefault(lead, []).append((written, body))
        # Sorted here: a narrowed query need not keep the order of the one inside. The sort keeps ties as they came.
        return {lead: [body for _, body in sorted(rows, key=_written)[-10:]] for lead, rows in found.items()}

    def messages_of(self, leads: Sequence[Lead]) -> dict[Ref, list[str]]:
        """As `lead_messages`, for leads of several tenants."""
        found = self.lead_messages([lead.id for lead in leads]) if leads else {}
        return {(lead.tenant_id, lead.id): found.get(lead.id, []) for lead in leads}

    def followups(self, until: datetime) -> Iterator[FollowUp]:
        """Open, assigned leads whose next follow-up is at `until` or before."""
        return self._each(shapes.followup, self._stream("followups", {"until": until}))

    def followups_of(self, ids: Sequence[str], until: datetime) -> Iterator[FollowUp]:
        """As `followups`, of these leads only; the date may be any."""
        return self._each(shapes.followup, self._by_ids("followups", {"until": until}, ids))

    def planned(self, until: datetime, buckets: frozenset[str] | None = None) -> Generator[FollowUp, None, None]:
        """As `followups`, of these buckets, in the order of buckets; as the database shows them."""
        rows = self._in_order("followups", {"until": until}, buckets)
        return self._ordered(self._each(shapes.followup, rows), attrgetter("lead_id"), buckets)

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
        day_start = _midnight(now, zone)
        parameters = {"day_start": day_start, "unanswered_before": now - unanswered_after}
        yield from self._each(
            lambda row, _: shapes.metrics(row, day_start.date()), self._stream("seller_metrics", parameters)
        )

    def connect(self) -> None:
        """Raises CrmError when the database cannot be reached."""
        try:
            with self._engine.connect():
                pass
        except sa.exc.SQLAlchemyError as error:
            raise crm_error(error, self._statements["users"]) from error

    def check(self, now: datetime) -> dict[str, str]:
        """Every query by name: "ok", or the sentence that says what is wrong."""
        return {name: self.check_query(name, now) for name in self.checked()}

    def checked(self) -> list[str]:
        """The names of the queries that a CRM must answer, and of those that its mapping gives."""
        return [name for name in COLUMNS if name not in OPTIONAL or self._statements[name].mapped]

    def check_query(self, name: str, now: datetime) -> str:
        """Reads the first rows as detection would: "ok", or the sentence that says what is wrong."""
        statement = self._statements[name]
        try:
            ids = self._some_leads(now) if "ids" in PARAMETERS[name] else None
            for parameters in self._trials(name, now):
                self._try(statement, self._run(statement, ids, **parameters))
        except CrmError as error:
            return str(error)
        except Unreadable as error:
            return wrong_value(statement, error.column, error.value, error.expected)
        except BadId as error:  # the ids are the CRM's own: something else is wrong
            return str(crm_error(cast(sa.exc.DataError, error.__cause__), statement))
        return "ok"

    def _try(self, statement: Statement, rows: Generator[RowMapping]) -> None:
        """Raises Unreadable."""
        with closing(rows):
            found = [_SHAPES[statement.name](row, _refuse) for row in islice(rows, ROWS)]
        roles = {user.role for user in found if isinstance(user, CrmUser)}
        if roles and not roles & set(ROLES):
            raise Unreadable("a user", "role", min(roles), f"one of {', '.join(ROLES)}")

    def _some_leads(self, now: datetime) -> list[str]:
        """Leads to ask messages of; the errors of reading them are another query's."""
        [parameters] = self._trials("lead_candidates", now)
        try:
            with closing(self._run(self._statements["lead_candidates"], None, **parameters)) as rows:
                return [str(row["lead_id"]) for row in islice(rows, CHUNK)] or NO_LEADS
        except CrmError:
            return NO_LEADS

    def _trials(self, name: str, now: datetime) -> Iterator[dict[str, Any]]:
        """Parameters with which a query returns as much as it can; figures are of a day of each zone in use."""
        values = {"recent": now, "until": now + timedelta(days=3650), "unanswered_before": now}
        zones = set(self.zones().values()) if "day_start" in PARAMETERS[name] else set()
        for zone in zones or {UTC}:
            given = values | {"min_points": 0.0, "area_points": 0, "day_start": _midnight(now, zone)}
            yield {key: given[key] for key in PARAMETERS[name] if key != "ids"}

    def _zone(self, tenant: str, name: str) -> tzinfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._warn_once(
                f"zone {tenant} {name}", f"tenant {tenant}: {name!r} is not a time zone; its days are UTC days"
            )
            return UTC


def _written(message: tuple[datetime, str]) -> datetime:
    return message[0]


_SHAPES: Final[dict[str, Callable[[RowMapping, Doubt], object]]] = {
    "users": shapes.user,
    "unanswered_conversations": shapes.conversation,
    "lead_candidates": shapes.lead,
    "lead_messages": shapes.message,
    "followups": shapes.followup,
    "seller_metrics": lambda row, _: shapes.metrics(row, date.min),
    "timezones": shapes.zone_name,
}


def _midnight(now: datetime, zone: tzinfo) -> datetime:
    return datetime.combine(now.astimezone(zone).date(), datetime.min.time(), zone)


def _refuse(error: Unreadable) -> None:
    raise error
