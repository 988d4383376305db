"""The tab "Avisos": the person's preferences, which live on the server and count on every device.

Owns which control stands for which preference, and what is said when one was refused. Sending and loading is the
keeper's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QLocale, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QToolButton, QVBoxLayout, QWidget

from ..preferences import KINDS, Preferences
from ..protocol import PRIORITIES
from .settings_fields import DaysField, HoursField, ZoneBox
from .settings_rows import Card, NoWheel, Row
from .sizes import spaced
from .theme import Theme

FIRST_HOURS = ("22:00", "08:00")
"""What quiet hours begin with when they are switched on."""


class AlertsPage(QWidget):
    changed = Signal(str, object)
    """A field of the preferences and its new value, in the form in which it travels."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._filling = False
        self._email = ""
        self._make_controls()
        self._make_rows()
        self._lay_out()
        self._connect()

    # --- building -----------------------------------------------------------------------------------------------

    def _make_controls(self) -> None:
        self.kinds = {kind: QCheckBox() for kind in KINDS}
        self.priority, self.language = QComboBox(), QComboBox()
        for priority, text in zip(PRIORITIES, self._priorities(), strict=True):
            self.priority.addItem(text, priority)
        for name, text in (("es", self.tr("Español")), ("en", self.tr("Inglés"))):
            self.language.addItem(text, name)
        self.push, self.email, self.quiet = QCheckBox(), QCheckBox(), QCheckBox()
        self.address, self.hours, self.days, self.zone = QLineEdit(), HoursField(), DaysField(), ZoneBox()
        self.address.setPlaceholderText(self.tr("La dirección que tiene el CRM"))
        self.address.setClearButtonEnabled(True)
        for button in self.address.findChildren(QToolButton):
            button.setAccessibleName(self.tr("Borrar la dirección"))
        self._no_wheel = NoWheel(self)
        self._no_wheel.watch(self.priority, self.language, self.zone, self.hours.start, self.hours.end)

    def _priorities(self) -> tuple[str, ...]:
        return self.tr("Baja (todo)"), self.tr("Media"), self.tr("Alta"), self.tr("Urgente (solo lo urgente)")

    def _kind_names(self) -> dict[str, tuple[str, str]]:
        return {
            "unanswered": (
                self.tr("Conversaciones sin respuesta"),
                self.tr("Un cliente escribió y espera demasiado."),
            ),
            "hot_lead": (self.tr("Leads calientes"), self.tr("Un lead muestra que quiere comprar.")),
            "follow_up": (self.tr("Recordatorios de seguimiento"), self.tr("Se acerca un seguimiento acordado.")),
            "performance": (self.tr("Alertas de rendimiento"), self.tr("Los números de un vendedor bajan.")),
        }

    def _make_rows(self) -> None:
        def row(name: str, control: QWidget, hint: str = "", *, wide: bool = False) -> Row:
            return Row(self._theme, name, control, hint, wide=wide)

        names = self._kind_names()
        self._kind_rows = [row(names[kind][0], self.kinds[kind], names[kind][1]) for kind in KINDS]
        self.rows = {
            "notification_types": self._kind_rows[-1],
            "min_priority": row(
                self.tr("Prioridad mínima"), self.priority, self.tr("Lo que esté por debajo no se avisa.")
            ),
            "push_notifications": row(
                self.tr("Mostrar avisos en pantalla"), self.push, self.tr("Si no, todo llega en silencio a la lista.")
            ),
            "email_notifications": row(
                self.tr("Avisar también por correo"), self.email, self.tr("Cuando algo sigue sin leer.")
            ),
            "email_address": row(self.tr("Correo para los avisos"), self.address, wide=True),
            "quiet_hours": row(self.tr("Horas de silencio"), self.quiet),
            "work_days": row(self.tr("Días de trabajo"), self.days, wide=True),
            "timezone": row(
                self.tr("Zona horaria"), self.zone, self.tr("Escribe una ciudad para buscarla."), wide=True
            ),
            "locale": row(self.tr("Idioma de los avisos"), self.language),
        }

    def _lay_out(self) -> None:
        rows = self.rows
        what, how, when, where = (
            Card(title)
            for title in (self.tr("Qué se avisa"), self.tr("Cómo"), self.tr("Cuándo"), self.tr("Hora e idioma"))
        )
        what.add(*self._kind_rows, rows["min_priority"])
        how.add(rows["push_notifications"], rows["email_notifications"], rows["email_address"])
        when.add(rows["quiet_hours"], self.hours, rows["work_days"])
        where.add(rows["timezone"], rows["locale"])
        layout = QVBoxLayout(self)
        spaced(self, layout, 16, 12, 16, 16, space=12)
        for card in (what, how, when, where):
            layout.addWidget(card)
        layout.addStretch(1)

    def _connect(self) -> None:
        # `toggled`, not `clicked`: a screen reader switches a box without a click.
        for box in self.kinds.values():
            box.toggled.connect(lambda _: self._tell("notification_types", self._kinds()))
        self.priority.currentIndexChanged.connect(lambda _: self._tell("min_priority", self.priority.currentData()))
        self.language.currentIndexChanged.connect(lambda _: self._tell("locale", self.language.currentData()))
        self.push.toggled.connect(lambda on: self._tell("push_notifications", on))
        self.email.toggled.connect(lambda on: self._tell("email_notifications", on))
        self.address.editingFinished.connect(self._address_done)
        self.address.textEdited.connect(lambda _: self.rows["email_address"].clear())
        self.quiet.toggled.connect(lambda _: self._tell_hours())
        self.hours.chosen.connect(self._tell_hours)
        self.days.chosen.connect(self._tell_days)
        self.zone.chosen.connect(lambda name: self._tell("timezone", name))

    # --- from the person ----------------------------------------------------------------------------------------

    def _tell(self, field: str, value: Any) -> None:
        if not self._filling:
            self.rows[field].clear()
            self.changed.emit(field, value)

    def _kinds(self) -> list[str]:
        return [kind for kind, box in self.kinds.items() if box.isChecked()]

    def _tell_hours(self) -> None:
        self._show_hours_hint()
        hours = self.hours.hours
        self._tell("quiet_hours", {"start": hours[0], "end": hours[1]} if self.quiet.isChecked() else None)

    def _tell_days(self) -> None:
        self._show_days_hint()
        self._tell("work_days", self.days.days)

    def _address_done(self) -> None:
        """Only when it was finished: half an address is no address."""
        text = self.address.text().strip()
        if text != self._email:
            self._email = text
            self._tell("email_address", text or None)

    def finish_editing(self) -> None:
        """As if the field in use had been left."""
        self._address_done()
        self.hours.start.interpretText()
        self.hours.end.interpretText()

    # --- from the server ----------------------------------------------------------------------------------------

    def fill(self, preferences: Preferences, changing: frozenset[str]) -> None:
        """`changing`: the fields that the person is changing just now, which are left alone."""
        shown: dict[str, Callable[[], None]] = {
            "notification_types": lambda: self._show_kinds(preferences.notification_types),
            "min_priority": lambda: self.priority.setCurrentIndex(self.priority.findData(preferences.min_priority)),
            "push_notifications": lambda: self.push.setChecked(preferences.push_notifications),
            "email_notifications": lambda: self.email.setChecked(preferences.email_notifications),
            "email_address": lambda: self._show_address(preferences.email_address or ""),
            "quiet_hours": lambda: self._show_hours(preferences.quiet_hours),
            "work_days": lambda: self._show_days(preferences.work_days),
            "timezone": lambda: self.zone.show_zone(preferences.timezone),
            "locale": lambda: self._show_locale(preferences.locale),
        }
        self._filling = True
        for field, show in shown.items():
            if field not in changing and not self._in_use(field):
                show()
        self._filling = False

    def _in_use(self, field: str) -> bool:
        """A text that the person is writing, or one that was refused and waits to be mended."""
        if field == "email_address":
            wrong = not self.rows[field].error.isHidden()
            return self.address.isModified() and (self.address.hasFocus() or wrong)
        return field == "timezone" and self.zone.typing

    def forget_errors(self) -> None:
        """The window is opened anew: what counts is shown, not what was tried."""
        self.address.setModified(False)
        for row in (*self.rows.values(), *self._kind_rows):
            row.clear()

    def _show_kinds(self, kinds: tuple[str, ...]) -> None:
        for kind, box in self.kinds.items():
            box.setChecked(kind in kinds)

    def _show_address(self, address: str) -> None:
        self._email = address
        self.address.setText(address)
        self.rows["email_address"].clear()

    def _show_hours(self, hours: tuple[str, str] | None) -> None:
        self.quiet.setChecked(hours is not None)
        if not self.hours.editing:
            self.hours.show_hours(hours or FIRST_HOURS)
        self._show_hours_hint()

    def _show_hours_hint(self) -> None:
        start, end = self.hours.hours
        on = self.quiet.isChecked()
        self.hours.setEnabled(on)
        if not on:
            text = self.tr("A cualquier hora se avisa en pantalla.")
        elif start == end:
            text = self.tr("Las dos horas son iguales: así no hay ninguna hora de silencio.")
        elif end < start:
            text = self.tr("Hasta la mañana siguiente; lo que llegue entonces queda en la lista, sin aviso.")
        else:
            text = self.tr("Lo que llegue entonces queda en la lista, sin aviso.")
        self.rows["quiet_hours"].say(text)

    def _show_days(self, days: tuple[str, ...]) -> None:
        self.days.show_days(days)
        self._show_days_hint()

    def _show_days_hint(self) -> None:
        text = self.tr("En los otros días todo llega en silencio.")
        self.rows["work_days"].say(text if self.days.days else self.tr("Sin ningún día, todo llega en silencio."))

    def _show_locale(self, locale: str) -> None:
        if self.language.findData(locale) < 0:
            language, _, _region = locale.partition("-")
            name = self.tr("Inglés") if language == "en" else self.tr("Español")
            territory = QLocale(locale.replace("-", "_")).nativeTerritoryName()
            self.language.addItem(f"{name} ({territory})", locale)
        self.language.setCurrentIndex(self.language.findData(locale))

    def refuse(self, field: str, message: str, words: str) -> None:
        """`message`: why it was not saved; without one it was the value, and the server's words say what about it."""
        self._row(field).fail(self.tr("No se guardó. {}").format(message) if message else self._about(field), words)

    def error(self, field: str) -> str:
        """The sentence that stands at a field, with the field's name."""
        row = self._row(field)
        return f"{row.name}: {row.error.text()}"

    def _row(self, field: str) -> Row:
        return self.rows.get(field, self.rows["min_priority"])

    def _about(self, field: str) -> str:
        known = {
            "email_address": self.tr("El servidor no aceptó esta dirección; debe ser una sola, como ana@ejemplo.com."),
            "timezone": self.tr("El servidor no conoce esta zona horaria; hay que elegir otra."),
            "quiet_hours": self.tr("El servidor no aceptó estas horas."),
        }
        return known.get(field, self.tr("El servidor no aceptó este valor."))
