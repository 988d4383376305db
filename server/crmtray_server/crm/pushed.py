"""A CRM that is read and pushes as well: what it just said, laid over what its database shows so far.

Owns which of the two counts. A push may be ahead of the database by a moment; so what was pushed counts for a few
minutes, and no longer than until the database's own value changes. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.engine import Engine, RowMapping

from ..config import Settings
from ..events import Concern
from ..store import mirror
from ..store.database import Store
from ..store.mirror import Known, Message, Recent
from .queries import CrmMissing
from .reading import CHUNK, BadId
from .rows import OVER, Conversation, FollowUp, Lead, notes_of, one_line, plain, text_id
from .source import CrmSource, Ref

AHEAD: Final = timedelta(minutes=5)
"""How long a database may take to show what its CRM has pushed."""
SLACK: Final = timedelta(seconds=2)
"""How differently the two may say when a message was written, where messages cannot be told by their ids."""
OPEN: Final = ("interested", "negotiation")


class OverlaidSource(CrmSource):
    """As CrmSource. `store` keeps what was pushed; what it cannot be asked raises StoreUnavailable."""

    def __init__(self, engine: Engine, settings: Settings, mapping: Mapping[str, str] | None, store: Store) -> None:
        super().__init__(engine, settings, mapping)
        self._store = store.engine
        self._recent = Recent()
        self._shown: dict[tuple[Ref, str, datetime], Any] = {}
        """What the database showed when a pushed value was first compared with it."""
        self._written: dict[Ref, list[Message]] = {}
        """By lead: messages that the database is not known to have."""
        self._added: dict[Ref, list[Message]] = {}
        """Those of them that were laid over the lead as it was read last."""
        self._slack = timedelta()

    def prepare(self, now: datetime) -> None:
        self._recent = mirror.ask(self._store, mirror.recent, now - AHEAD)
        self._shown = {key: value for key, value in self._shown.items() if key[2] >= now - AHEAD}
        self._written, self._added = self._by_lead(self._unknown(self._recent.messages)), {}

    def _unknown(self, messages: Sequence[tuple[str, Message]]) -> list[tuple[str, Message]]:
        """Those whose ids the database does not have."""
        ids, known, self._slack = [message.id for _, message in messages], set[str](), timedelta()
        try:
            for start in range(0, len(ids), CHUNK):
                rows = self._run(self._statements["known_messages"], ids[start : start + CHUNK])
                known |= {text_id(row["message_id"]) for row in rows}
        except (CrmMissing, BadId):  # a CRM with other tables, or that pushes other ids than it keeps
            self._slack = SLACK
        return [(tenant, message) for tenant, message in messages if message.id not in known]

    def _by_lead(self, messages: Sequence[tuple[str, Message]]) -> dict[Ref, list[Message]]:
        leads = self._leads_by_conversation({(tenant, message.conversation_id) for tenant, message in messages})
        found: dict[Ref, list[Message]] = {}
        for tenant, message in messages:
            lead = leads.get((tenant, message.conversation_id))
            if lead is not None:
                found.setdefault((tenant, lead), []).append(message)
        return found

    def _leads_by_conversation(self, conversations: Collection[Ref]) -> dict[Ref, str]:
        pushed = {ref: known.values.get("lead_id") for ref, known in self._recent.conversations.items()}
        found = {ref: lead for ref, lead in pushed.items() if lead is not None}
        try:
            rows = self._by_ids("conversation_leads", {}, sorted({id for _, id in conversations - found.keys()}))
            return {(text_id(row["tenant_id"]), text_id(row["conversation_id"])): _lead_id(row) for row in rows} | found
        except CrmMissing:
            return found

    def touched(self) -> Concern:
        leads = self._recent.leads.keys() | self._written.keys()
        return Concern(frozenset(id for _, id in self._recent.conversations), frozenset(id for _, id in leads))

    # --- conversations ---------------------------------------------------------------------------------------------

    def pending_conversations(self, ids: Sequence[str] | None = None) -> Iterator[Conversation]:
        seen, wanted = set[Ref](), None if ids is None else frozenset(ids)
        for row in super().pending_conversations(ids):
            ref = row.tenant_id, row.id
            seen.add(ref)
            known = self._recent.conversations.get(ref)
            laid = row if known is None else self._conversation(row, known)
            if laid is not None:
                yield laid
        told = [
            new
            for ref, known in self._recent.conversations.items()
            if ref not in seen
            and (wanted is None or ref[1] in wanted)
            and (new := _conversation(ref, known)) is not None
        ]
        answers = self.answers_to(told)
        yield from (row for row in told if not _answered(row, answers.get((row.tenant_id, row.id))))

    def _conversation(self, row: Conversation, known: Known) -> Conversation | None:
        """None when it waits no longer."""
        ref, values = (row.tenant_id, row.id), known.values
        last = values.get("last_message_time")
        if last is not None and (row.last_message_time is None or last > row.last_message_time):
            if not values.get("last_message_from_customer"):
                return None
            row = replace(row, last_message_time=last)
        seller = self._counts(ref, known, "assigned_seller_id", row.seller_id)
        if seller is None or self._counts(ref, known, "status", "active") != "active":
            return None
        return row if seller == row.seller_id else replace(row, seller_id=seller, seller_ref=seller, seller_name="")

    def answers_to(self, pending: Sequence[Conversation]) -> dict[Ref, datetime]:
        found, asked = super().answers_to(pending), {(row.tenant_id, row.id) for row in pending}
        for tenant, message in self._recent.messages:
            ref = tenant, message.conversation_id
            if not message.from_customer and ref in asked:
                found[ref] = max(message.created_at, found.get(ref, message.created_at))
        return found

    def leads_of(self, conversations: Sequence[str]) -> set[str]:
        wanted = frozenset(conversations)
        pushed = {known.values.get("lead_id") for (_, id), known in self._recent.conversations.items() if id in wanted}
        return super().leads_of(conversations) | {lead for lead in pushed if lead is not None}

    # --- leads -----------------------------------------------------------------------------------------------------

    def lead_candidates(self, recent: datetime, min_points: float, area_points: int) -> Iterator[Lead]:
        return self._with_touched(super().lead_candidates(recent, min_points, area_points))

    def talking_leads(self, recent: datetime, min_points: float, area_points: int) -> Iterator[Lead] | None:
        rows = super().talking_leads(recent, min_points, area_points)
        return None if rows is None else self._with_touched(rows)

    def _with_touched(self, rows: Iterator[Lead]) -> Iterator[Lead]:
        touched = self._recent.leads.keys() | self._written.keys()
        yield from (lead for lead in rows if (lead.tenant_id, lead.id) not in touched)
        for lead in self.leads(sorted({id for _, id in touched})):
            if (lead.tenant_id, lead.id) in touched:
                yield lead

    def leads(self, ids: Sequence[str]) -> Iterator[Lead]:
        seen, wanted = set[Ref](), frozenset(ids)
        for lead in super().leads(ids):
            seen.add((lead.tenant_id, lead.id))
            yield self._with_messages(self._lead(lead))
        for ref, known in self._recent.leads.items():
            if ref[1] in wanted and ref not in seen:
                yield self._with_messages(_lead(ref, known))

    def _lead(self, lead: Lead) -> Lead:
        known = self._recent.leads.get((lead.tenant_id, lead.id))
        if known is None:
            return lead
        ref = lead.tenant_id, lead.id
        return replace(
            lead,
            source=plain(self._counts(ref, known, "source", lead.source)),
            location=plain(self._counts(ref, known, "location", lead.location)),
            seller_id=self._counts(ref, known, "assigned_seller_id", lead.seller_id),
            estimated_value=self._counts(ref, known, "estimated_value", lead.estimated_value),
            over=self._is_over(ref, known, lead.over),
        )

    def _is_over(self, ref: Ref, known: Known, shown: bool) -> bool:
        """The database's row shows status and conversion as one."""
        if not known.values.keys() & {"status", "converted_at"}:
            return shown
        at = max(at for column, at in known.since.items() if column in ("status", "converted_at"))
        return _over(known) if self._shown.setdefault((ref, "over", at), shown) == shown else shown

    def _with_messages(self, lead: Lead) -> Lead:
        """Counts what was written since the database's last message."""
        ref, last = (lead.tenant_id, lead.id), lead.last_message_time
        new = [one for one in self._written.get(ref, ()) if last is None or one.created_at > last + self._slack]
        self._added[ref] = new
        if not new:
            return lead
        newest = max(message.created_at for message in new)
        return replace(lead, message_count=lead.message_count + len(new), last_message_time=newest)

    def messages_of(self, leads: Sequence[Lead]) -> dict[Ref, list[str]]:
        found = super().messages_of(leads)
        for ref, bodies in found.items():
            bodies += [message.body for message in self._added.get(ref, ()) if message.from_customer]
        return {ref: bodies[-10:] for ref, bodies in found.items()}

    # --- follow-ups ------------------------------------------------------------------------------------------------

    def followups(self, until: datetime) -> Iterator[FollowUp]:
        touched = self._recent.leads.keys()
        for row in super().followups(until):
            if (row.tenant_id, row.lead_id) not in touched:
                yield row
        for row in self.followups_of(sorted({id for _, id in touched}), until):
            if (row.tenant_id, row.lead_id) in touched:
                yield row

    def followups_of(self, ids: Sequence[str], until: datetime) -> Iterator[FollowUp]:
        seen, wanted = set[Ref](), frozenset(ids)
        for row in super().followups_of(ids, until):
            ref = row.tenant_id, row.lead_id
            seen.add(ref)
            known = self._recent.leads.get(ref)
            laid = row if known is None else self._followup(row, known)
            if laid is not None:
                yield laid
        for ref, known in self._recent.leads.items():
            if ref[1] in wanted and ref not in seen and (new := _followup(ref, known)) is not None:
                yield new

    def _followup(self, row: FollowUp, known: Known) -> FollowUp | None:
        """None when there is nothing to be reminded of any more."""
        ref = row.tenant_id, row.lead_id
        status = plain(self._counts(ref, known, "status", row.status))
        seller = self._counts(ref, known, "assigned_seller_id", row.seller_id)
        at = self._counts(ref, known, "next_follow_up", row.at)
        if status not in OPEN or seller is None or at is None:
            return None
        notes = notes_of(self._counts(ref, known, "notes", row.notes))
        ref_of = row.seller_ref if seller == row.seller_id else seller
        return replace(row, status=status, seller_id=seller, seller_ref=ref_of, at=at, notes=notes)

    def _counts(self, ref: Ref, known: Known, column: str, shown: Any) -> Any:
        """The pushed value for as long as the database shows what it showed first, then the database's."""
        if column not in known.values:
            return shown
        first = self._shown.setdefault((ref, column, known.since[column]), shown)
        return known.values[column] if first == shown else shown


