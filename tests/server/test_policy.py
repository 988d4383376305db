"""Whether and how loudly: tables of cases, in zones whose clocks change and in one whose do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from crmtray.protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED, Priority
from crmtray_server.demo_server import DemoSettings
from crmtray_server.policy import WORK_DAYS, Decision, Preferences, decide, preset, to_wire

BUENOS_AIRES, MADRID, NEW_YORK = map(ZoneInfo, ("America/Argentina/Buenos_Aires", "Europe/Madrid", "America/New_York"))
LOUD = Decision("loud")
EVERYTHING = Preferences(
    notification_types=("unanswered", "hot_lead", "follow_up", "performance"),
    push_notifications=True,
    email_notifications=False,
    email_address=None,
    quiet_hours=None,
    work_days=WORK_DAYS,
    min_priority="low",
    timezone=None,
    locale="es",
)
NIGHT = replace(EVERYTHING, quiet_hours=(time(22), time(8)))
WEEK = replace(EVERYTHING, work_days=WORK_DAYS[:5])


def at(zone: ZoneInfo, moment: str, fold: int = 0) -> datetime:
    """What the clock on the wall says, as an instant."""
    return datetime.fromisoformat(moment).replace(tzinfo=zone, fold=fold).astimezone(UTC)


NOON = at(BUENOS_AIRES, "2026-02-27 12:00")


@pytest.mark.parametrize("moment", ["22:00", "22:01", "23:59", "00:00", "03:30", "07:59"])
def test_the_night_is_quiet(moment: str) -> None:
    now = at(BUENOS_AIRES, f"2026-02-27 {moment}")
    assert decide(HOT_LEAD, "urgent", NIGHT, now, BUENOS_AIRES) == Decision("silent", "quiet_hours")


@pytest.mark.parametrize("moment", ["08:00", "08:01", "12:00", "21:59"])
def test_the_day_is_loud(moment: str) -> None:
    assert decide(HOT_LEAD, "urgent", NIGHT, at(BUENOS_AIRES, f"2026-02-27 {moment}"), BUENOS_AIRES) == LOUD


@pytest.mark.parametrize(
    ("hours", "moment", "quiet"),
    [
        (("13:00", "15:00"), "12:59:59", False),
        (("13:00", "15:00"), "13:00", True),
        (("13:00", "15:00"), "14:59:59", True),
        (("13:00", "15:00"), "15:00", False),
        (("00:00", "08:00"), "00:00", True),
        (("22:00", "00:00"), "23:59:59", True),
        (("22:00", "00:00"), "00:00", False),
        (("09:00", "09:00"), "09:00", False),  # from a time to the same time: never
        (("09:00", "09:00"), "21:00", False),
    ],
)
def test_quiet_hours_end_before_their_end(hours: tuple[str, str], moment: str, quiet: bool) -> None:
    wanted = replace(EVERYTHING, quiet_hours=(time.fromisoformat(hours[0]), time.fromisoformat(hours[1])))
    now = at(BUENOS_AIRES, f"2026-02-27 {moment}")
    assert (decide(HOT_LEAD, "urgent", wanted, now, BUENOS_AIRES).outcome == "silent") is quiet


def test_the_hour_is_the_readers() -> None:
    now = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)  # 23:30 in Madrid, 18:30 in Buenos Aires, 17:30 in New York
    outcomes = [decide(HOT_LEAD, "urgent", NIGHT, now, zone).outcome for zone in (MADRID, BUENOS_AIRES, NEW_YORK)]
    assert outcomes == ["silent", "loud", "loud"]


@pytest.mark.parametrize(
    ("zone", "utc", "quiet"),
    [
        # Madrid, 29 March 2026: after 01:59:59 comes 03:00.
        (MADRID, "2026-03-29T00:59:59", True),
        (MADRID, "2026-03-29T01:00:00", True),
        (MADRID, "2026-03-29T05:59:59", True),  # 07:59:59
        (MADRID, "2026-03-29T06:00:00", False),  # 08:00, an hour earlier than the day before
        (MADRID, "2026-03-28T06:59:59", True),
        (MADRID, "2026-03-28T07:00:00", False),
        # Madrid, 25 October 2026: 02:30 comes twice.
        (MADRID, "2026-10-25T00:30:00", True),
        (MADRID, "2026-10-25T01:30:00", True),
        (MADRID, "2026-10-25T06:59:59", True),
        (MADRID, "2026-10-25T07:00:00", False),
        # New York, 8 March and 1 November 2026.
        (NEW_YORK, "2026-03-08T11:59:59", True),
        (NEW_YORK, "2026-03-08T12:00:00", False),
        (NEW_YORK, "2026-11-01T12:59:59", True),
        (NEW_YORK, "2026-11-01T13:00:00", False),
    ],
)
def test_the_nights_in_which_the_clocks_change(zone: ZoneInfo, utc: str, quiet: bool) -> None:
    now = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert (decide(HOT_LEAD, "urgent", NIGHT, now, zone).outcome == "silent") is quiet


@pytest.mark.parametrize(
    ("utc", "quiet"),
    [
        ("2026-03-29T00:59:00", False),  # 01:59
        ("2026-03-29T01:00:00", True),  # 03:00: the skipped start has passed
        ("2026-03-29T01:29:00", True),
        ("2026-03-29T01:30:00", False),  # 03:30, the end
        ("2026-10-25T00:29:00", False),  # 02:29, the first time
        ("2026-10-25T00:30:00", True),  # 02:30
        ("2026-10-25T01:29:00", False),  # 02:29 again: what the wall says counts
        ("2026-10-25T01:30:00", True),  # 02:30 again
        ("2026-10-25T02:30:00", False),  # 03:30
    ],
)
def test_quiet_hours_that_begin_at_a_time_that_is_skipped_or_comes_twice(utc: str, quiet: bool) -> None:
    wanted = replace(EVERYTHING, quiet_hours=(time(2, 30), time(3, 30)))
    now = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert (decide(HOT_LEAD, "urgent", wanted, now, MADRID).outcome == "silent") is quiet


@pytest.mark.parametrize(
    ("moment", "decision"),
    [
        ("2026-02-27 23:59", LOUD),  # Friday
        ("2026-02-28 00:00", Decision("silent", "day_off")),  # Saturday
        ("2026-03-01 23:59", Decision("silent", "day_off")),  # Sunday
        ("2026-03-02 00:00", LOUD),  # Monday
    ],
)
def test_a_work_day_is_a_day_of_the_readers_calendar(moment: str, decision: Decision) -> None:
    assert decide(HOT_LEAD, "urgent", WEEK, at(BUENOS_AIRES, moment), BUENOS_AIRES) == decision


def test_the_morning_after_a_work_day_belongs_to_the_day_it_is() -> None:
    wanted = replace(WEEK, quiet_hours=(time(22), time(8)))
    saturday, monday = at(BUENOS_AIRES, "2026-02-28 03:00"), at(BUENOS_AIRES, "2026-03-02 03:00")
    assert decide(HOT_LEAD, "urgent", wanted, saturday, BUENOS_AIRES) == Decision("silent", "day_off")
    assert decide(HOT_LEAD, "urgent", wanted, monday, BUENOS_AIRES) == Decision("silent", "quiet_hours")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(UNANSWERED, "unanswered"), (HOT_LEAD, "hot_lead"), (FOLLOW_UP, "follow_up"), (PERFORMANCE, "performance")],
)
def test_each_kind_is_switched_off_by_its_own_name(kind: str, name: str) -> None:
    others = tuple(one for one in EVERYTHING.notification_types if one != name)
    off, alone = replace(NIGHT, notification_types=others), replace(NIGHT, notification_types=(name,))
    assert decide(kind, "urgent", off, NOON, BUENOS_AIRES) == Decision("suppressed", "type_off")
    assert decide(kind, "urgent", alone, NOON, BUENOS_AIRES) == LOUD


@pytest.mark.parametrize("type", ["team_message", "contract_signed"])
def test_other_types_cannot_be_switched_off(type: str) -> None:
    nothing = replace(NIGHT, notification_types=())
    assert decide(type, "low", nothing, NOON, BUENOS_AIRES) == LOUD
    assert decide(type, "low", nothing, at(BUENOS_AIRES, "2026-02-27 23:00"), BUENOS_AIRES).reason == "quiet_hours"


@pytest.mark.parametrize(
    ("least", "told"),
    [
        ("low", ["low", "medium", "high", "urgent"]),
        ("medium", ["medium", "high", "urgent"]),
        ("high", ["high", "urgent"]),
        ("urgent", ["urgent"]),
    ],
)
def test_less_than_the_least_priority_is_not_told(least: Priority, told: list[str]) -> None:
    wanted = replace(NIGHT, min_priority=least)
    priorities: tuple[Priority, ...] = ("low", "medium", "high", "urgent")
    decisions = {one: decide("offer", one, wanted, NOON, BUENOS_AIRES) for one in priorities}
    assert [one for one, decision in decisions.items() if decision == LOUD] == told
    assert {decision.reason for decision in decisions.values()} - {None} <= {"below_min_priority"}
    # What a manager wrote is told whatever is wanted: he relies on it.
    assert decide("team_message", "low", wanted, NOON, BUENOS_AIRES) == LOUD


def test_whether_comes_before_how_loudly_and_push_before_the_clock() -> None:
    night = at(BUENOS_AIRES, "2026-02-28 23:00")  # a Saturday
    wanted = replace(
        NIGHT, notification_types=(), min_priority="high", push_notifications=False, work_days=WORK_DAYS[:5]
    )
    steps = [
        wanted,
        replace(wanted, notification_types=("hot_lead",)),
        replace(wanted, notification_types=("hot_lead",), min_priority="low"),
        replace(wanted, notification_types=("hot_lead",), min_priority="low", push_notifications=True),
        replace(NIGHT, work_days=("saturday",)),
        replace(EVERYTHING, work_days=("saturday",)),
    ]
    assert [decide(HOT_LEAD, "medium", step, night, BUENOS_AIRES).reason for step in steps] == [
        "type_off",
        "below_min_priority",
        "push_off",
        "day_off",
        "quiet_hours",
        None,
    ]


# --- presets ---------------------------------------------------------------------------------------------------------


def presets(role: str, **settings: Any) -> dict[str, Any]:
    return to_wire(preset(role, DemoSettings(jwt_secret_key=SecretStr("0123456789abcdef" * 4), **settings)))


MONDAY_TO_FRIDAY = ["monday", "tuesday", "wednesday", "thursday", "friday"]
SEVEN_DAYS = [*MONDAY_TO_FRIDAY, "saturday", "sunday"]
COMMON = {"push_notifications": True, "email_address": None, "timezone": None, "locale": "es"}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (
            "ceo",
            {
                "notification_types": ["unanswered", "hot_lead", "follow_up", "performance"],
                "email_notifications": True,
                "min_priority": "low",
                "quiet_hours": None,
                "work_days": SEVEN_DAYS,
            },
        ),
        (
            "seller",
            {
                "notification_types": ["unanswered", "hot_lead", "follow_up"],
                "email_notifications": False,
                "min_priority": "medium",
                "quiet_hours": {"start": "22:00", "end": "08:00"},
                "work_days": MONDAY_TO_FRIDAY,
            },
        ),
        (
            "secretary",
            {
                "notification_types": ["unanswered"],
                "email_notifications": False,
                "min_priority": "high",
                "quiet_hours": None,
                "work_days": MONDAY_TO_FRIDAY,
            },
        ),
        (
            "admin",
            {
                "notification_types": ["unanswered", "hot_lead", "follow_up", "performance"],
                "email_notifications": False,
                "min_priority": "low",
                "quiet_hours": None,
                "work_days": SEVEN_DAYS,
            },
        ),
    ],
)
def test_the_roles_presets(role: str, expected: dict[str, Any]) -> None:
    assert presets(role) == COMMON | expected


def test_the_defaults_of_the_settings_narrow_types_and_push_and_widen_mail() -> None:
    changed = {
        "default_notification_types": ("hot_lead", "performance"),
        "default_push_notifications": False,
        "default_email_notifications": True,
    }
    found = {role: presets(role, **changed) for role in ("ceo", "seller", "secretary", "admin")}
    assert {role: one["notification_types"] for role, one in found.items()} == {
        "ceo": ["hot_lead", "performance"],
        "seller": ["hot_lead"],
        "secretary": [],
        "admin": ["hot_lead", "performance"],
    }
    assert [one["push_notifications"] for one in found.values()] == [False] * 4
    assert [one["email_notifications"] for one in found.values()] == [True] * 4
