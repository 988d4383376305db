"""Preferences on this side: their form on the wire, what a refusal is about, and what is known without a connection."""

from __future__ import annotations

import pytest

from crmtray.cache import Cache
from crmtray.config import ClientConfig
from crmtray.credentials import Credentials
from crmtray.preferences import Preferences, refused_field
from crmtray.protocol import Json
from crmtray.session import ApiError, Session
from tests.client.support import Recorder

WIRE: Json = {
    "notification_types": ["unanswered", "hot_lead"],
    "push_notifications": True,
    "email_notifications": False,
    "email_address": None,
    "quiet_hours": {"start": "22:00", "end": "08:00"},
    "work_days": ["monday"],
    "min_priority": "medium",
    "timezone": None,
    "locale": "es-AR",
}


def test_they_go_out_as_they_came_in() -> None:
    assert Preferences.from_wire(WIRE | {"of_a_newer_server": 1}).to_wire() == WIRE
    without = WIRE | {"quiet_hours": None, "timezone": "Europe/Madrid"}
    assert Preferences.from_wire(without).to_wire() == without


@pytest.mark.parametrize("wrong", [{}, WIRE | {"work_days": "monday"}, WIRE | {"quiet_hours": "22:00"}, [], None])
def test_what_is_no_such_document_is_refused(wrong: object) -> None:
    with pytest.raises((KeyError, TypeError)):
        Preferences.from_wire(wrong)


@pytest.mark.parametrize(
    ("detail", "field", "words"),
    [
        ("400 email_address: expected one address.", "email_address", "expected one address."),
        ("400 quiet_hours.start: expected a time such as 22:00.", "quiet_hours", "expected a time such as 22:00."),
        ("400 work_days.0: expected: monday.", "work_days", "expected: monday."),
        ("400 The body is not JSON.", "locale", "400 The body is not JSON."),
        ("400 colour: unknown field.", "locale", "400 colour: unknown field."),
    ],
)
def test_a_refusal_names_the_field(detail: str, field: str, words: str) -> None:
    assert refused_field(detail, "locale") == (field, words)


async def test_what_was_known_last_stays_until_the_person_leaves() -> None:
    cache = Cache.open(None)
    session = Session(ClientConfig(), Recorder(), cache=cache, credentials=Credentials("test", memory_only=True))
    with pytest.raises(ApiError):
        await session.settings()
    assert session.known_settings() is None
    cache.preferences = WIRE
    assert session.known_settings() == Preferences.from_wire(WIRE)
    cache.preferences = {"of": "another version"}
    assert session.known_settings() is None
    cache.preferences = WIRE
    cache.wipe()
    assert session.known_settings() is None
    cache.close()
