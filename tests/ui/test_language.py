"""The program in another language: every sentence has its translation, and it changes while the program runs."""

from __future__ import annotations

import os
import plistlib
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
from PySide6.QtCore import QCoreApplication, QEvent, QLocale
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from crmtray import region
from crmtray.alerts import summary_text
from crmtray.region import Region, number
from crmtray.relative_time import clock_time, day_heading, day_month, relative
from crmtray.system_language import language_of, of_environment, of_mac
from crmtray.ui.language import Language, locale_of, region_of
from crmtray.ui.login import LoginWindow
from crmtray.ui.tray import Tray
from crmtray.words import SPOKEN, say
from tests.client.support import item

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


def _ts(language: str) -> Path:
    return ROOT / "resources/translations" / f"crmtray_{language}.ts"


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


Forms = tuple[str, ...]


def _messages(path: Path) -> dict[tuple[str, str], Forms]:
    found = {}
    for context in ET.parse(path).getroot().iter("context"):
        for message in context.iter("message"):
            key = context.findtext("name") or "", message.findtext("source") or ""
            counted = tuple(form.text or "" for form in message.iter("numerusform"))
            found[key] = counted or (message.findtext("translation") or "",)
    return found


def test_every_sentence_of_the_source_is_translated(tmp_path: Path) -> None:
    prefix = Path(sysconfig.get_path("scripts")).parent
    script = [shutil.which("sh") or "sh", str(ROOT / "scripts/translations"), str(tmp_path)]
    subprocess.run(script, check=True, capture_output=True, env={**os.environ, "VIRTUAL_ENV": str(prefix)})
    for name in SPOKEN:
        there, wanted = _messages(_ts(name)), _messages(tmp_path / f"crmtray_{name}.ts")
        assert wanted.keys() == there.keys(), "run scripts/translations, and translate what is new"
        assert not [key for key, forms in there.items() if not all(form.strip() for form in forms)]


def test_sentences_are_found_where_the_program_looks_for_them() -> None:
    """The tools take `other.tr(…)`, or the `tr` within another's `say(…)`, for a sentence of a class of that name."""
    assert [context for context, _ in _messages(_ts("en")) if context and not context.isidentifier()] == []


@pytest.mark.parametrize("name", SPOKEN)
def test_translations_have_the_places_of_the_source(name: str) -> None:
    for (_, source), forms in _messages(_ts(name)).items():
        for text in forms:
            assert re.findall(r"{\w*}|%n", source) == re.findall(r"{\w*}|%n", text), source


@pytest.mark.parametrize("name", SPOKEN)
def test_what_is_compiled_is_what_is_written(qapp: QApplication, language: Language, name: str) -> None:
    language.use(name)
    for (context, source), forms in _messages(_ts(name)).items():
        for form, n in zip(forms, (1, 5), strict=False):
            count, wanted = (n, form.replace("%n", str(n))) if len(forms) > 1 else (-1, form)
            assert QCoreApplication.translate(context, source, None, count) == wanted
            if not context:
                assert say(source, "", None if count < 0 else count) == wanted, "without Qt as with it"


@pytest.mark.parametrize(
    ("name", "one", "several"),
    [("es", "1 lead caliente", "3 leads calientes"), ("en", "1 hot lead", "3 hot leads")],
)
def test_one_is_told_otherwise_than_several(language: Language, name: str, one: str, several: str) -> None:
    language.use(name)
    assert (summary_text([item("a", 1)]), summary_text([item(id, 1) for id in "abc"])) == (one, several)


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
            number(1500.5, 1),
        ]

    assert told() == ["Hace 5 min", "29 ene", "Ayer", "mañana 15:00", "19 de abril, 15:00", "1.500,5"]
    language.use("en")
    assert told() == ["5 min ago", "29 Jan", "Yesterday", "tomorrow 15:00", "19 April, 15:00", "1,500.5"]


@pytest.mark.parametrize(
    ("system", "language_in_use", "told"),
    [
        ("es_AR", "es", ("1.500,5", "3 mar", "9:00")),
        ("es_MX", "es", ("1,500.5", "3 mar", "9:00")),
        ("en_GB", "en", ("1,500.5", "3 Mar", "09:00")),
        ("en_US", "en", ("1,500.5", "Mar 3", "9:00\u00a0AM")),
        ("es_AR", "en", ("1,500.5", "3 Mar", "09:00")),
        ("en_US", "es", ("1.500,5", "3 mar", "9:00")),
    ],
)
def test_numbers_and_hours_are_those_of_the_persons_country(
    language: Language, system: str, language_in_use: str, told: tuple[str, str, str]
) -> None:
    """When the country speaks the language in use; else what most that speak it have in common."""
    language.use(language_in_use)
    region.use(region_of(locale_of(language_in_use, QLocale(system))))
    try:
        day = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
        assert (number(1500.5, 1), day_month(day), region.hour(day)) == told
    finally:
        region.use(Region())


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there the system's language is no variable")
@pytest.mark.parametrize(
    ("system", "spoken"), [("en_GB.UTF-8", "en"), ("es_MX.UTF-8", "es"), ("C", "es"), ("fr_FR.UTF-8", "es")]
)
def test_the_language_is_the_systems(system: str, spoken: str) -> None:
    code = "from crmtray.ui.language import spoken_by_system; print(spoken_by_system())"
    env = {**os.environ, "LC_ALL": system, "LANG": system, "LANGUAGE": ""}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.stdout.strip() == spoken
    assert language_of(of_environment({"LC_ALL": system, "LANG": "en_US.UTF-8"})) == spoken, "as in the terminal"


def test_the_terminal_knows_the_languages_of_a_mac(tmp_path: Path) -> None:
    file = tmp_path / "Library/Preferences/.GlobalPreferences.plist"
    assert language_of(of_mac(tmp_path)) == "es"
    file.parent.mkdir(parents=True)
    file.write_bytes(plistlib.dumps({"AppleLanguages": ["fr-FR", "en-GB", "es-419"]}, fmt=plistlib.FMT_BINARY))
    assert language_of(of_mac(tmp_path)) == "en"


def test_the_fields_and_buttons_of_the_login_have_names(qtbot: QtBot, language: Language) -> None:
    window = LoginWindow()
    qtbot.addWidget(window)
    assert all(edit.accessibleName() for edit in (window.server, window.email, window.password))
    assert all(button.text() for button in window.findChildren(QPushButton))
