"""Why a person was told, or was not."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, StringConstraints

from crmtray.protocol import Priority

from ..explain import Explainer, Subject
from .operation import Operations, Query
from .preferences import PreferencesOut
from .schemas import Answer
from .web import answer, claims

EXPLAINER = web.AppKey("explainer", Explainer)

operations = Operations("Preferences")

SubjectId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class About(Query):
    """What it is about: either, both, or anything."""

    conversation_id: SubjectId | None = None
    lead_id: SubjectId | None = None


class DecisionOut(Answer):
    outcome: Literal["loud", "silent"]
    reason: str | None
    sentence: str


class InForceOut(Answer):
    """The present preferences; `changed_since` when they are not those of the decision, which are not kept."""

    values: PreferencesOut
    source: Literal["chosen", "preset"]
    changed_at: AwareDatetime | None
    changed_since: bool
    timezone: str
    local_time: AwareDatetime


class DeliveryOut(Answer):
    channel: str
    device: str
    state: str
    at: AwareDatetime
    attempts: int
    detail: str | None


class ExplanationOut(Answer):
    notification_id: str
    rule: str
    decision: DecisionOut
    decided_at: AwareDatetime
    preferences: InForceOut
    deliveries: list[DeliveryOut]


class EntryOut(Answer):
    """Told (with its notification's id) or kept away."""

    notification_id: str | None
    type: str
    priority: Priority
    title: str | None
    outcome: Literal["loud", "silent", "suppressed"]
    reason: str | None
    sentence: str
    at: AwareDatetime
    removed: bool


class NowOut(Answer):
    """How a rule stands now; `score` with its parts for a lead's heat."""

    type: str
    code: str
    sentence: str
    score: dict[str, Any] | None


class HistoryOut(Answer):
    """`now` is null when this server reads no CRM."""

    conversation_id: str | None
    lead_id: str | None
    items: list[EntryOut]
    now: list[NowOut] | None
    checked_at: AwareDatetime


@operations.get("/notifications/explain", answers=HistoryOut)
async def explain_subject(request: web.Request, query: About) -> web.Response:
    """What concerned a conversation or a lead, newest first: told, told silently, or kept away, and why."""
    named: tuple[tuple[Subject, str | None], ...] = (
        ("conversation_id", query.conversation_id),
        ("lead_id", query.lead_id),
    )
    subjects = {name: value for name, value in named if value is not None}
    return answer(await request.app[EXPLAINER].about(claims(request).scope, claims(request).role, subjects))


@operations.get("/notifications/{id}/explain", answers=ExplanationOut)
async def explain(request: web.Request) -> web.Response:
    """Why the signed-in person has this notification, why it was loud or silent, and how it reached which device."""
    found = await request.app[EXPLAINER].item(claims(request).scope, claims(request).role, request.match_info["id"])
    return answer(found)
