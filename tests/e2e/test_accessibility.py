"""What a screen reader finds in the real program, over AT-SPI: each control with its name and its role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workstation import Workstation, workstation
from tests.harness.desktop import Desktop, desktop, wait_until

pytestmark = pytest.mark.timeout(240)

CONTROLS = {
    "push button", "toggle button", "check box", "radio button", "page tab", "page tab list", "text", "entry",
    "password text", "combo box", "spin button", "list", "list item", "menu item", "check menu item", "popup menu",
    "button menu", "menu", "label",
}  # fmt: skip
"""The roles that something which can have the focus may have: each is announced for what it does."""
NEEDS_NAME = CONTROLS - {"label", "list", "popup menu", "page tab list", "menu"}
ENGLISH = {
    "Configuración…": "Settings…",
    "Correo electrónico": "Email",
    "Contraseña": "Password",
    "Servidor": "Server",
    "Entrar": "Sign in",
    "Falta la contraseña.": "Enter your password.",
    "Avisos": "Alerts",
    "Este equipo": "This computer",
    "Alertas de rendimiento": "Performance alerts",
    "Sonido con cada aviso": "Play a sound with each alert",
    "Limpiar todas": "Clear all",
    "Todas": "All",
    "Posponer": "Snooze",
    "Fecha y hora": "Date and time",
    "Volver": "Back",
    "¿Por qué recibí esto?": "Why did I get this?",
    "Cerrar": "Close",
    "Sin leer. ": "Unread. ",
}

Seen = list[dict[str, Any]]


@pytest.fixture(scope="module")
def office() -> Iterator[Desktop]:
    """Without a notification service: the toasts are our own windows."""
    with desktop(notifications=False) as session:
        yield session


@pytest.fixture(params=["es", "en"])
def language(request: pytest.FixtureRequest, office: Desktop) -> Iterator[str]:
    folder = Path(office.environment["XDG_CONFIG_HOME"]) / "crmtray"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(f'language = "{request.param}"\n')
    yield request.param
    (folder / "config.toml").unlink()


@pytest.fixture
def station(office: Desktop, tmp_path: Path) -> Iterator[Workstation]:
    with workstation(office, tmp_path) as station:
        yield station


class Reader:
    """Looks at a window as somebody does who hears it, and finds fault."""

    def __init__(self, station: Workstation, language: str) -> None:
        self.desktop, self.station, self.language = station.desktop, station, language

    def word(self, spanish: str) -> str:
        return spanish if self.language == "es" else ENGLISH[spanish]

    def seen(self) -> Seen:
        return self.desktop.seen("crmtray")

    def until(self, *words: str) -> Seen:
        """Until things called so are there; then what all is there."""
        wanted = [self.word(word) for word in words]

        def look() -> Seen:
            seen = self.seen()
            return seen if all(any(one["name"].startswith(word) for one in seen) for word in wanted) else []

        return wait_until(look, " and ".join(wanted))

    def press(self, word: str) -> None:
        self.station.press(self.word(word), "crmtray")

    def keys(self, *pressed: str) -> None:
        self.desktop.run(["xdotool", "key", "--clearmodifiers", *pressed])

    def approve(self, seen: Seen) -> Seen:
        assert faults(seen) == []
        return seen


def faults(seen: Seen) -> list[str]:
    found = []
    for one in seen:
        what = f"{one['role']} {one['name']!r} at {one['path']} {one['place']}"
        if one["focusable"] and one["role"] not in CONTROLS:
            found.append(f"can have the focus and is announced as: {what}")
        if one["role"] in NEEDS_NAME and not one["name"].strip() and not _part_of_another(one, seen):
            found.append(f"has no name: {what}")
        if one["role"] in ("push button", "check box", "page tab", "label") and not _inside(one, seen):
            found.append(f"is cut by its window: {what}")
    return found


def _part_of_another(one: dict[str, Any], seen: Seen) -> bool:
    """The text field inside of a field with a list or with arrows is that one's part."""
    parent = next((other for other in seen if other["path"] == one["path"][:-1]), None)
    return parent is not None and parent["role"] in ("combo box", "spin button") and bool(parent["name"])


def _inside(one: dict[str, Any], seen: Seen) -> bool:
    """Not cut to the right or left; up and down a page may scroll."""
    frame = next((other for other in seen if other["path"] == one["path"][:1]), None)
    if frame is None or not one["name"]:
        return True
    left, _, width, height = one["place"]
    start, end = frame["place"][0], frame["place"][0] + frame["place"][2]
    return bool(width > 0 and height > 0 and start <= left and left + width <= end)


