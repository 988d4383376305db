"""What somebody who helps wants to see: copied with one entry of the menu; and that a crash left a report.

Owns when it is gathered and what the person is told. What is looked at is `doctor`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QGuiApplication

from .. import log_file
from ..checks import Check, lines
from ..crash import Reports, surroundings
from ..credentials import Credentials
from ..network import Network
from ..paths import log_file as log_path
from ..session import Session
from .configuration import Configuration
from .tasks import Spawn
from .toast_card import ToastButton


class Diagnostics(QObject):
    noticed = Signal(str, object)
    """A sentence for the person, and a ToastButton or None."""

    def __init__(
        self,
        configuration: Configuration,
        session: Session,
        network: Network,
        credentials: Credentials,
        spawn: Spawn,
        *,
        open_url: Callable[[QUrl], bool],
    ) -> None:
        super().__init__()
        self._open_url = open_url
        self._configuration, self._session, self._network = configuration, session, network
        self._credentials, self._spawn, self._gathering = credentials, spawn, False
        config = configuration.value
        # The demo writes nothing to the disk.
        self._log = None if config.file is None else log_path(config.profile)

    def copy(self) -> None:
        if not self._gathering:
            self._gathering = True
            self.noticed.emit(self.tr("Revisando este equipo; puede tardar unos segundos…"), None)
            self._spawn(self._copy(), "copy diagnostics")

    async def _copy(self) -> None:
        try:
            found = await self._examine()
        finally:
            self._gathering = False
        QGuiApplication.clipboard().setText(diagnosis(found, self._log_lines(), datetime.now(UTC)))
        self.noticed.emit(
            self.tr("Diagnóstico copiado, sin contraseñas. Se puede pegar en un mensaje a soporte."), None
        )

    async def _examine(self) -> Sequence[Check]:
        # Imported here: the start does not need it, and mostly nothing does.
        from ..doctor import examine
        from .desktop_checks import desktop_checks

        config = replace(self._configuration.value, server=self._session.server)
        return await examine(config, network=self._network, credentials=self._credentials, desktop=desktop_checks)

    def _log_lines(self) -> list[str]:
        kept = log_file.tail(self._log) if self._log is not None else []
        return kept or log_file.recent.lines()

    def tell_of_crash(self) -> None:
        """Once for each report."""
        report = Reports(self._log).untold() if self._log is not None else None
        if report is not None:
            sentence = self.tr("crmtray tuvo un fallo. El informe, sin contraseñas, está en {}").format(report)
            button = ToastButton(self.tr("Abrir la carpeta"), lambda: self._open_folder(report.parent))
            self.noticed.emit(sentence, button)

    def _open_folder(self, folder: Path) -> None:
        if not self._open_url(QUrl.fromLocalFile(str(folder))):
            self.noticed.emit(self.tr("No hay un programa que abra {}").format(folder), None)


def diagnosis(checks: Sequence[Check], log_lines: Sequence[str], now: datetime) -> str:
    head = [*surroundings(now), "", *lines(checks), ""]
    return "\n".join([*head, f"The last {len(log_lines)} log lines:", *log_lines, ""])
