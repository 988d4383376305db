"""How hot a lead is, part by part: the sum that hot_lead alerts go by and `crmtray-server score --lead` shows.

Owns the points. Pure but for `explain`, which reads one lead.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from crmtray.protocol import Json

from .crm.queries import CrmError
from .crm.rows import Lead
from .crm.source import CrmSource
from .intent import lead_intent

SOURCE_POINTS: Final = {"META_ADS": 30, "REFERRAL": 25, "WEBSITE": 20}
MANY_MESSAGES: Final = 5
MESSAGES_POINTS: Final = 20
RECENT: Final = timedelta(hours=1)
RECENCY_POINTS: Final = 15
INTENT_POINTS: Final = 25
AREA_POINTS: Final = 10


@dataclass(frozen=True, slots=True)
class LeadScore:
    """Points by part; `intent` is 0–1 as it was read from the messages, None when they were not read."""

    source: int
    messages: int
    recency: int
    area: int
    intent: float | None = None

    @property
    def base(self) -> int:
        """What is known without reading messages."""
        return self.source + self.messages + self.recency + self.area

    @property
    def points(self) -> float:
        return self.base + (self.intent or 0.0) * INTENT_POINTS

    @property
    def most(self) -> float:
        """What it can still become when the messages are read."""
        return self.base + INTENT_POINTS if self.intent is None else self.points

    @property
    def probability(self) -> float:
        return round(self.points / 100, 2)

    def reaches(self, threshold: float) -> bool:
        return at_least(self.points, threshold)

    def parts(self) -> Json:
        """The points of each part, as they are added up."""
        intent = (self.intent or 0.0) * INTENT_POINTS
        return {
            "source": self.source,
            "messages": self.messages,
            "recency": self.recency,
            "intent": round(intent, 2),
            "area": self.area,
        }


def at_least(points: float, threshold: float) -> bool:
    """Whether points reach a threshold of 0–1; 0.7 * 100 is a little more than 70, so not to the last digit."""
    return points >= threshold * 100 - 1e-6


def base_score(lead: Lead, now: datetime, areas: frozenset[str]) -> LeadScore:
    """All but the intent. `areas` are folded."""
    last = lead.last_message_time
    return LeadScore(
        source=SOURCE_POINTS.get(lead.source.upper(), 0),
        messages=MESSAGES_POINTS if lead.message_count > MANY_MESSAGES else 0,
        recency=RECENCY_POINTS if last is not None and now - last < RECENT else 0,
        area=AREA_POINTS if areas and fold(lead.location) in areas else 0,
    )


def with_intent(score: LeadScore, messages: Sequence[str]) -> LeadScore:
    return LeadScore(score.source, score.messages, score.recency, score.area, lead_intent(messages))


def explain(source: CrmSource, lead_id: str, now: datetime) -> Json:
    """One lead's score and its parts as JSON. Raises CrmError, also when there is no such lead."""
    lead = next(source.leads([lead_id]), None)
    if lead is None:
        raise CrmError(f"The CRM has no lead {lead_id}; give its id as it stands in the CRM.")
    messages = source.lead_messages([lead.id]).get(lead.id, [])
    score = with_intent(base_score(lead, now, folded(source.settings.high_value_areas)), messages)
    threshold = source.settings.hot_lead_probability_threshold
    return {
        "lead_id": lead.id,
        "lead_name": lead.name,
        "probability": score.probability,
        "threshold": threshold,
        "hot": score.reaches(threshold) and not lead.over,
        "closed": lead.over,
        "parts": score.parts(),
    }


def folded(areas: Iterable[str]) -> frozenset[str]:
    return frozenset(filter(None, map(fold, areas)))


def fold(text: str) -> str:
    """The same for «Núñez», «NUNEZ» and « nuñez »."""
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    return " ".join(plain.casefold().split())
