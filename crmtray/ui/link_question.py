"""Before a page opens that is not of the CRM: the person sees which host it is of, and decides.

Anybody who can publish a notification can put an address in it. Owns which hosts are known: the server's own, and
those in `crm_hosts`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from PySide6.QtCore import QObject, QSize, Qt, QUrl
from PySide6.QtWidgets import QCheckBox, QMessageBox

from ..addresses import host_list
from ..config import ConfigError
from . import icons
from .configuration import Configuration
from .language import Retold
from .sizes import Sized
from .theme import px

log = logging.getLogger(__name__)


class _Question(QMessageBox):
    def __init__(self, url: QUrl, *, may_trust: bool) -> None:
        super().__init__(QMessageBox.Icon.NoIcon, "", "")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setInformativeText(_short(url))
        self.open_button = self.addButton("", QMessageBox.ButtonRole.AcceptRole)
        cancel = self.cancel_button = self.addButton("", QMessageBox.ButtonRole.RejectRole)
        for button in (self.open_button, cancel):
            button.setProperty("look", "soft")
            button.style().polish(button)  # it was polished already when it was added
        self.setDefaultButton(cancel)
        self.setEscapeButton(cancel)
        # Kept here: the message box does not keep it alive.
        self.trust = QCheckBox(self)
        self.trust.setVisible(may_trust)
        if may_trust:
            self.setCheckBox(self.trust)
        Retold(self, lambda: self._tell_words(host(url)))
        Sized(self, self._measure)

    def _tell_words(self, name: str) -> None:
        self.setWindowTitle(self.tr("Abrir una página — crmtray"))
        self.setText(self.tr("Este enlace lleva a {}, que no es el servidor del CRM.").format(name))
        self.open_button.setText(self.tr("Abrir"))
        self.cancel_button.setText(self.tr("Cancelar"))
        self.trust.setText(self.tr("Es del CRM: no volver a preguntar"))

    def _measure(self) -> None:
        self.setIconPixmap(icons.app_icon().pixmap(QSize(px(44), px(44)), self.devicePixelRatioF()))
        # A message box looks how much room it needs when it is given its text.
        self.setText(self.text())


class LinkQuestion(QObject):
    def __init__(self, configuration: Configuration, server: Callable[[], str | None]) -> None:
        super().__init__()
        self._configuration, self._server = configuration, server
        self.box: _Question | None = None

    def ask(self, url: QUrl, go_on: Callable[[], object]) -> None:
        """Goes on at once when the host is known; else when the person says so, or not at all."""
        if host(url) in self._known():
            go_on()
            return
        self.close()
        box = self.box = _Question(url, may_trust="crm_hosts" not in self._configuration.value.locked)
        box.finished.connect(lambda _: self._answered(box, url, go_on))
        box.open()
        box.raise_()
        box.activateWindow()
        # Else the first that can have it would: the box to tick.
        box.cancel_button.setFocus()

    def close(self) -> None:
        """As if the person had said no."""
        if self.box is not None:
            self.box.reject()

    def _known(self) -> set[str]:
        hosts = {host(QUrl(self._server() or "")), *host_list(self._configuration.value.crm_hosts)}
        return hosts - {""}

    def _answered(self, box: _Question, url: QUrl, go_on: Callable[[], object]) -> None:
        self.box = None
        box.deleteLater()
        if box.clickedButton() is box.open_button:
            if box.trust.isChecked():
                self._trust(host(url))
            go_on()

    def _trust(self, name: str) -> None:
        hosts = [*host_list(self._configuration.value.crm_hosts), name]
        try:
            self._configuration.save({"crm_hosts": ", ".join(hosts)})
        except ConfigError as error:
            log.warning("the host is asked for again the next time: %s", error)


def host(url: QUrl) -> str:
    """As it is looked up: a name with foreign letters that look like others shows what it is (xn--…)."""
    return url.host(QUrl.ComponentFormattingOption.FullyEncoded).lower()


def _short(url: QUrl) -> str:
    text = url.toString(QUrl.ComponentFormattingOption.FullyEncoded)
    return text if len(text) <= 200 else f"{text[:200]}…"
