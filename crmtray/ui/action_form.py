"""The small form of an action that needs to know something: which seller, when, or what to say.

Owns the three questions and their checks. It is a window of its own, never modal; the answer is told by a signal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from PySide6.QtCore import QDateTime, QLocale, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDateTimeEdit,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..protocol import Json, Notification, format_time
from . import icons
from .bars import plain_label
from .details import details, one_line
from .flow import Flow
from .language import Retold, moment_format
from .moments import choices
from .sizes import Scrolling, Sized, most_room, spaced
from .tasks import Spawn
from .theme import px

Question = Literal["seller", "moment", "message"]
QUESTIONS: Mapping[str, Question] = {
    "reassign": "seller",
    "assign_lead": "seller",
    "schedule_call": "moment",
    "reschedule": "moment",
    "schedule_meeting": "moment",
    "notify_seller": "message",
}
"""What has to be asked before an action can be done."""
LONGEST_MESSAGE = 1000
FORM_WIDTH = 360


class Person(Protocol):
    """A seller to choose."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


LoadSellers = Callable[[], Awaitable[Sequence[Person]]]


class Field(QWidget):
    """One question: its answer, or what is wrong with it."""

    ready = Signal(bool)
    grown = Signal()
    """It needs another height now."""

    def answer(self) -> Json | str:
        """The parameters; a sentence when they are not complete."""
        raise NotImplementedError


