"""The tab "Este equipo": what holds on this machine only, for this profile.

Owns which control stands for which setting of the configuration, and for the entry that starts crmtray with the
desktop. What the administrator has locked is shown and cannot be changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QMenu, QPushButton, QSpinBox, QVBoxLayout, QWidget

from ..autostart import Autostart
from ..config import LANGUAGES, ClientConfig, ConfigError
from ..launch import DEFAULT_PROFILE
from .configuration import Configuration
from .settings_fields import ShortcutField
from .settings_rows import Card, Facts, NoWheel, Row
from .shortcut import Shortcut
from .sizes import spaced
from .theme import Theme


class ComputerPage(QWidget):
    saved = Signal()

    def __init__(
        self,
        theme: Theme,
        configuration: Configuration,
        autostart: Autostart | None,
        shortcut: Shortcut,
        quiet_menu: QMenu,
        log_folder: Callable[[], Path],
        open_url: Callable[[QUrl], bool],
    ) -> None:
        """Without `autostart` this is a trial, which must not stay on the machine."""
        super().__init__()
        self._theme, self._configuration, self._autostart = theme, configuration, autostart
        self._keys, self._log_folder, self._open_url = shortcut, log_folder, open_url
        self._filling = False
        self._make_controls()
        self._make_rows()
        self._lay_out()
        self._connect()
        self._lock()
        self.quiet.setMenu(quiet_menu)
        self.show_quiet("")
        self.fill(configuration.value)

    # --- building -----------------------------------------------------------------------------------------------

    def _make_controls(self) -> None:
        self.autostart, self.sounds, self.repeat = QCheckBox(), QCheckBox(), QCheckBox()
        self.minutes, self.language, self.shortcut = QSpinBox(), QComboBox(), ShortcutField()
        self.minutes.setRange(1, 120)
        self.minutes.setKeyboardTracking(False)
        self.minutes.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.minutes.setSuffix(self.tr(" min"))
        names = (self.tr("La del sistema"), self.tr("Español"), self.tr("Inglés"))
        for value, name in zip(LANGUAGES, names, strict=True):
            self.language.addItem(name, value)
        self.no_shortcut = QPushButton(self.tr("Quitar"))
        self.quiet = QPushButton(self.tr("Elegir…"))
        self.logs = QPushButton(self.tr("Abrir la carpeta"))
        for button in (self.quiet, self.no_shortcut, self.logs):
            button.setProperty("look", "soft")
            button.setAutoDefault(True)  # Enter presses it, too
            button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.quiet.setProperty("menu", "true")
        self.no_shortcut.setAccessibleName(self.tr("Quitar el atajo"))
        self._no_wheel = NoWheel(self)
        self._no_wheel.watch(self.minutes, self.language)

    def _make_rows(self) -> None:
        def row(name: str, control: QWidget, hint: str = "") -> Row:
            return Row(self._theme, name, control, hint)

        self.rows = {
            "autostart": row(self.tr("Abrir al entrar en este equipo"), self.autostart),
            "sounds": row(self.tr("Sonido con cada aviso"), self.sounds),
            "quiet": row(self.tr("No molestar"), self.quiet),
            "repeat_urgent": row(
                self.tr("Repetir lo urgente hasta que lo vea"), self.repeat, self.tr("Tres veces como mucho.")
            ),
            "repeat_urgent_minutes": row(self.tr("Repetir cada"), self.minutes),
            "language": row(
                self.tr("Idioma de la aplicación"),
                self.language,
                self.tr("El de los avisos se elige en la otra página."),
            ),
            "shortcut": row(
                self.tr("Atajo para abrir las notificaciones"), self.shortcut, self.tr("Pulsa las teclas en el campo.")
            ),
        }
        self.facts = Facts()
        self.log_row = Row(self._theme, self.tr("Registros"), self.logs, self.tr("Lo que pide soporte si algo falla."))

    def _lay_out(self) -> None:
        start, alerts, app, account = (
            Card(title)
            for title in (self.tr("Inicio"), self.tr("Avisos en pantalla"), self.tr("Aplicación"), self.tr("Cuenta"))
        )
        start.add(self.rows["autostart"])
        alerts.add(
            self.rows["quiet"], self.rows["sounds"], self.rows["repeat_urgent"], self.rows["repeat_urgent_minutes"]
        )
        app.add(self.rows["language"], self.rows["shortcut"])
        self.rows["shortcut"].add_beside(self.no_shortcut)
        account.add(self.facts, self.log_row)
        layout = QVBoxLayout(self)
        spaced(self, layout, 16, 12, 16, 16, space=12)
        for card in (start, alerts, app, account):
            layout.addWidget(card)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.autostart.toggled.connect(self._set_autostart)
        self.sounds.toggled.connect(lambda on: self._save("sounds", on))
        self.repeat.toggled.connect(lambda on: self._save("repeat_urgent", on))
        self.minutes.valueChanged.connect(lambda minutes: self._save("repeat_urgent_minutes", float(minutes)))
        self.language.currentIndexChanged.connect(lambda _: self._save("language", self.language.currentData()))
        self.shortcut.chosen.connect(self._set_shortcut)
        self.no_shortcut.clicked.connect(lambda: self._set_shortcut(""))
        self.logs.clicked.connect(self._open_logs)
        self._configuration.changed.connect(self.fill)

    def _lock(self) -> None:
        for name in self._configuration.value.locked & self.rows.keys():
            self.rows[name].lock()
        if self._autostart is None:
            self.rows["autostart"].lock(self.tr("Esto es una demostración: no queda nada en este equipo."))

        if not self._keys.available:
            self.shortcut.setEnabled(False)
            self.rows["shortcut"].say(
                self.tr(
                    "Este escritorio no deja que un programa reserve teclas; en su configuración del teclado se puede"
                    " asignar un atajo al comando crmtray."
                )
            )

    # --- what it shows ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """What other programs may have changed since."""
        for row in self.rows.values():
            row.clear()
        self.log_row.clear()
        self.fill(self._configuration.value)

    def fill(self, config: ClientConfig) -> None:
        self._filling = True
        self.autostart.setChecked(self._starts())
        self.sounds.setChecked(config.sounds)
        self.repeat.setChecked(config.repeat_urgent)
        self.minutes.setValue(round(config.repeat_urgent_minutes))
        self.minutes.setEnabled(config.repeat_urgent and "repeat_urgent_minutes" not in config.locked)
        self.language.setCurrentIndex(self.language.findData(config.language))
        self.shortcut.show_shortcut(config.shortcut)
        self._filling = False
        self.no_shortcut.setEnabled(bool(config.shortcut) and "shortcut" not in config.locked)

    def _starts(self) -> bool:
        try:
            return self._autostart is not None and self._autostart.enabled()
        except OSError as error:
            self._system_refused("autostart", error)
            return False

    def show_quiet(self, words: str) -> None:
        """Until when; empty: off."""
        self.rows["quiet"].say(words or self.tr("Desactivado: los avisos se ven en pantalla."))

    def show_account(self, person: str | None, server: str | None) -> None:
        self.quiet.setEnabled(person is not None)
        profile = self._configuration.value.profile
        self.facts.put(self.tr("Persona"), person or self.tr("Nadie: la sesión no está iniciada"))
        self.facts.put(self.tr("Servidor"), server or self.tr("Ninguno todavía"))
        self.facts.put(self.tr("Perfil"), self.tr("El normal") if profile == DEFAULT_PROFILE else profile)

    # --- from the person ----------------------------------------------------------------------------------------

    def _save(self, name: str, value: Any) -> bool:
        if self._filling:
            return True
        row = self.rows[name]
        row.clear()
        try:
            self._configuration.save({name: value})
        except ConfigError as error:
            row.fail(self._about(name), str(error))
            self.fill(self._configuration.value)
            return False
        self.fill(self._configuration.value)
        self.saved.emit()
        return True

    def _set_shortcut(self, wanted: str) -> None:
        before = self._configuration.value.shortcut
        if not self._save("shortcut", wanted) or self._keys.use(wanted):
            return
        self._keys.use(before)
        self._save("shortcut", before)
        self.rows["shortcut"].fail(self.tr("Otro programa ya usa {}; hay que elegir otro atajo.").format(wanted))

    def _about(self, name: str) -> str:
        if name == "shortcut":
            return self.tr("Un atajo lleva Ctrl, Alt, Mayús o Meta y otra tecla, como Ctrl + Alt + N.")
        return self.tr("No se pudo guardar en el archivo de configuración.")

    def _set_autostart(self, wanted: bool) -> None:
        if self._filling or self._autostart is None:
            return
        self.rows["autostart"].clear()
        try:
            (self._autostart.enable if wanted else self._autostart.disable)()
        except OSError as error:
            self._system_refused("autostart", error)
            self.fill(self._configuration.value)
        else:
            self.saved.emit()

    def _system_refused(self, name: str, error: OSError) -> None:
        reason = error.strerror or str(error)
        self.rows[name].fail(self.tr("El sistema no lo permitió: {}").format(reason), str(error))

    def _open_logs(self) -> None:
        self.log_row.clear()
        try:
            folder = self._log_folder()
        except OSError as error:
            self.log_row.fail(self.tr("La carpeta no se pudo crear: {}").format(error.strerror))
            return
        if not self._open_url(QUrl.fromLocalFile(str(folder))):
            self.log_row.fail(self.tr("No hay un programa que abra {}").format(folder))