def roles(seen: Seen, name: str) -> set[str]:
    return {one["role"] for one in seen if one["name"] == name}


def test_signing_in(station: Workstation, language: str) -> None:
    station.start()
    reader = Reader(station, language)
    seen = reader.approve(reader.until("Correo electrónico", "Contraseña", "Servidor", "Entrar"))
    assert "password text" in roles(seen, reader.word("Contraseña"))
    station.desktop.type_into(reader.word("Servidor"), "https://crm.example", "crmtray")
    station.desktop.type_into(reader.word("Correo electrónico"), "ana@example.com", "crmtray")
    reader.press("Entrar")
    seen = reader.approve(reader.until("Falta la contraseña."))
    field = next(one for one in seen if one["focused"] and one["role"] == "password text")
    assert field["description"] == reader.word("Falta la contraseña."), "it is said with the field"
    station.stop()


def test_every_window_of_who_is_signed_in(station: Workstation, language: str) -> None:
    station.start("demo")
    reader = Reader(station, language)
    _the_center(reader)
    _an_item(reader)
    _the_settings(reader)
    _a_toast(reader)
    station.stop()


def _the_center(reader: Reader) -> None:
    seen = reader.approve(reader.until("Limpiar todas", "Todas", "Sin leer. "))
    assert "page tab" in roles(seen, reader.word("Todas"))
    rows = [one for one in seen if one["role"] == "list item" and one["name"].startswith(reader.word("Sin leer. "))]
    assert len(rows) > 1
    wait_until(
        lambda: reader.desktop.run(["xdotool", "getactivewindow", "getwindowname"]).strip(), "a window with the focus"
    )
    reader.keys("Down", "Up", "Tab")

    def with_focus() -> Seen:
        return [one for one in reader.seen() if one["focused"] and one["role"] == "push button"]

    [first] = wait_until(with_focus, "the focus on a painted button")
    reader.keys("Right")
    wait_until(lambda: with_focus() and with_focus()[0]["name"] != first["name"], "the focus on the next one")
    reader.keys("Left", "Left")


def _an_item(reader: Reader) -> None:
    reader.keys("Return")
    reader.approve(reader.until("Volver", "¿Por qué recibí esto?"))
    while (
        reader.desktop.names("crmtray").count(reader.word("Posponer")) > 1
    ):  # a reminder has a button of that name too
        reader.keys("Escape")
        reader.until("Limpiar todas")
        reader.keys("Down", "Return")
        reader.approve(reader.until("Volver", "¿Por qué recibí esto?"))
    reader.press("¿Por qué recibí esto?")
    reader.press("Posponer")
    # Qt tells a screen reader of a menu by events only; it stands in no list. Its last entry asks for a moment.
    reader.keys("Up", "Return")
    reader.approve(reader.until("Fecha y hora"))
    reader.keys("Escape")
    wait_until(lambda: reader.word("Fecha y hora") not in reader.desktop.names("crmtray"), "the end of the form")
    reader.press("Volver")
    reader.until("Limpiar todas")


def _the_settings(reader: Reader) -> None:
    reader.desktop.press_tray(reader.word("Configuración…"))
    seen = reader.approve(reader.until("Alertas de rendimiento"))
    assert "page tab" in roles(seen, reader.word("Este equipo"))
    reader.press("Este equipo")
    reader.approve(reader.until("Sonido con cada aviso"))
    reader.press("Cerrar")


def _a_toast(reader: Reader) -> None:
    """The demo makes one again and again; with the center closed it comes up."""
    reader.keys("Escape")

    def toasts() -> Seen:
        seen = reader.seen()
        windows = {tuple(one["path"]) for one in seen if len(one["path"]) == 1 and one["place"][2] <= 400}
        return [one for one in seen if tuple(one["path"][:1]) in windows]

    seen = wait_until(toasts, "a toast of our own", seconds=60)
    reader.approve(seen)


def test_whoever_lists_a_window_that_closes_does_not_end_the_program(station: Workstation) -> None:
    station.start("demo")
    reader = Reader(station, "es")
    reader.until("Limpiar todas")
    for _ in range(6):
        reader.desktop.press_tray("Configuración…")
        reader.until("Alertas de rendimiento")
        reader.press("Cerrar")
        for _ in range(3):
            reader.seen()
    station.stop()
