"""Follow-up reminders: a planned contact with an open lead is near or past.

Owns the rule and its episodes: one for each date a lead's next follow-up is set to.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from crmtray.protocol import FOLLOW_UP, Json, format_time

from .. import texts
from ..crm.buckets import Digest
from ..crm.rows import FollowUp
from ..crm.source import CrmSource
from ..events import Episode, Event
from .findings import Found, Mark, Open, stamp


class FollowUpDetector:
    kind = FOLLOW_UP

    def __init__(self, source: CrmSource) -> None:
        self._source = source
        self._within = source.settings.followup_within

    def subject(self, row: FollowUp) -> str:
        return row.lead_id

    def digests(self, until: datetime) -> dict[str, Digest] | None:
        return self._source.digests("followups", until + self._within)

    def rows(self, until: datetime, buckets: frozenset[str] | None) -> Generator[FollowUp, None, None]:
        """A little beyond what is near now, so that what comes near before the next read fires at its moment."""
        return self._source.planned(until + self._within, buckets)

    def look(self, now: datetime, opened: Open, subjects: Sequence[str]) -> Found:
        found = Found()
        self.examine(self._source.followups_of(subjects, now + self._within), now, opened, found)
        return found

    def examine(self, rows: Iterable[FollowUp], now: datetime, opened: Open, found: Found) -> None:
        for row in rows:
            episode = opened.pop((row.tenant_id, row.lead_id), None)
            if row.at is not None:
                self._judge(row, row.at, episode, now, found)
        found.closed += opened.values()

    def _judge(self, row: FollowUp, at: datetime, episode: Episode | None, now: datetime, found: Found) -> None:
        key = f"{FOLLOW_UP}:{row.lead_id}:{stamp(at)}"
        if episode is not None and episode.key == key:
            if Mark.of(episode).seller_id != row.seller_id:  # reassigned: the new seller does not know yet
                found.events.append(_event(row, at, key, now))
                found.opened.append(replace(episode, mark=str(Mark(at, row.seller_id))))
            return
        if now >= at - self._within:
            if not found.takes_more():
                return
            found.events.append(_event(row, at, key, now))
            mark = str(Mark(at, row.seller_id))
            found.opened.append(Episode(FOLLOW_UP, row.tenant_id, row.lead_id, key, now, mark))
            return
        found.later.append((at - self._within, row.lead_id))
        if episode is not None:
            found.closed.append(episode)


def _event(row: FollowUp, at: datetime, key: str, now: datetime) -> Event:
    params: Json = {"lead_id": row.lead_id}
    return Event(
        kind=FOLLOW_UP,
        tenant_id=row.tenant_id,
        key=key,
        user_id=row.seller_id,
        roles=(),
        priority="medium",
        data={
            "lead_id": row.lead_id,
            "lead_name": row.lead_name,
            "seller_id": row.seller_ref,
            "scheduled_time": format_time(at),
            "time_until": texts.time_until(at, now, "es"),
            "previous_notes": row.notes,
            "recommended_approach": texts.recommended_approach(row.status, row.notes or "", "es"),
        },
        action_names=(("schedule_call", params), ("reschedule", params), ("mark_contacted", params)),
    )