class SellerField(Field):
    def __init__(self, load: LoadSellers, spawn: Spawn) -> None:
        super().__init__()
        self._load, self._spawn = load, spawn
        self._filter = QLineEdit()
        self._filter.textChanged.connect(self._narrow)
        self.people = QListWidget()
        self.people.setObjectName("sellers")
        self.people.setMinimumHeight(px(150))
        self.state = plain_label("", "muted", wrap=True)
        self._state_words: Callable[[], str] = self._loading
        self.again = QPushButton()
        self.again.setProperty("look", "soft")
        self.again.clicked.connect(self.start)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._filter, self.people, self.state, self.again):
            layout.addWidget(widget)
        self.setFocusProxy(self._filter)
        Retold(self, self._tell_words)

    def _tell_words(self) -> None:
        self._filter.setPlaceholderText(self.tr("Buscar por nombre"))
        self._filter.setAccessibleName(self.tr("Buscar por nombre"))
        self.people.setAccessibleName(self.tr("Vendedores"))
        self.again.setText(self.tr("Reintentar"))
        self.state.setText(self._state_words())

    def _loading(self) -> str:
        return self.tr("Cargando vendedores…")

    def _nobody(self) -> str:
        return self.tr("No hay otros vendedores a quienes asignar.")

    def start(self) -> None:
        self._show(self._loading, failed=False)
        self._spawn(self._fill(), "sellers")

    async def _fill(self) -> None:
        from ..api import ApiError

        try:
            people = await self._load()
        except ApiError as error:
            why = error.message
            self._show(lambda: self.tr("No se pudo cargar la lista de vendedores. {}").format(why), failed=True)
            return
        self.people.clear()
        for person in people:
            entry = QListWidgetItem(one_line(person.name))
            entry.setData(Qt.ItemDataRole.UserRole, person.id)
            self.people.addItem(entry)
        self._show(self._nobody if not people else str, failed=False)
        self._narrow()
        self.ready.emit(bool(people))

    def _show(self, words: Callable[[], str], *, failed: bool) -> None:
        self._state_words, text = words, words()
        self.state.setText(text)
        self.state.setVisible(bool(text))
        self.again.setVisible(failed)
        self.people.setVisible(not text)
        self._filter.setVisible(not text)
        self.grown.emit()

    def _narrow(self) -> None:
        wanted = self._filter.text().casefold()
        first: QListWidgetItem | None = None
        for at in range(self.people.count()):
            entry = self.people.item(at)
            entry.setHidden(wanted not in entry.text().casefold())
            first = entry if first is None and not entry.isHidden() else first
        current = self.people.currentItem()
        if first is not None and (current is None or current.isHidden()):
            self.people.setCurrentItem(first)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrows choose while one types a name."""
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and not self.people.hasFocus():
            self._step(1 if event.key() == Qt.Key.Key_Down else -1)
        else:
            super().keyPressEvent(event)

    def _step(self, step: int) -> None:
        at = self.people.currentRow() + step
        while 0 <= at < self.people.count():
            if not self.people.item(at).isHidden():
                self.people.setCurrentRow(at)
                return
            at += step

    def answer(self) -> Json | str:
        chosen = self.people.currentItem()
        if chosen is None or chosen.isHidden():
            return self.tr("Falta elegir un vendedor.")
        return {"seller_id": str(chosen.data(Qt.ItemDataRole.UserRole))}


class MomentField(Field):
    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._clock = clock
        self.edit = QDateTimeEdit()
        self.edit.setCalendarPopup(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(px(10))
        row = QWidget()
        flow = Flow(row, space=px(6))
        self.moments = choices(clock())
        self.quick: list[QPushButton] = []
        for choice in self.moments:
            button = QPushButton()
            button.setProperty("look", "soft")
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, at=choice.at: self.set(at))
            flow.addWidget(button)
            self.quick.append(button)
        layout.addWidget(row)
        layout.addWidget(self.edit)
        self.setFocusProxy(self.quick[0])
        self.edit.dateTimeChanged.connect(self._show_choice)
        self.set(self.moments[0].at)
        Retold(self, self._tell_words)

    def _tell_words(self) -> None:
        """What is chosen stays."""
        for button, said in zip(self.quick, choices(self._clock()), strict=True):
            button.setText(said.label)
        self.edit.setLocale(QLocale())
        self.edit.setDisplayFormat(moment_format())
        self.edit.setAccessibleName(self.tr("Fecha y hora"))

    def _show_choice(self) -> None:
        """The button of the moment that stands in the field; none when it was changed by hand."""
        seconds = self.edit.dateTime().toSecsSinceEpoch()
        for button, choice in zip(self.quick, self.moments, strict=True):
            button.setChecked(round(choice.at.timestamp()) == seconds)

    def set(self, moment: datetime) -> None:
        self.edit.setDateTime(QDateTime.fromSecsSinceEpoch(round(moment.timestamp())))
        self._show_choice()

    def answer(self) -> Json | str:
        moment = datetime.fromtimestamp(self.edit.dateTime().toSecsSinceEpoch()).astimezone()
        if moment <= self._clock():
            return self.tr("Ese momento ya pasó; hay que elegir uno futuro.")
        return {"at": format_time(moment)}


class MessageField(Field):
    def __init__(self) -> None:
        super().__init__()
        self.edit = QPlainTextEdit()
        self.edit.setTabChangesFocus(True)
        self.edit.setFixedHeight(px(110))
        self.left = plain_label(look="small")
        self.left.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.edit.textChanged.connect(self._count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.edit)
        layout.addWidget(self.left)
        self.setFocusProxy(self.edit)
        self._count()
        Retold(self, self._tell_words)

    def _tell_words(self) -> None:
        self.edit.setPlaceholderText(self.tr("Mensaje para el vendedor"))
        self.edit.setAccessibleName(self.tr("Mensaje"))

    def _count(self) -> None:
        length = len(self.edit.toPlainText().strip())
        self.left.setText(f"{length} / {LONGEST_MESSAGE}")
        self.left.setProperty("look", "error" if length > LONGEST_MESSAGE else "small")
        self.left.style().polish(self.left)

    def answer(self) -> Json | str:
        text = self.edit.toPlainText().strip()
        if not text:
            return self.tr("Falta escribir el mensaje.")
        if len(text) > LONGEST_MESSAGE:
            return self.tr("El mensaje es demasiado largo; el máximo son {} caracteres.").format(LONGEST_MESSAGE)
        return {"message": text}


class ActionForm(QWidget):
    """Enter sends (Ctrl+Enter in a message), Esc gives up."""

    answered = Signal(object)

    def __init__(self, item: Notification, label: str, field: Field) -> None:
        # The center stays on top, so what it asks must too.
        super().__init__(None, Qt.WindowType.Dialog | Qt.WindowType.WindowStaysOnTopHint)
        self.setObjectName("form")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(one_line(label))
        self.setWindowIcon(icons.app_icon())
        self.field = field
        self.error = plain_label(look="error", wrap=True)
        self.error.hide()
        self.send = QPushButton(one_line(label).replace("&", "&&"))
        self.send.setProperty("look", "primary")
        cancel = self._cancel = QPushButton()
        cancel.setProperty("look", "soft")
        self.send.clicked.connect(self.submit)
        cancel.clicked.connect(self.close)
        self._lay_out(item, one_line(label), cancel)
        if isinstance(field, SellerField):
            self.send.setEnabled(False)
            field.ready.connect(self.send.setEnabled)
            field.people.itemActivated.connect(lambda _: self.submit())
            field.start()
        field.grown.connect(self._fit)
        Sized(self, self._fit)
        QTimer.singleShot(0, field, field.setFocus)
        Retold(self, self._tell_words)

    def _tell_words(self) -> None:
        """The names of the actions are the server's; what is filled in stays."""
        self._cancel.setText(self.tr("Cancelar"))
        wrong = self.field.answer()
        if self.error.isVisible() and isinstance(wrong, str):
            self.error.setText(wrong)
        self._fit()

    def _fit(self) -> None:
        """As high as it needs to be for its width, and no higher than the screen."""
        room = most_room()
        self.setFixedWidth(min(px(FORM_WIDTH), room.width()))
        layout = self._page.layout()
        if layout is not None:
            layout.activate()
            self.setFixedHeight(min(layout.totalHeightForWidth(self.width()), room.height()))

    def _lay_out(self, item: Notification, label: str, cancel: QPushButton) -> None:
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        self._page = QWidget()
        self._page.setObjectName("form")
        layout = QVBoxLayout(self._page)
        spaced(self._page, layout, 20, 18, 20, 18, space=12)
        layout.addWidget(plain_label(label, "big"))
        layout.addWidget(plain_label(one_line(item.message), wrap=True))
        if details(item):
            layout.addWidget(plain_label(details(item), "small", wrap=True))
        layout.addWidget(self.field)
        layout.addWidget(self.error)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.send)
        layout.addLayout(buttons)
        self.area = Scrolling(self._page)
        around.addWidget(self.area)

    def submit(self) -> None:
        if not self.send.isEnabled():
            return
        answer = self.field.answer()
        if isinstance(answer, str):
            self.error.setText(answer)
            self.error.show()
            self._fit()
            return
        self.answered.emit(answer)
        self.close()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.submit()
        else:
            super().keyPressEvent(event)


def make_field(question: Question, load: LoadSellers, spawn: Spawn, clock: Callable[[], datetime]) -> Field:
    match question:
        case "seller":
            return SellerField(load, spawn)
        case "moment":
            return MomentField(clock)
        case "message":
            return MessageField()
