"""The settings: a window of its own, never modal, where every change counts at once.

Owns the two tabs, what stands over them while the server cannot be asked, and the mark that something was saved. What
the tabs hold is settings_alerts' and settings_computer's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ..autostart import Autostart
from . import icons
from .bars import plain_label
from .configuration import Configuration
from .preferences_keeper import PreferencesKeeper
from .settings_alerts import AlertsPage
from .settings_computer import ComputerPage
from .settings_style import list_style_sheet, style_sheet
from .shortcut import Shortcut
from .sizes import Scrolling, Sized, most_room, spaced
from .tabs import Tabs
from .theme import Theme, px

WIDTH, HEIGHT = 500, 640
SAVED_MS = 4000
ICON = 16


class SettingsWindow(QWidget):
    refused_unseen = Signal(str)
    """What the person changed last before closing was not accepted; a sentence."""

    def __init__(
        self,
        theme: Theme,
        keeper: PreferencesKeeper,
        configuration: Configuration,
        *,
        autostart: Autostart | None,
        shortcut: Shortcut,
        quiet_menu: QMenu,
        log_folder: Callable[[], Path],
        open_url: Callable[[QUrl], bool],
    ) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName("settings")
        self.setWindowTitle(self.tr("Configuración — crmtray"))
        self.setWindowIcon(icons.app_icon())
        self._theme, self._keeper = theme, keeper
        self.alerts = AlertsPage(theme)
        self.computer = ComputerPage(theme, configuration, autostart, shortcut, quiet_menu, log_folder, open_url)
        self._tabs = Tabs("page")
        self._tabs.setAccessibleName(self.tr("Páginas"))
        self.alerts_tab, self.computer_tab = self._tabs.add(self.tr("Avisos")), self._tabs.add(self.tr("Este equipo"))
        self.line, self.sentence = QFrame(), plain_label(wrap=True)
        self.again = QPushButton(self.tr("Reintentar"))
        self.nothing = plain_label(look="muted", wrap=True)
        self.saved_mark, self.saved_text = QLabel(), plain_label(look="small")
        self.close_button = QPushButton(self.tr("Cerrar"))
        for button in (self.again, self.close_button):
            button.setAutoDefault(True)  # Enter presses it, too
        self._pages, self._alerts_area = QStackedWidget(), QStackedWidget()
        self._saved_over = QTimer(self, singleShot=True, interval=SAVED_MS)
        self._build()
        self._connect()
        self._draw()
        keeper.tell()

    # --- building -----------------------------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._build_alerts()
        self._pages.addWidget(self._alerts_area)
        self._pages.addWidget(Scrolling(self.computer))
        layout.addWidget(self._header())
        layout.addWidget(self._pages, 1)
        layout.addWidget(self._footer())

    def _header(self) -> QFrame:
        header = QFrame()
        header.setObjectName("header")
        line = QHBoxLayout(header)
        spaced(header, line, 14, 10, 14, 10, space=4)
        line.addWidget(self._tabs)
        line.addStretch(1)
        return header

    def _build_alerts(self) -> None:
        self.line.setProperty("look", "line")
        around = QHBoxLayout(self.line)
        spaced(self.line, around, 16, 8, 12, 8, space=6)
        around.addWidget(self.sentence, 1)
        around.addWidget(self.again)
        self.again.setProperty("look", "flat")
        known = QWidget()
        layout = QVBoxLayout(known)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.line)
        layout.addWidget(Scrolling(self.alerts), 1)
        self._alerts_area.addWidget(known)
        self._alerts_area.addWidget(self._empty())

    def _empty(self) -> QWidget:
        """For as long as nothing is known."""
        page = QWidget()
        layout = QVBoxLayout(page)
        spaced(page, layout, 40, 40, 40, 40, space=14)
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.first_again = QPushButton(self.tr("Reintentar"))
        self.first_again.setProperty("look", "soft")
        self.first_again.setAutoDefault(True)
        layout.addStretch(1)
        layout.addWidget(self.picture)
        layout.addWidget(self.nothing)
        layout.addWidget(self.first_again, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)
        return page

    def _footer(self) -> QFrame:
        footer = QFrame()
        footer.setObjectName("footer")
        line = QHBoxLayout(footer)
        spaced(footer, line, 16, 10, 14, 10, space=6)
        self.close_button.setProperty("look", "soft")
        self._say(self.tr("Los cambios se guardan al momento."))
        line.addWidget(self.saved_mark)
        line.addWidget(self.saved_text, 1)
        line.addWidget(self.close_button)
        return footer

    def _connect(self) -> None:
        keeper = self._keeper
        self._tabs.chosen.connect(self._show_tab)
        self.close_button.clicked.connect(self.close)
        for button in (self.again, self.first_again):
            button.clicked.connect(keeper.load)
        self.alerts.changed.connect(keeper.change)
        keeper.shown.connect(self.alerts.fill)
        keeper.refused.connect(self._refused)
        keeper.state_changed.connect(self._show_state)
        keeper.saving.connect(self._saving)
        keeper.saved.connect(self._saved)
        self.computer.saved.connect(self._saved)
        self._saved_over.timeout.connect(lambda: self._say(self.tr("Los cambios se guardan al momento.")))
        self._theme.changed.connect(self._draw)
        Sized(self, self._fit)

    def _draw(self) -> None:
        colours, ratio = self._theme.colours, self.devicePixelRatioF()
        self.setStyleSheet(style_sheet(colours))
        self.alerts.zone.found.setStyleSheet(list_style_sheet(colours))
        self.saved_mark.setPixmap(icons.pixmap("check", colours.good, px(ICON), ratio))
        self._draw_picture()

    # --- what it shows ------------------------------------------------------------------------------------------

    def open(self) -> None:
        if not self.isVisible():
            self._fit()
            self._say(self.tr("Los cambios se guardan al momento."))
            self.alerts.forget_errors()
            self.computer.look()
            self._keeper.load()
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()
        if self.focusWidget() is None:
            (self.alerts_tab if self.alerts_tab.isChecked() else self.computer_tab).setFocus()

    def _fit(self) -> None:
        """As large as the text needs, and no larger than the screen has room for."""
        room = most_room()
        self.setFixedWidth(min(px(WIDTH), room.width()))
        self.resize(self.width(), min(px(HEIGHT), room.height()))

    def catch_up(self) -> None:
        """The person or the connection has changed: asks anew, when somebody is looking."""
        if self.isVisible() and self._keeper.state == "loading":
            self._keeper.load()

    def show_account(self, person: str | None, server: str | None) -> None:
        """The person signed in; None: nobody."""
        self.alerts.forget_errors()
        self.computer.show_account(person, server)

    def _show_tab(self) -> None:
        self._pages.setCurrentIndex(0 if self.alerts_tab.isChecked() else 1)

    def _show_state(self, state: str, sentence: str) -> None:
        known = self._keeper.known is not None and state != "signed_out"
        self._alerts_area.setCurrentIndex(0 if known else 1)
        self.alerts.setEnabled(state in ("ready", "loading"))
        text = self._about(state, sentence, known)
        self.sentence.setText(text)
        self.line.setVisible(known and bool(text))
        self.nothing.setText(text or self.tr("Cargando tus preferencias…"))
        for button in (self.again, self.first_again):
            button.setVisible(state == "failed")
        self._draw_picture()

    def _about(self, state: str, sentence: str, known: bool) -> str:
        match state:
            case "signed_out":
                return self.tr("Cuando inicies la sesión, aquí se elige qué se avisa y cómo.")
            case "offline" if known:
                return self.tr("Sin conexión. Se muestra lo último que se supo; se podrá cambiar cuando vuelva.")
            case "offline":
                return self.tr("Sin conexión. Tus preferencias se verán aquí cuando vuelva.")
            case "failed":
                return self.tr("No se pudieron cargar tus preferencias. {}").format(sentence)
        return ""

    def _draw_picture(self) -> None:
        names = {"offline": "offline", "failed": "warning"}
        drawn = icons.pixmap(names.get(self._keeper.state, "kind-other"), self._theme.colours.muted, px(40), 2.0)
        self.picture.setPixmap(drawn)

    def _refused(self, field: str, message: str, words: str) -> None:
        self.alerts.refuse(field, message, words)
        if not self.isVisible():
            self.refused_unseen.emit(self.alerts.error(field))
        self._say(self.tr("No se guardó."))
        self._saved_over.start()

    def _saving(self) -> None:
        self._say(self.tr("Guardando…"))

    def _saved(self) -> None:
        self._say(self.tr("Guardado"), good=True)
        self._saved_over.start()

    def _say(self, text: str, *, good: bool = False) -> None:
        self._saved_over.stop()
        self.saved_mark.setVisible(good)
        self.saved_text.setText(text)

    # --- the window ---------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        elif event.key() in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) and self._turns(event):
            (self.alerts_tab if self.computer_tab.isChecked() else self.computer_tab).click()
        else:
            super().keyPressEvent(event)

    def _turns(self, event: QKeyEvent) -> bool:
        return event.modifiers() == Qt.KeyboardModifier.ControlModifier

    def closeEvent(self, event: QCloseEvent) -> None:
        self.alerts.finish_editing()
        event.accept()

    def hideEvent(self, event: QHideEvent) -> None:
        self._keeper.flush()
        super().hideEvent(event)
