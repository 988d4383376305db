"""Which sound goes with which priority, and playing it where the desktop's service does not.

Owns the choice and the player. Whether there is to be a sound at all is decided by `toasts`.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QProcess

from ..paths import resource

log = logging.getLogger(__name__)

PLAYERS: tuple[tuple[str, ...], ...] = (("pw-play",), ("paplay",), ("aplay", "-q"), ("afplay",))
"""PipeWire, PulseAudio, ALSA; macOS. The first that is installed."""


@dataclass(frozen=True, slots=True)
class Sound:
    """`name` as in the freedesktop sound naming specification: it follows the person's sound theme."""

    name: str
    windows: str
    resource: str

    @property
    def file(self) -> Path:
        return resource(self.resource)


NORMAL = Sound("message-new-instant", "ms-winsoundevent:Notification.Default", "sounds/normal.wav")
_BY_PRIORITY: dict[str, Sound | None] = {
    "urgent": Sound("dialog-warning", "ms-winsoundevent:Notification.Reminder", "sounds/urgent.wav"),
    "high": Sound("message-new-instant", "ms-winsoundevent:Notification.IM", "sounds/high.wav"),
    "low": None,
}


def sound_of(priority: str) -> Sound | None:
    return _BY_PRIORITY.get(priority, NORMAL)


def play(sound: Sound, *, run: Callable[[str, list[str]], object] = QProcess.startDetached) -> bool:
    """Whether something plays it now. Returns at once; a machine without a player stays silent."""
    try:
        file = str(sound.file)
    except FileNotFoundError as error:
        log.warning("%s", error)
        return False
    if sys.platform == "win32":
        import winsound

        winsound.PlaySound(file, winsound.SND_FILENAME | winsound.SND_ASYNC | winsound.SND_NODEFAULT)
        return True
    for program, *options in PLAYERS:
        if (found := shutil.which(program)) is not None:
            run(found, [*options, file])
            return True
    return False
