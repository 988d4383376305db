"""Before a page opens that is not of the CRM: the person sees which host it is of, and decides.

Anybody who can publish a notification can put an address in it. Owns which hosts are known: the server's own, and
those in `crm_hosts`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QUrl
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QCheckBox, QMessageBox

from ..addresses import host_list
from ..config import ConfigError
from .configuration import Configuration

log = logging.getLogger(__name__)


class _Question(QMessageBox):
    def __init__(self, url: QUrl, *, may_trust: bool) -> None:
        super().__init__(QMessageBox.Icon.Question, "", "")
        self.setWindowTitle(self.tr("Abrir una página — crmtray"))
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(self.tr("Este enlace lleva a {}, que no es el servidor del CRM.").format(host(url)))
        self.setInformativeText(_short(url))
        self.open_button = self.addButton(self.tr("Abrir"), QMessageBox.ButtonRole.AcceptRole)
        cancel = self.addButton(self.tr("Cancelar"), QMessageBox.ButtonRole.RejectRole)
        self.setDefaultButton(cancel)
        self.setEscapeButton(cancel)
        # Kept here: the message box does not keep it alive.
        self.trust = QCheckBox(self.tr("Es del CRM: no volver a preguntar por {}").format(host(url)), self)
        colors = self.trust.palette()
        # On a dark window its frame would be dark as well.
        colors.setColor(QPalette.ColorRole.Base, colors.color(QPalette.ColorRole.Button))
        self.trust.setPalette(colors)
        self.trust.setVisible(may_trust)
        if may_trust:
            self.setCheckBox(self.trust)


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
