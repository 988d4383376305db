"""How long ago, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crmtray.relative_time import relative
from tests.client.support import NOW

BUENOS_AIRES = ZoneInfo("America/Argentina/Buenos_Aires")


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-30), "Ahora mismo"),
        (timedelta(), "Ahora mismo"),
        (timedelta(seconds=59), "Ahora mismo"),
        (timedelta(seconds=60), "Hace 1 min"),
        (timedelta(minutes=59, seconds=59), "Hace 59 min"),
        (timedelta(hours=1), "Hace 1 h"),
        (timedelta(hours=23, minutes=59), "Hace 23 h"),
        (timedelta(hours=24), "26 feb"),
        (timedelta(days=365), "27 feb 2025"),
    ],
)
def test_relative(age: timedelta, text: str) -> None:
    assert relative(NOW - age, NOW, UTC) == text


def test_the_date_is_that_of_the_readers_clock() -> None:
    moment, now = datetime(2026, 1, 1, 2, 0, tzinfo=UTC), datetime(2026, 1, 3, 12, 0, tzinfo=UTC)
    assert relative(moment, now, BUENOS_AIRES) == "31 dic 2025"
    assert relative(moment, now, UTC) == "1 ene"
