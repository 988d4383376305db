"""Hot leads: the score reaches the threshold.

Owns the rule and its episodes, which end only well below the threshold: a score that swings about it, or loses its
points for a recent message alone, does not alert again. The sum itself is in score.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final

from crmtray.protocol import HOT_LEAD, Json

from ..crm.rows import Lead
from ..crm.source import CrmSource
from ..events import Episode, Event
from ..score import (
    AREA_POINTS,
    INTENT_POINTS,
    MESSAGES_POINTS,
    RECENT,
    SOURCE_POINTS,
    LeadScore,
    at_least,
    base_score,
    folded,
    with_intent,
)
from .findings import Found, Mark, Open, OpenEpisodes, Ref, stamp

HYSTERESIS: Final = 0.2
BATCH: Final = 200
"""Leads whose messages are held at a time."""
IN_TURN: Final = 1000
"""Open episodes that one glance looks at."""

Scored = tuple[Lead, LeadScore, Episode | None]
Known = tuple[int, datetime | None, float]
"""Message count, last message time, and the intent that was read then."""


class HotLeadDetector:
    kind = HOT_LEAD

    def __init__(self, source: CrmSource) -> None:
        self._source = source
        self._threshold = source.settings.hot_lead_probability_threshold
        self._end = source.settings.hot_lead_probability_threshold - HYSTERESIS
        self._areas = folded(source.settings.high_value_areas)
        self._area_points = AREA_POINTS if self._areas else 0
        self._again: set[str] = set()
        self._turn: Ref = ("", "")
        self._intents: dict[Ref, Known] = {}
        """Of the leads that mattered at the last reading: nobody wrote, nothing to read anew."""

    def read(self, now: datetime, opened: Open) -> Found:
        """All leads that can reach the threshold, and those of the open episodes."""
        found, known = Found(), dict[Ref, Known]()
        self._examine(self._likely(now, opened), now, opened, known, found)
        self._intents, self._again = known, found.concerned()
        return found

    def glance(self, now: datetime, episodes: OpenEpisodes) -> Found | None:
        """Leads with whom somebody wrote lately, and some of the open episodes, in turn. None: it cannot be told who.

        A lead becomes hot by a message. What is changed in the lead itself is for `read` to find.
        """
        talking = self._source.talking_leads(*self._bounds(now))
        if talking is None:
            return None
        found, seen = Found(), set[str]()
        for leads in _batches(talking):
            seen |= {lead.id for lead in leads}
            self._examine(leads, now, self._opened(leads, episodes), self._intents, found)
        others = (self._in_turn(episodes) | self._again) - seen
        found.take(self._look(now, episodes(self.kind, others), sorted(others), found.rest()))
        self._again = found.concerned()
        return found

    def look(self, now: datetime, opened: Open, subjects: Sequence[str]) -> Found:
        found = self._look(now, opened, subjects, Found())
        self.look_again(found.concerned())
        return found

    def look_again(self, subjects: Collection[str]) -> None:
        """At the next glance: what was found may not be stored."""
        self._again |= set(subjects)

    def _look(self, now: datetime, opened: Open, subjects: Sequence[str], found: Found) -> Found:
        self._examine(self._source.leads(subjects), now, opened, self._intents, found)
        return found

    def _opened(self, leads: Sequence[Lead], episodes: OpenEpisodes) -> Open:
        """Of these leads: another tenant's of the same id is none of them."""
        refs = {(lead.tenant_id, lead.id) for lead in leads}
        opened = episodes(self.kind, [lead.id for lead in leads])
        return {ref: episode for ref, episode in opened.items() if ref in refs}

    def _in_turn(self, episodes: OpenEpisodes) -> set[str]:
        opened = episodes.after(self.kind, self._turn, IN_TURN)
        self._turn = max(opened) if len(opened) == IN_TURN else ("", "")
        return {subject for _, subject in opened}

    def _examine(
        self, leads: Iterable[Lead], now: datetime, opened: Open, known: dict[Ref, Known], found: Found
    ) -> None:
        batch: list[Scored] = []
        # Closed also when scoring fails: the CRM's connection goes back at once.
        with closing(self._worth_reading(leads, now, opened, found)) as items:
            for item in items:
                batch.append(item)
                if len(batch) == BATCH:
                    self._finish(batch, now, known, found)
                    batch = []
        self._finish(batch, now, known, found)
        found.closed += opened.values()  # the lead is gone

    def _worth_reading(
        self, leads: Iterable[Lead], now: datetime, opened: Open, found: Found
    ) -> Generator[Scored, None, None]:
        """Leads on which the messages decide."""
        for lead in leads:
            episode = opened.pop((lead.tenant_id, lead.id), None)
            score = base_score(lead, now, self._areas)
            if lead.over or not at_least(score.most, self._threshold if episode is None else self._end):
                if episode is not None:
                    found.closed.append(episode)
            elif episode is None or not self._goes_on(lead, score, episode):
                yield lead, score, episode

    def _likely(self, now: datetime, opened: Open) -> Iterator[Lead]:
        """First the likely ones, then those of the other open episodes."""
        bounds = self._bounds(now)
        talking = self._source.talking_leads(*bounds) if self._needs_talk() else None
        yield from self._source.lead_candidates(*bounds) if talking is None else talking
        yield from self._source.leads([lead_id for _, lead_id in opened])

    def _bounds(self, now: datetime) -> tuple[datetime, float, int]:
        return now - RECENT, self._threshold * 100 - 1e-6, self._area_points

    def _needs_talk(self) -> bool:
        """Whether nobody reaches the threshold with whom nobody wrote lately."""
        most = max(SOURCE_POINTS.values()) + MESSAGES_POINTS + INTENT_POINTS + self._area_points
        return not at_least(most, self._threshold)

    def _goes_on(self, lead: Lead, score: LeadScore, episode: Episode) -> bool:
        """Hot enough whatever the messages say, and there is nobody new to tell."""
        return Mark.of(episode).seller_id == lead.seller_id and at_least(score.base, self._end)

    def _finish(self, batch: list[Scored], now: datetime, known: dict[Ref, Known], found: Found) -> None:
        for lead, score, episode in self._read_intents(batch, known):
            _judge(lead, score, episode, now, self._threshold, self._end, found)

    def _read_intents(self, batch: Iterable[Scored], known: dict[Ref, Known]) -> Iterator[Scored]:
        items = list(batch)
        messages = self._source.messages_of([lead for lead, _, _ in items if self._intent(lead) is None])
        for lead, score, episode in items:
            ref, intent = (lead.tenant_id, lead.id), self._intent(lead)
            scored = with_intent(score, messages[ref]) if intent is None else replace(score, intent=intent)
            known[ref] = (lead.message_count, lead.last_message_time, scored.intent or 0.0)
            yield lead, scored, episode

    def _intent(self, lead: Lead) -> float | None:
        count, last, intent = self._intents.get((lead.tenant_id, lead.id), (-1, None, 0.0))
        return intent if (count, last) == (lead.message_count, lead.last_message_time) else None


