"""The wire types: what we send is exactly this, what we get is read tolerantly, and nonsense is refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crmtray.protocol import Change, ChangesPage, Notification, WireError, format_time, parse_time

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"


def examples() -> list[dict[str, Any]]:
    """The JSON blocks of the document."""
    found = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return [json.loads(block) for block in found]


def test_the_documents_notification_goes_there_and_back() -> None:
    wire = examples()[0]
    notification = Notification.from_wire(wire)
    assert notification.to_wire() == wire
    assert notification.created_at == datetime(2026, 2, 27, 15, 0, tzinfo=UTC)
    assert notification.actions[0].action == "contact_lead"


def test_the_documents_page_is_a_page() -> None:
    wire = examples()[1]
    wire["changes"][0]["notification"] = examples()[0]
    page = ChangesPage.from_wire(wire)
    assert [change.seq for change in page.changes] == [43, 44] and page.changes[1].notification is None
    assert page.to_wire() == wire


def test_fields_of_a_newer_peer_are_passed_over() -> None:
    wire = examples()[0] | {"colour": "red"}
    wire["actions"] = [wire["actions"][0] | {"icon": "phone"}]
    assert "colour" not in Notification.from_wire(wire).to_wire()


def test_missing_extras_have_defaults() -> None:
    least = {key: examples()[0][key] for key in ("id", "seq", "type", "title", "message", "created_at")}
    notification = Notification.from_wire(least)
    assert (notification.priority, notification.read, notification.actions) == ("medium", False, ())


@pytest.mark.parametrize(
    "wrong",
    [{"id": 7}, {"seq": "1"}, {"seq": True}, {"title": None}, {"priority": "extreme"}, {"created_at": "yesterday"}],
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        Notification.from_wire(examples()[0] | wrong)


@pytest.mark.parametrize("wrong", [{}, {"seq": 1}, {"seq": 1, "op": "put"}, {"seq": 1, "op": "remove"}])
def test_a_change_is_a_put_or_a_removal(wrong: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        Change.from_wire(wrong)


def test_times_are_utc_whatever_they_were() -> None:
    assert parse_time("2026-02-27T12:00:00-03:00") == parse_time("2026-02-27T15:00:00Z")
    assert parse_time("2026-02-27 15:00:00") == datetime(2026, 2, 27, 15, 0, tzinfo=UTC)
    assert format_time(parse_time("2026-02-27T12:00:00-03:00")) == "2026-02-27T15:00:00Z"