def _lead_id(row: RowMapping) -> str:
    return text_id(row["lead_id"])


# --- rows that only the push has told of -----------------------------------------------------------------------------


def _conversation(ref: Ref, known: Known) -> Conversation | None:
    """None unless everything that makes a conversation a waiting one was told."""
    values = known.values
    seller, last = values.get("assigned_seller_id"), values.get("last_message_time")
    waits = values.get("last_message_from_customer") and values.get("status", "active") == "active"
    if seller is None or last is None or not waits:
        return None
    phone = one_line(values.get("phone_number"))
    return Conversation(ref[1], ref[0], phone, seller, seller, "", last, None)


def _answered(row: Conversation, answer: datetime | None) -> bool:
    return answer is not None and row.last_message_time is not None and answer >= row.last_message_time


def _lead(ref: Ref, known: Known) -> Lead:
    values = known.values
    return Lead(
        id=ref[1],
        tenant_id=ref[0],
        name=_name(ref, values),
        phone_number=one_line(values.get("phone_number")),
        source=plain(values.get("source")),
        location=plain(values.get("location")),
        over=_over(known),
        seller_id=values.get("assigned_seller_id"),
        estimated_value=values.get("estimated_value"),
        message_count=0,
        last_message_time=None,
    )


def _followup(ref: Ref, known: Known) -> FollowUp | None:
    values = known.values
    seller, at, status = values.get("assigned_seller_id"), values.get("next_follow_up"), plain(values.get("status"))
    if seller is None or at is None or status not in OPEN:
        return None
    return FollowUp(ref[1], ref[0], _name(ref, values), status, seller, seller, at, notes_of(values.get("notes")))


def _over(known: Known) -> bool:
    return known.values.get("converted_at") is not None or plain(known.values.get("status")).lower() in OVER


def _name(ref: Ref, values: Mapping[str, Any]) -> str:
    parts = (one_line(values.get("first_name")), one_line(values.get("last_name")))
    return " ".join(filter(None, parts)) or one_line(values.get("phone_number")) or f"Lead {ref[1]}"
