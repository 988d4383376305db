"""Unanswered conversations: the seller and the secretaries after N hours, the CEO after four times as long.

Owns the rule and its episodes: from the first unanswered customer message until a seller answers. A customer who
writes again meanwhile stays in the same episode.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crmtray.protocol import UNANSWERED, Json

from ..crm.buckets import Digest
from ..crm.rows import Conversation
from ..crm.source import CrmSource
from ..events import Episode, Event
from .findings import Found, Mark, Open, Ref, stamp

ESCALATION = 4
"""After so many times N hours the CEO is told."""
SECRETARY = ("secretary",)
CEO = ("ceo",)

Told = tuple[Episode, Mark]
"""An open episode and what it remembers."""


class UnansweredDetector:
    kind = UNANSWERED

    def __init__(self, source: CrmSource) -> None:
        self._source = source
        self._after = source.settings.unanswered_after
        self._looked_up: dict[Ref, datetime] = {}
        """Customer messages inside open episodes that are known not to follow an answer."""

    def subject(self, row: Conversation) -> str:
        return row.id

    def digests(self, _until: datetime) -> dict[str, Digest] | None:
        return self._source.digests("unanswered_conversations")

    def rows(self, _until: datetime, buckets: frozenset[str] | None) -> Generator[Conversation, None, None]:
        return self._source.waiting(buckets)

    def look(self, now: datetime, opened: Open, subjects: Sequence[str]) -> Found:
        found = Found()
        self.examine(self._source.pending_conversations(subjects), now, opened, found)
        return found

    def examine(self, rows: Iterable[Conversation], now: datetime, opened: Open, found: Found) -> None:
        wrote_again: list[tuple[Conversation, Told]] = []
        for row in rows:
            episode = opened.pop((row.tenant_id, row.id), None)
            told = None if episode is None else (episode, Mark.of(episode))
            if row.last_message_time is None:
                continue
            if told is not None and self._moved(row, row.last_message_time, told):
                wrote_again.append((row, told))
            else:
                _judge(row, row.last_message_time, told, now, self._after, found)
        self._look_for_answers(wrote_again, now, found)
        for ref, episode in opened.items():  # no longer pending: answered, closed, or nobody's
            self._looked_up.pop(ref, None)
            found.closed.append(episode)

    def _moved(self, row: Conversation, last: datetime, told: Told) -> bool:
        """The customer has written since the episode began, and whether somebody answered between is not known."""
        return last > _began(told) and self._looked_up.get((row.tenant_id, row.id)) != last

    def _look_for_answers(self, pairs: Sequence[tuple[Conversation, Told]], now: datetime, found: Found) -> None:
        answers = self._source.answers_to([row for row, _ in pairs if row.last_answer is None])
        for row, told in pairs:
            assert row.last_message_time is not None
            answered = row.last_answer or answers.get((row.tenant_id, row.id))
            if answered is not None and answered > _began(told):
                self._looked_up.pop((row.tenant_id, row.id), None)
                found.closed.append(told[0])
                _judge(row, row.last_message_time, None, now, self._after, found)
            else:
                self._looked_up[row.tenant_id, row.id] = row.last_message_time
                _judge(row, row.last_message_time, told, now, self._after, found)


def _began(told: Told) -> datetime:
    episode, mark = told
    return mark.at or episode.opened_at


def _judge(row: Conversation, last: datetime, told: Told | None, now: datetime, after: timedelta, found: Found) -> None:
    if told is None:
        if now < last + after:
            found.later.append((last + after, row.id))
        elif found.takes_more():
            episode = _open(row, last, now)
            found.events.append(_event(row, episode.key, row.seller_id, SECRETARY, now))
            _escalate(row, (episode, Mark(last, row.seller_id)), True, now, after, found)
        return
    episode, mark = told
    reassigned = mark.seller_id != row.seller_id
    if reassigned:  # the new seller does not know yet
        mark = replace(mark, seller_id=row.seller_id)
        found.events.append(_event(row, episode.key, row.seller_id, (), now))
    _escalate(row, (episode, mark), reassigned, now, after, found)


def _escalate(row: Conversation, told: Told, changed: bool, now: datetime, after: timedelta, found: Found) -> None:
    episode, mark = told
    moment = _began(told) + ESCALATION * after
    if not mark.escalated and now >= moment:
        mark, changed = replace(mark, escalated=True), True
        found.events.append(_event(row, f"{episode.key}:ceo", None, CEO, now))
    elif not mark.escalated:
        found.later.append((moment, row.id))
    if changed:
        found.opened.append(replace(episode, mark=str(mark)))


def _open(row: Conversation, last: datetime, now: datetime) -> Episode:
    # Of the message's time and not of ours: whoever detects the same again makes the same key.
    key = f"{UNANSWERED}:{row.id}:{stamp(last)}"
    return Episode(UNANSWERED, row.tenant_id, row.id, key, now, "")


def _event(row: Conversation, key: str, user_id: str | None, roles: tuple[str, ...], now: datetime) -> Event:
    params: Json = {"conversation_id": row.id}
    return Event(
        kind=UNANSWERED,
        tenant_id=row.tenant_id,
        key=key,
        user_id=user_id,
        roles=roles,
        priority="urgent" if roles == CEO else "high",
        data=_data(row, now),
        action_names=(("open_chat", params), ("reassign", params)),
    )


def _data(row: Conversation, now: datetime) -> Json:
    assert row.last_message_time is not None
    hours = (now - row.last_message_time) / timedelta(hours=1)
    return {
        "conversation_id": row.id,
        "phone_number": row.phone_number,
        "hours_without_response": round(max(0.0, hours), 1),
        "seller_id": row.seller_ref,
        "seller_name": row.seller_name,
    }
