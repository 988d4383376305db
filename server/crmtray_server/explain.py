"""Why was I told, and why was I not: one item explained, and everything about a conversation or a lead.

Owns the answers' content and the rule that nobody learns of what is not his: another company's, or another seller's,
is answered as if it did not exist. Decides nothing; what would be decided now is looked at in the CRM, read only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

from crmtray.protocol import FOLLOW_UP, HOT_LEAD, UNANSWERED, Json, Notification, format_time

from . import policy, reasons, score
from .config import Settings
from .crm.lookup import ConversationState
from .crm.queries import CrmError
from .crm.rows import Conversation, Lead
from .crm.source import CrmSource
from .inbox import Clock, NotFound
from .readers import Reader, Readers
from .store import device_deliveries, history, preferences, suppressed
from .store.database import Store
from .store.device_deliveries import Delivery
from .store.feed import Scope
from .store.history import Told
from .store.suppressed import Kept

log = logging.getLogger(__name__)

SELLER: Final = "seller"
CRM_SECONDS: Final = 5.0
"""How long a person waits for what the CRM says now."""
WORKERS: Final = 2
Subject = Literal["conversation_id", "lead_id"]
Look = Callable[[str], ConversationState | None]
"""A conversation whatever its state; raises CrmError when this CRM's tables cannot be asked so."""


class Explainer:
    """`source` is None when no CRM is read; `look` when its conversations are not in the reference table."""

    def __init__(
        self,
        store: Store,
        readers: Readers,
        settings: Settings,
        source: CrmSource | None,
        look: Look | None,
        clock: Clock,
    ) -> None:
        self._store, self._readers, self._settings = store, readers, settings
        self._source, self._look, self._clock = source, look, clock
        # Few and its own: a CRM that hangs must not take the threads that sign people in.
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="explain")

    async def item(self, scope: Scope, role: str, id: str) -> Json:
        """Raises NotFound."""
        told = await self._store.read(history.one, scope, id)
        if told is None:
            raise NotFound
        reader = await self._readers.one(scope, role)
        deliveries = await self._store.read(device_deliveries.of, scope, id)
        changed_at = await self._store.read(preferences.changed_at, scope)
        return {
            "notification_id": id,
            "rule": reasons.rule(told.notification, self._settings, reader.locale, reader.zone),
            "decision": _decision(told.notification, reader),
            "decided_at": format_time(told.decided_at),
            "preferences": _in_force(reader, told.decided_at, changed_at),
            "deliveries": [_delivery(delivery) for delivery in deliveries],
        }

    async def about(self, scope: Scope, role: str, subjects: Mapping[Subject, str]) -> Json:
        """What concerned them for this person, newest first, and how their rules stand now; without any: the latest."""
        reader = await self._readers.one(scope, role)
        told = await self._store.read(history.told_about, scope, subjects)
        kept = await self._store.read(suppressed.about, scope, subjects)
        entries = [_told(one, reader) for one in told] + [_kept(one, reader) for one in kept]
        entries.sort(key=lambda entry: entry["at"], reverse=True)
        known = [one.notification.data for one in told] + [one.item.data for one in kept]
        now = self._clock()
        return {
            "conversation_id": subjects.get("conversation_id"),
            "lead_id": subjects.get("lead_id"),
            "items": entries[: suppressed.MOST],
            "now": None if self._source is None else await self._now(self._source, reader, role, subjects, known, now),
            "checked_at": format_time(now),
        }

    async def _now(
        self,
        source: CrmSource,
        reader: Reader,
        role: str,
        subjects: Mapping[Subject, str],
        told: Sequence[Json],
        now: datetime,
    ) -> list[Json]:
        """`told`: what the items say that this person was sent, or would have been."""
        found: list[Json] = []
        for subject, id in subjects.items():
            known = any(suppressed.names(data, {subject: id}) for data in told)
            viewer = Viewer(reader, reader.user.role if reader.user else role, known, now, self._settings)
            look = partial(self._look_at, source, viewer, subject, id)
            try:
                async with asyncio.timeout(CRM_SECONDS):
                    found += await asyncio.get_running_loop().run_in_executor(self._workers, look)
            except (CrmError, TimeoutError) as error:
                log.warning("a rule could not be explained: %s", error)
                found.append(viewer.says(UNANSWERED if subject == "conversation_id" else HOT_LEAD, "crm_unavailable"))
        return found

    def _look_at(self, source: CrmSource, viewer: Viewer, subject: Subject, id: str) -> list[Json]:
        if subject == "lead_id":
            return lead_now(viewer, source, id)
        return conversation_now(viewer, source, self._look, id)


class Viewer:
    """Who asks. `known`: he was told of it before, so that it exists is no secret to him."""

    def __init__(self, reader: Reader, role: str, known: bool, now: datetime, settings: Settings) -> None:
        self.reader, self.role, self.known, self.now, self.settings = reader, role, known, now, settings

    def owns(self, tenant_id: str, seller_id: str | None) -> bool:
        """Whether its state may be told to him."""
        if tenant_id != self.reader.scope.tenant_id:
            return False
        return self.role != SELLER or seller_id == self.reader.scope.user_id

    def hidden(self, tenant_id: str | None, none: str) -> str:
        """The code for what he does not own; None: there is none."""
        known = self.known and tenant_id == self.reader.scope.tenant_id
        return "not_assigned_to_you" if known else none

    def says(self, type: str, code: str, figures: dict[str, str] | None = None, **more: Json) -> Json:
        sentence = reasons.now(code, self.reader.locale, **(figures or {}))
        return {"type": type, "code": code, "sentence": sentence, "score": None} | more

    def hours(self, value: float) -> str:
        return reasons.hours(value, self.reader.locale)

    def moment(self, at: datetime) -> str:
        return reasons.moment(at, self.reader.zone, self.now, self.reader.locale)


