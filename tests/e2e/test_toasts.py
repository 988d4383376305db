"""Toasts on real notification services: xfce4-notifyd draws buttons, dunst has a menu for them."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmtray.paths import resource
from crmtray.ui.freedesktop_toasts import NAME, FreedesktopToasts
from crmtray.ui.sounds import Sound
from crmtray.ui.toast_card import Card, ToastButton
from tests.e2e.workstation import PASSWORD, workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess
from tests.server.reference_crm import ReferenceCrm

XFCE = "xfce4-notifyd"
SOUND = Sound("message-new-instant", "", "sounds/high.wav")


class Person:
    """What was pressed, and what was told of toasts that went."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.closed: list[str] = []
        self.lost: list[str] = []

    def button(self, label: str) -> ToastButton:
        return ToastButton(label, lambda: self.did.append(label))

    def card(self, key: str, body: str = "Texto", *, seconds: float | None = 30) -> Card:
        buttons = (self.button("Marcar como contactado"), self.button("Reasignar"))
        clicked = self.button("Abrir")
        title = f"Aviso {key}"
        return Card(key, "", title, body, buttons, clicked.pressed, "normal", seconds, click_label="Abrir")

    def watch(self, toasts: FreedesktopToasts) -> None:
        toasts.closed = self.closed.append
        toasts.lost = self._lost

    def _lost(self, keys: Collection[str]) -> None:
        self.lost += keys


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture(scope="module")
def xfce() -> Iterator[Desktop]:
    with desktop(tray=False, keyring=False) as session:
        yield session


@pytest.fixture(scope="module")
def bare() -> Iterator[Desktop]:
    """Without a service: the test starts its own."""
    with desktop(tray=False, notifications=False, keyring=False) as session:
        yield session


@pytest.fixture
def played() -> list[Sound]:
    return []


@pytest.fixture
async def toasts(person: Person, played: list[Sound]) -> AsyncIterator[FreedesktopToasts]:
    """Meant for the desktop that `on` names."""
    toasts = FreedesktopToasts(resource("icons/crmtray-64.png"), play=played.append)
    person.watch(toasts)
    yield toasts
    await toasts.close()


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Desktop], None]:
    return lambda session: monkeypatch.setenv(
        "DBUS_SESSION_BUS_ADDRESS", session.environment["DBUS_SESSION_BUS_ADDRESS"]
    )


async def until(look: Callable[[], object], what: str) -> None:
    """As `wait_until`, with the loop going on meanwhile."""
    end = time.monotonic() + 20
    while not await asyncio.to_thread(look):
        assert time.monotonic() < end, f"waited in vain for {what}"
        await asyncio.sleep(0.05)


