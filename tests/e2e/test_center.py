"""The center on a real desktop and a real server, by keyboard: an item in full, why it was told, a search, a tab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.workstation import workstation
from tests.harness.desktop import Desktop, desktop, wait_until

pytestmark = pytest.mark.timeout(120)


def keys(session: Desktop, *pressed: str) -> None:
    session.run(["xdotool", "key", "--clearmodifiers", *pressed])


def until_shown(session: Desktop, looks: Callable[[list[str]], bool], what: str) -> None:
    wait_until(lambda: looks(session.names("crmtray")), what)


def test_an_item_is_opened_explained_and_left_by_keyboard(tmp_path: Path) -> None:
    with desktop() as session, workstation(session, tmp_path) as station:
        station.start("demo")
        station.wait_for_tooltip("En tiempo real")
        until_shown(session, lambda names: any(name.startswith("Sin leer. ") for name in names), "rows")
        wait_until(
            lambda: session.run(["xdotool", "getactivewindow", "getwindowname"]).strip(), "a window with the focus"
        )
        keys(session, "Return")
        until_shown(session, lambda names: "¿Por qué recibí esto?" in names, "the details")
        session.press("¿Por qué recibí esto?", "crmtray")
        until_shown(session, lambda names: {"Regla", "Decisión", "Se mostró como alerta."} <= set(names), "the answer")
        keys(session, "Escape")
        until_shown(session, lambda names: "Limpiar todas" in names, "the list again")
        keys(session, "ctrl+f")
        session.run(["xdotool", "type", "--delay", "1", "nada de esto"])
        until_shown(session, lambda names: "Sin resultados" in names, "that nothing was found")
        keys(session, "Escape")
        keys(session, "ctrl+3")
        until_shown(session, lambda names: "Nada pospuesto" in names, "the snoozed ones")
        station.stop()
