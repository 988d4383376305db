"""The language of the program: which one, and changing it while it runs.

Owns the translators and the locale of Qt, and tells `words` and `region` which they are. Windows hear of a change by
Qt's own LanguageChange, everything else by `changed`. The language of what the server writes is a preference of the
person, the same on all of their computers and in e-mails, so it is not touched here.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEvent, QLibraryInfo, QLocale, QObject, QTranslator, Signal
from PySide6.QtWidgets import QWidget

from .. import region
from ..paths import resource
from ..system_language import language_of
from ..words import ENGLISH, SPANISH, speak


class Language(QObject):
    changed = Signal()

    def __init__(self, app: QCoreApplication) -> None:
        super().__init__(app)
        self._app, self.code = app, ""
        self._translators: list[QTranslator] = []

    @classmethod
    def of(cls, app: QCoreApplication) -> Language:
        """The one of this program."""
        return app.findChild(cls) or cls(app)

    def use(self, wanted: str) -> None:
        """`auto`, `es` or `en`."""
        code = spoken_by_system() if wanted == "auto" else wanted
        if code == self.code:
            return
        self.code = code
        here = locale_of(code, QLocale.system())
        QLocale.setDefault(here)
        region.use(region_of(here))
        speak(code)
        old, self._translators = self._translators, []
        # Spanish is what the program is written in: its catalogue has the plurals. Qt's own words are English.
        self._load(f"crmtray_{code}", _ours())
        if code != ENGLISH:  # the menus of text fields, Yes and No
            self._load(f"qtbase_{code}", _qts())
        for translator in old:
            self._app.removeTranslator(translator)
        self.changed.emit()

    def _load(self, name: str, folder: str) -> None:
        translator = QTranslator(self)
        if translator.load(name, folder) and self._app.installTranslator(translator):
            self._translators.append(translator)


def spoken_by_system() -> str:
    return language_of(QLocale.system().uiLanguages())


def locale_of(code: str, system: QLocale) -> QLocale:
    """The person's own country when its language is the one in use; else what most countries have in common."""
    languages = {ENGLISH: QLocale.Language.English, SPANISH: QLocale.Language.Spanish}
    if system.language() == languages[code]:
        return QLocale(system.language(), system.territory())
    territories = {ENGLISH: QLocale.Country.UnitedKingdom, SPANISH: QLocale.Country.Spain}
    return QLocale(languages[code], territories[code])


def hour_format() -> str:
    """For Qt's fields, what `region.hour` is for sentences."""
    return "h:mm AP" if region.current().twelve_hours else "HH:mm"


def moment_format() -> str:
    return f"ddd {'MMM d' if region.current().month_first else 'd MMM'} yyyy · {hour_format()}"


def region_of(locale: QLocale) -> region.Region:
    short = QLocale.FormatType.ShortFormat
    return region.Region(
        decimal=locale.decimalPoint(),
        group=locale.groupSeparator(),
        two_digits=locale.language() == QLocale.Language.English and locale.timeFormat(short).startswith("HH"),
        twelve_hours=locale.language() == QLocale.Language.English and "a" in locale.timeFormat(short).lower(),
        month_first=locale.dateFormat(short).startswith("M"),
    )


def _ours() -> str:
    return str(resource("translations"))


def _qts() -> str:
    return QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)


class Retold(QObject):
    """Words of a widget that are written once, and once more for each new language."""

    def __init__(self, owner: QWidget, tell: Callable[[], object]) -> None:
        super().__init__(owner)
        self._tell = tell
        tell()
        owner.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LanguageChange:
            self._tell()
        return False