@contextmanager
def dunst(session: Desktop, folder: Path, choose: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """`choose`: what the person takes from its menu of buttons."""
    menu = folder / "menu"
    menu.write_text(f"#!/bin/sh\ngrep -m 1 '{choose}'\n")
    menu.chmod(0o755)
    settings = folder / "dunstrc"
    settings.write_text(f"[global]\n  dmenu = {menu}\n")
    process = session.start(["dunst", "-conf", str(settings)], folder / "dunst.log")
    try:
        wait_until(lambda: has_service(session), "dunst")
        yield process
    finally:
        process.terminate()
        process.wait()


def has_service(session: Desktop) -> bool:
    call = ["gdbus", "call", "--session", "-d", "org.freedesktop.DBus", "-o", "/org/freedesktop/DBus"]
    return "true" in session.run([*call, "-m", "org.freedesktop.DBus.NameHasOwner", NAME])


# --- xfce4-notifyd ----------------------------------------------------------------------------------------------


async def test_a_button_of_a_real_toast(
    xfce: Desktop, on: Callable[[Desktop], None], toasts: FreedesktopToasts, person: Person
) -> None:
    on(xfce)
    assert await toasts.show(person.card("a", "<b>Ana</b> & Cía"))
    await until(lambda: "Marcar como contactado" in xfce.names(XFCE), "the button")
    assert "<b>Ana</b> & Cía" in [thing["name"] or thing["text"] for thing in xfce.seen(XFCE)]
    assert "Abrir" not in xfce.names(XFCE), "this service would draw the click as a button"
    await asyncio.to_thread(xfce.press, "Marcar como contactado", XFCE)
    await until(lambda: person.did, "the press")
    assert (person.did, person.closed) == (["Marcar como contactado"], ["a"])


async def test_another_under_the_same_key_takes_its_place_and_is_taken_back(
    xfce: Desktop, on: Callable[[Desktop], None], toasts: FreedesktopToasts, person: Person
) -> None:
    on(xfce)
    await toasts.show(person.card("summary", "3 sin responder"))
    await until(lambda: "3 sin responder" in xfce.names(XFCE), "the first")
    await toasts.show(person.card("summary", "5 sin responder"))
    await until(lambda: "5 sin responder" in xfce.names(XFCE), "the second")
    assert xfce.names(XFCE).count("Aviso summary") == 1 and "3 sin responder" not in xfce.names(XFCE)
    await toasts.withdraw("summary")
    await until(lambda: "5 sin responder" not in xfce.names(XFCE), "the end")
    assert person.closed == []


async def test_an_expired_toast_is_known_to_be_gone(
    xfce: Desktop, on: Callable[[Desktop], None], toasts: FreedesktopToasts, person: Person
) -> None:
    on(xfce)
    await toasts.show(person.card("a", seconds=1))
    await until(lambda: person.closed == ["a"], "its end")


async def test_a_service_without_sounds_gets_none_and_we_play_it(
    xfce: Desktop, on: Callable[[Desktop], None], toasts: FreedesktopToasts, person: Person, played: list[Sound]
) -> None:
    on(xfce)
    await toasts.show(replace(person.card("a"), sound=SOUND))
    await toasts.show(person.card("b"))
    assert played == [SOUND]


# --- the whole program -------------------------------------------------------------------------------------------


def somebody_waits(crm: ReferenceCrm, conversation: int) -> str:
    """The phone number that an alert will show."""
    crm.conversation(conversation, datetime.now(UTC) - timedelta(hours=2))
    return f"+549110000{conversation:04}"


def active_window(session: Desktop) -> str:
    return session.run(["xprop", "-root", "_NET_ACTIVE_WINDOW"])


@pytest.mark.timeout(180)
def test_a_service_that_dies_with_a_toast_on_the_screen_loses_nothing(
    crm: ReferenceCrm, server: ServerProcess, tmp_path: Path
) -> None:
    with desktop(notifications=False) as session, workstation(session, tmp_path) as station:
        station.sign_in(server.url, "juan@demo.example", PASSWORD)
        station.start()
        station.wait_for_tooltip("En tiempo real")
        wait_until(lambda: "Notificaciones" in session.names("crmtray"), "the center")
        session.run(["xdotool", "key", "Escape"])  # else it would be told there
        wait_until(lambda: "Notificaciones" not in session.names("crmtray"), "its end")
        with dunst(session, tmp_path) as service:
            phone = somebody_waits(crm, 11)
            station.wait_for_toast(phone)
            worked_in = active_window(session)
            service.kill()
            wait_until(lambda: "Cerrar" in session.names("crmtray"), "our own window")
        assert active_window(session) == worked_in
        station.press("Cerrar", "crmtray")
        wait_until(lambda: "Cerrar" not in session.names("crmtray"), "it to close")
        with dunst(session, tmp_path):
            asked = len(station.toasts())
            other = somebody_waits(crm, 12)
            wait_until(
                lambda: len(station.toasts()) > asked and other in station.toasts()[-1], "dunst to be used again"
            )
            wait_until(lambda: session.run(["dunstctl", "count", "displayed"]).strip() == "1", "it to be on the screen")
        station.stop()


# --- dunst, and none --------------------------------------------------------------------------------------------


async def test_a_button_and_a_click_in_dunst(
    bare: Desktop, on: Callable[[Desktop], None], toasts: FreedesktopToasts, person: Person, tmp_path: Path
) -> None:
    on(bare)
    with dunst(bare, tmp_path, choose="Reasignar"):
        await toasts.show(person.card("a"))
        await asyncio.to_thread(bare.run, ["dunstctl", "context"])
        await until(lambda: person.did == ["Reasignar"], "the choice from its menu")
        await toasts.show(person.card("b"))
        await asyncio.to_thread(bare.run, ["dunstctl", "action"])
        await until(lambda: person.did == ["Reasignar", "Abrir"], "the click")


async def test_a_service_that_dies_is_told_and_one_that_comes_is_used_at_once(
    bare: Desktop, on: Callable[[Desktop], None], toasts: FreedesktopToasts, person: Person, tmp_path: Path
) -> None:
    on(bare)
    assert not await toasts.show(person.card("early"))
    with dunst(bare, tmp_path) as service:
        await until(lambda: toasts._failed_at is None, "the service to be noticed")
        assert await toasts.show(person.card("a", seconds=None))
        service.kill()
        await until(lambda: person.lost == ["a"], "its end to be noticed")
        assert not await toasts.show(person.card("a", seconds=None))
    with dunst(bare, tmp_path):
        await until(lambda: toasts._failed_at is None, "the next one to be noticed")
        assert await toasts.show(person.card("b"))
