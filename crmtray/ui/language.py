"""The language of the program: which one, and changing it while it runs.

Owns the translators and the locale of Qt, and gives `words` its voice. Windows hear of a change by Qt's own
LanguageChange, everything else by `changed`. The language of what the server writes is a preference of the person, the
same on all of their computers and in e-mails, so it is not touched here.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEvent, QLibraryInfo, QLocale, QObject, QTranslator, Signal
from PySide6.QtWidgets import QWidget

from ..paths import resource
from ..words import speak

ENGLISH, SPANISH = "en", "es"


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
        english = code == ENGLISH
        QLocale.setDefault(QLocale(QLocale.Language.English if english else QLocale.Language.Spanish))
        speak(_translated)
        old, self._translators = self._translators, []
        # Spanish is what the program is written in. Qt's own words go with it: the menus of text fields, Yes and No.
        self._load("crmtray_en" if english else "qtbase_es", _ours() if english else _qts())
        for translator in old:
            self._app.removeTranslator(translator)
        self.changed.emit()

    def _load(self, name: str, folder: str) -> None:
        translator = QTranslator(self)
        if translator.load(name, folder) and self._app.installTranslator(translator):
            self._translators.append(translator)


def spoken_by_system() -> str:
    """The first language of the person's that the program speaks; Spanish when it is none of them."""
    for name in QLocale.system().uiLanguages():
        if (code := name.replace("_", "-").partition("-")[0]) in (ENGLISH, SPANISH):
            return code
    return SPANISH


def _translated(text: str) -> str:
    return QCoreApplication.translate("", text)


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