def _batches(leads: Iterable[Lead]) -> Iterator[list[Lead]]:
    iterator = iter(leads)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _judge(
    lead: Lead, score: LeadScore, episode: Episode | None, now: datetime, threshold: float, end: float, found: Found
) -> None:
    if episode is None:
        if score.reaches(threshold) and found.takes_more():
            key = f"{HOT_LEAD}:{lead.id}:{stamp(lead.last_message_time)}"
            _tell(lead, score, Episode(HOT_LEAD, lead.tenant_id, lead.id, key, now, ""), found)
    elif not score.reaches(end):
        found.closed.append(episode)
    elif Mark.of(episode).seller_id != lead.seller_id:  # assigned to somebody who does not know yet
        _tell(lead, score, episode, found)


def _tell(lead: Lead, score: LeadScore, episode: Episode, found: Found) -> None:
    found.events.append(_event(lead, score, episode.key))
    found.opened.append(replace(episode, mark=str(Mark(lead.last_message_time, lead.seller_id))))


def _event(lead: Lead, score: LeadScore, key: str) -> Event:
    params: Json = {"lead_id": lead.id}
    return Event(
        kind=HOT_LEAD,
        tenant_id=lead.tenant_id,
        key=key,
        user_id=lead.seller_id,
        roles=() if lead.seller_id else ("ceo",),
        priority="urgent",
        data={
            "lead_id": lead.id,
            "lead_name": lead.name,
            "phone_number": lead.phone_number,
            "source": lead.source,
            "probability": score.probability,
            "recommended_action": "contactar_inmediatamente",
            "estimated_value": lead.estimated_value,
        },
        action_names=(("contact_lead", params), ("view_lead", params), ("assign_lead", params)),
    )
