"""Performance alerts: a seller's day that the CEO should know of.

Owns the three issues and their severities, and the episodes: one a day for each seller and issue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

from crmtray.protocol import PERFORMANCE, Json

from .. import texts
from ..crm.rows import SellerMetrics
from ..crm.source import CrmSource
from ..events import Episode, Event
from .findings import Found, Mark, Open

Impact = Literal["high", "medium"]
SEVERITY: Final[dict[Impact, float]] = {"high": 0.75, "medium": 0.5}

SLOW_MINUTES: Final = 30
MANY_UNANSWERED: Final = 5
LOW_CONVERSION: Final = 0.1
ENOUGH_LEADS: Final = 10


@dataclass(frozen=True, slots=True)
class Issue:
    type: str
    metric: str
    value: float
    threshold: float
    impact: Impact


class PerformanceDetector:
    kind = PERFORMANCE

    def __init__(self, source: CrmSource) -> None:
        self._source = source
        self._threshold = source.settings.performance_alert_threshold
        self._unanswered_after = source.settings.unanswered_after
        self.leads = 0
        """How many leads the last reading counted."""

    def read(self, now: datetime, opened: Open) -> Found:
        found, self.leads = Found(), 0
        zones = self._source.zones()
        for metrics in self._source.seller_metrics(now, self._unanswered_after, zones):
            self.leads += metrics.leads_generated
            for issue in self._issues(metrics):
                _judge(metrics, issue, opened, now, found)
        for (tenant, _), episode in opened.items():
            if not _is_of(episode, now.astimezone(zones.get(tenant, UTC)).date()):
                found.closed.append(episode)
        return found

    def _issues(self, metrics: SellerMetrics) -> Iterator[Issue]:
        return (issue for issue in issues(metrics) if SEVERITY[issue.impact] >= self._threshold)


def issues(metrics: SellerMetrics) -> Iterator[Issue]:
    """What is wrong with these figures, the gravest first."""
    # Compared as they are shown: nobody is told that 30 minutes are more than 30.
    minutes, rate = _short(metrics.avg_response_time_minutes, 1), _short(metrics.conversion_rate, 3)
    if minutes is not None and minutes > SLOW_MINUTES:
        yield Issue("slow_response", "avg_response_time_minutes", minutes, SLOW_MINUTES, "high")
    if metrics.unanswered_conversations > MANY_UNANSWERED:
        unanswered = metrics.unanswered_conversations
        yield Issue("high_unanswered", "unanswered_conversations", unanswered, MANY_UNANSWERED, "medium")
    if rate is not None and rate < LOW_CONVERSION and metrics.leads_generated > ENOUGH_LEADS:
        yield Issue("low_conversion", "conversion_rate", rate, LOW_CONVERSION, "medium")


def _judge(metrics: SellerMetrics, issue: Issue, opened: Open, now: datetime, found: Found) -> None:
    subject = f"{metrics.seller_id}:{issue.type}"
    key = f"{PERFORMANCE}:{subject}:{metrics.day.isoformat()}"
    known = opened.get((metrics.tenant_id, subject))
    if known is not None and known.key == key:
        return
    opened.pop((metrics.tenant_id, subject), None)  # yesterday's, which the new one takes the place of
    found.events.append(_event(metrics, issue, key))
    mark = str(Mark(now, metrics.seller_id))
    found.opened.append(Episode(PERFORMANCE, metrics.tenant_id, subject, key, now, mark))


def _is_of(episode: Episode, day: date) -> bool:
    return episode.key.endswith(f":{day.isoformat()}")


def _short(value: float | None, digits: int) -> float | None:
    if value is None:
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded


def _event(metrics: SellerMetrics, issue: Issue, key: str) -> Event:
    params: Json = {"seller_id": metrics.seller_ref}
    return Event(
        kind=PERFORMANCE,
        tenant_id=metrics.tenant_id,
        key=key,
        user_id=None,
        roles=("ceo",),
        priority="medium",
        data={
            "seller_id": metrics.seller_ref,
            "seller_name": metrics.seller_name,
            "issue_type": issue.type,
            "metric": issue.metric,
            "current_value": issue.value,
            "threshold": issue.threshold,
            "period": "today",
            "impact": issue.impact,
            "recommendation": texts.recommendation(issue.type, "es"),
        },
        action_names=(("view_metrics", params), ("schedule_meeting", params), ("notify_seller", params)),
        audience="ceo",
    )
