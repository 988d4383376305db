"""The program in another language: every sentence has its translation, and it changes while the program runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from crmtray.relative_time import clock_time, day_heading, relative
from crmtray.ui.fields import plain
from crmtray.ui.language import Language
from crmtray.ui.login import LoginWindow
from crmtray.ui.tray import Tray

ROOT = Path(__file__).parents[2]
TS = ROOT / "resources/translations/crmtray_en.ts"
NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


@pytest.fixture
def language(qapp: QApplication) -> Iterator[Language]:
    language = Language.of(qapp)
    language.use("es")
    yield language
    language.use("es")
    _tell()


def _tell() -> None:
    """Qt posts the change to the windows."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.LanguageChange.value)
    QApplication.processEvents()


def _messages(path: Path) -> dict[tuple[str, str], str]:
    found = {}
    for context in ET.parse(path).getroot().iter("context"):
        for message in context.iter("message"):
            key = context.findtext("name") or "", message.findtext("source") or ""
            found[key] = message.findtext("translation") or ""
    return found


def test_every_sentence_of_the_source_is_translated(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.ts"
    prefix = Path(sysconfig.get_path("scripts")).parent
    script = [shutil.which("sh") or "sh", str(ROOT / "scripts/translations"), str(fresh)]
    subprocess.run(script, check=True, capture_output=True, env={**os.environ, "VIRTUAL_ENV": str(prefix)})
    there, wanted = _messages(TS), _messages(fresh)
    assert wanted.keys() == there.keys(), "run scripts/translations, and translate what is new"
    assert not [key for key, text in there.items() if not text.strip() and key[1].strip()]


def test_translations_have_the_places_of_the_source() -> None:
    for (_, source), text in _messages(TS).items():
        assert re.findall(r"{\w*}|%n", source) == re.findall(r"{\w*}|%n", text), source


def test_what_is_compiled_is_what_is_written(qapp: QApplication, language: Language) -> None:
    language.use("en")
    for (context, source), text in _messages(TS).items():
        assert QCoreApplication.translate(context, source) == text


def test_windows_and_the_tray_change_while_they_are_open(qtbot: QtBot, language: Language) -> None:
    window, tray = LoginWindow(), Tray()
    qtbot.addWidget(window)
    qtbot.addWidget(tray.menu)
    language.changed.connect(tray.retranslate)
    window.open(None)
    language.use("en")
    _tell()
    assert (window.enter.text(), window.password.accessibleName()) == ("Sign in", "Password")
    assert "Password" in [label.text() for label in window.findChildren(QLabel)]
    assert {"Sign in…", "Settings…", "Quit"} <= {action.text() for action in tray.menu.actions()}
    assert tray.quiet_menu.title() == "Do not disturb"
    language.use("es")
    _tell()
    assert window.enter.text() == "Entrar"
    assert "Salir" in {action.text() for action in tray.menu.actions()}
    language.changed.disconnect(tray.retranslate)
    tray.hide()


def test_moments_and_numbers_follow(language: Language) -> None:
    def told() -> list[str]:
        return [
            relative(NOW - timedelta(minutes=5), NOW, UTC),
            relative(NOW - timedelta(days=40), NOW, UTC),
            day_heading(NOW - timedelta(days=1), NOW, UTC),
            clock_time(NOW + timedelta(days=1), NOW, UTC),
            clock_time(NOW + timedelta(days=40), NOW, UTC),
            plain(1500.5),
        ]

    assert told() == ["Hace 5 min", "29 ene", "Ayer", "mañana 15:00", "19 de abril, 15:00", "1.500,5"]
    language.use("en")
    assert told() == ["5 min ago", "29 Jan", "Yesterday", "tomorrow 15:00", "19 April, 15:00", "1,500.5"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there the system's language is no variable")
@pytest.mark.parametrize(
    ("system", "spoken"), [("en_GB.UTF-8", "en"), ("es_MX.UTF-8", "es"), ("C", "es"), ("fr_FR.UTF-8", "es")]
)
def test_the_language_is_the_systems(system: str, spoken: str) -> None:
    code = "from crmtray.ui.language import spoken_by_system; print(spoken_by_system())"
    env = {**os.environ, "LC_ALL": system, "LANG": system, "LANGUAGE": ""}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.stdout.strip() == spoken


def test_the_fields_and_buttons_of_the_login_have_names(qtbot: QtBot, language: Language) -> None:
    window = LoginWindow()
    qtbot.addWidget(window)
    assert all(edit.accessibleName() for edit in (window.server, window.email, window.password))
    assert all(button.text() for button in window.findChildren(QPushButton))