def conversation_now(viewer: Viewer, source: CrmSource, look: Look | None, id: str) -> list[Json]:
    """Blocking. Raises CrmError."""
    for row in source.pending_conversations([id]):
        if viewer.owns(row.tenant_id, row.seller_id):
            return [_waiting(viewer, row)]
        return [viewer.says(UNANSWERED, viewer.hidden(row.tenant_id, "no_such_conversation"))]
    if look is None:
        return [viewer.says(UNANSWERED, "does_not_wait")]
    return [_at_rest(viewer, look(id))]


def _waiting(viewer: Viewer, row: Conversation) -> Json:
    times = {"ceo": reasons.ESCALATION, "seller": 1, "secretary": 1}.get(viewer.role)
    if times is None or row.last_message_time is None:
        return viewer.says(UNANSWERED, "not_for_your_role" if times is None else "does_not_wait")
    limit = times * viewer.settings.unanswered_conversation_hours
    waited = (viewer.now - row.last_message_time) / timedelta(hours=1)
    code = "waits" if waited < limit else "waits_too_long"
    return viewer.says(UNANSWERED, code, {"waited": viewer.hours(max(0.0, waited)), "limit": viewer.hours(limit)})


def _at_rest(viewer: Viewer, state: ConversationState | None) -> Json:
    """Why it does not wait."""
    if state is None or not viewer.owns(state.tenant_id, state.seller_id):
        tenant = None if state is None else state.tenant_id
        return viewer.says(UNANSWERED, viewer.hidden(tenant, "no_such_conversation"))
    if not state.active:
        return viewer.says(UNANSWERED, "not_active")
    if state.seller_id is None:
        return viewer.says(UNANSWERED, "not_assigned")
    if state.from_customer or state.last_message_time is None:
        return viewer.says(UNANSWERED, "does_not_wait")
    return viewer.says(UNANSWERED, "answered", {"at": viewer.moment(state.last_message_time)})


def lead_now(viewer: Viewer, source: CrmSource, id: str) -> list[Json]:
    """Blocking. Raises CrmError."""
    lead = next(source.leads([id]), None)
    if lead is None or not viewer.owns(lead.tenant_id, lead.seller_id):
        return [viewer.says(HOT_LEAD, viewer.hidden(lead.tenant_id if lead else None, "no_such_lead"))]
    return [_heat(viewer, source, lead), _follow_up(viewer, source, lead)]


def _heat(viewer: Viewer, source: CrmSource, lead: Lead) -> Json:
    if lead.over:
        return viewer.says(HOT_LEAD, "lead_closed")
    found = score.explain(source, lead.id, viewer.now)
    figures = {name: str(reasons.percent(found[key])) for name, key in _FIGURES}
    told = "ceo" if lead.seller_id is None else SELLER
    code = "reaches_threshold" if found["hot"] else "below_threshold"
    parts = {key: found[key] for key in ("probability", "threshold", "parts")}
    return viewer.says(HOT_LEAD, code if viewer.role == told else "not_for_your_role", figures, score=parts)


_FIGURES: Final = (("score", "probability"), ("threshold", "threshold"))


def _follow_up(viewer: Viewer, source: CrmSource, lead: Lead) -> Json:
    within = timedelta(hours=viewer.settings.followup_reminder_hours)
    planned = next(source.followups_of([lead.id], viewer.now + within), None)
    if planned is None or planned.at is None:
        return viewer.says(FOLLOW_UP, "no_follow_up")
    if viewer.role != SELLER:
        return viewer.says(FOLLOW_UP, "not_for_your_role")
    code = "follow_up_near" if planned.at <= viewer.now + within else "follow_up_later"
    figures = {"at": viewer.moment(planned.at), "within": viewer.hours(viewer.settings.followup_reminder_hours)}
    return viewer.says(FOLLOW_UP, code, figures)


def _decision(item: Notification, reader: Reader) -> Json:
    sentence = reasons.decided(item.reason or "other" if item.silent else None, reader.locale)
    if item.snoozed_until is not None:
        sentence = reasons.asleep(item.silent, reader.locale)
    return {"outcome": "silent" if item.silent else "loud", "reason": item.reason, "sentence": sentence}


def _in_force(reader: Reader, decided_at: datetime, changed_at: datetime | None) -> Json:
    """The present ones; `changed_since`: those of the decision were others, and are not kept."""
    return {
        "values": policy.to_wire(reader.preferences),
        "source": "chosen" if reader.chosen else "preset",
        "changed_at": None if changed_at is None else format_time(changed_at),
        "changed_since": changed_at is not None and changed_at > decided_at,
        "timezone": reader.zone.key,
        "local_time": decided_at.astimezone(reader.zone).isoformat(timespec="seconds"),
    }


def _delivery(delivery: Delivery) -> Json:
    return {
        "channel": delivery.channel,
        "device": delivery.device,
        "state": delivery.state,
        "at": format_time(delivery.updated_at),
        "attempts": delivery.attempts,
        "detail": delivery.detail,
    }


def _told(told: Told, reader: Reader) -> Json:
    item = told.notification
    entry = {"notification_id": item.id, "type": item.type, "priority": item.priority, "title": item.title}
    at = {"at": format_time(item.created_at), "removed": told.removed}
    return entry | _decision(item, reader) | at


def _kept(kept: Kept, reader: Reader) -> Json:
    return {
        "notification_id": None,
        "type": kept.item.type,
        "priority": kept.item.priority,
        "title": None,
        "outcome": "suppressed",
        "reason": kept.item.reason,
        "sentence": reasons.decided(kept.item.reason, reader.locale),
        "at": format_time(kept.at),
        "removed": False,
    }
