"""What the terminal client prints, for people and for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from crmtray.cache import Cache
from crmtray.protocol import Notification, NotificationAction, User
from crmtray.relative_time import day_month
from crmtray.session import ConnectionState
from crmtray.terminal import JsonOutput, TextOutput, View, clean, print_list, signed_in_line
from crmtray.words import speak
from tests.client.support import NOW, gone, item, page, put

LOCAL_TIME = f"{NOW.astimezone():%H:%M}"


@pytest.fixture
def cache() -> Iterator[Cache]:
    cache = Cache.open(None)
    cache.apply(page(reset=True), now=NOW)
    yield cache
    cache.close()


def at(number: int, **more: object) -> Notification:
    return item(f"n{number}", number, created_at=NOW, **more)  # type: ignore[arg-type]


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def objects(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines(stream)]


async def test_an_alert_is_one_line_with_time_icon_words_and_buttons(cache: Cache) -> None:
    stream = io.StringIO()
    view = View(cache, TextOutput(stream))
    applied = cache.apply(page(put(at(1, message="Quiere comprar " + "hoy " * 100))), now=NOW)
    view.arrived(applied.arrived, False)
    first = lines(stream)[0]
    assert first.startswith(f"{LOCAL_TIME}  🔥 Lead caliente · Quiere comprar hoy") and first.endswith("  [Contactar]")
    assert lines(stream)[1].strip() == "1 sin leer" and "\x1b" not in stream.getvalue()


async def test_a_title_with_a_picture_of_its_own_gets_no_second_one(cache: Cache) -> None:
    stream = io.StringIO()
    TextOutput(stream).alert(at(1, title="⏰ Recordatorio", type="follow_up_reminder"))
    assert lines(stream)[0].startswith(f"{LOCAL_TIME}  ⏰ Recordatorio")


async def test_remote_text_cannot_write_to_the_terminal(cache: Cache) -> None:
    stream = io.StringIO()
    nasty = "Ana\x1b[2J\x1b]0;hacked\x07\r\n[bold red]x[/] \u202e"
    button = NotificationAction("ir\x1b[0m\nya", "contact_lead")
    view = View(cache, TextOutput(stream))
    alert = at(1, title=nasty)
    view.arrived([alert], False)
    TextOutput(stream).alert(replace(alert, actions=(button,)))
    shown = stream.getvalue()
    assert all(c.isprintable() or c == "\n" for c in shown) and "[bold red]x[/]" in shown
    assert len(lines(stream)) == 3


async def test_programs_get_the_wire_form_with_what_happened(cache: Cache) -> None:
    stream = io.StringIO()
    view = View(cache, JsonOutput(stream))
    view.connection(ConnectionState.REAL_TIME, "En tiempo real")
    applied = cache.apply(page(put(at(1))), now=NOW)
    view.changed({"n1"})
    view.arrived(applied.arrived, False)
    cache.apply(page(put(at(2, read=True)), seq=2), now=NOW)
    read_elsewhere = item("n1", 3, created_at=NOW, read=True, read_at=NOW)
    cache.apply(page(put(read_elsewhere)), now=NOW)
    view.changed({"n1"})
    cache.apply(page(gone("n1", 4)), now=NOW)
    view.changed({"n1"})
    view.refused("n1", "No hay permiso.")
    told = objects(stream)
    assert [entry["event"] for entry in told] == [
        "connection",
        "new_notification",
        "notification_count_update",
        "notification_updated",
        "notification_count_update",
        "notification_removed",
        "notification_count_update",
        "refused",
    ]
    assert told[0]["state"] == "real_time"
    assert told[1] == {"event": "new_notification", "catching_up": False, **at(1).to_wire()}
    assert Notification.from_wire(told[3]) == read_elsewhere
    assert told[5]["id"] == "n1"


async def test_a_long_absence_is_summed_up(cache: Cache) -> None:
    stream = io.StringIO()
    view = View(cache, TextOutput(stream))
    missed = [item(f"n{number}", number, created_at=NOW + timedelta(seconds=number)) for number in range(1, 15)]
    view.arrived([*missed, at(99, read=True)], True)
    printed = lines(stream)
    assert printed[0] == "… y antes: 4 leads calientes" and len(printed) == 12


async def test_programs_get_every_one_of_them(cache: Cache) -> None:
    stream = io.StringIO()
    View(cache, JsonOutput(stream)).arrived([at(number) for number in range(1, 15)], True)
    news = [entry for entry in objects(stream) if entry["event"] == "new_notification"]
    assert len(news) == 14 and all(entry["catching_up"] for entry in news)


async def test_states_differ_by_more_than_colour(cache: Cache) -> None:
    stream = io.StringIO()
    view = View(cache, TextOutput(stream))
    view.connection(ConnectionState.REAL_TIME, "En tiempo real")
    view.connection(ConnectionState.POLLING, "Actualizando cada 30s")
    view.connection(ConnectionState.OFFLINE, "Sin conexión")
    assert lines(stream) == ["● En tiempo real", "◐ Actualizando cada 30s", "○ Sin conexión"]


async def test_what_was_printed_is_not_toasted_later(cache: Cache) -> None:
    view = View(cache, TextOutput(io.StringIO()))
    view.arrived(cache.apply(page(put(at(1))), now=NOW).arrived, False)
    assert cache.pending_toasts(now=NOW) == []


def test_a_list_has_dates_and_an_empty_one_says_so() -> None:
    stream = io.StringIO()
    print_list([at(1)], as_json=False, stream=stream)
    assert lines(stream)[0].startswith(f"{day_month(NOW.astimezone()):>6} {LOCAL_TIME}  🔥")
    empty, nothing = io.StringIO(), io.StringIO()
    print_list([], as_json=False, stream=empty)
    print_list([], as_json=True, stream=nothing)
    assert empty.getvalue() == "No hay notificaciones.\n" and nothing.getvalue() == ""


@pytest.mark.parametrize(
    ("user", "line"),
    [
        (User("7", "t", "Ana López", "ana@example.com", "seller"), "Sesión iniciada: Ana López (ventas)"),
        (User("7", "t", "", "ana@example.com", "ceo"), "Sesión iniciada: ana@example.com (dirección)"),
        (User("7", "t", "Ana", "", ""), "Sesión iniciada: Ana"),
    ],
)
def test_who_is_signed_in(user: User, line: str) -> None:
    assert signed_in_line(user) == line


@pytest.fixture
def english() -> Iterator[None]:
    speak("en")
    yield
    speak("es")


@pytest.mark.usefixtures("english")
async def test_it_speaks_english_too(cache: Cache) -> None:
    stream = io.StringIO()
    view = View(cache, TextOutput(stream))
    view.arrived([item(f"n{number}", number, created_at=NOW) for number in range(1, 12)], True)
    assert lines(stream)[0] == "… and earlier: 1 hot lead"
    print_list([], as_json=False, stream=stream)
    assert lines(stream)[-1] == "No notifications."
    assert signed_in_line(User("7", "t", "Ana", "a@b.c", "ceo")) == "Signed in: Ana (management)"


def test_clean_keeps_words_and_emoji() -> None:
    assert clean("señal 🔔 ¡ya!") == "señal 🔔 ¡ya!" and clean("a\nb\tc") == "a b c"
