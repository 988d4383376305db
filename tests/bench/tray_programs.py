"""The programs that the tray bench starts: what ours is measured beside, and ours with an ear for how it is.

`python tests/bench/tray_programs.py bare|libraries|counted`. At the top nothing but what the barest of them needs.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn


def bare() -> NoReturn:
    """The least that stands in a tray."""
    from PySide6.QtGui import QColor, QIcon, QPixmap
    from PySide6.QtWidgets import QApplication, QSystemTrayIcon

    app = QApplication(["bare"])
    picture = QPixmap(22, 22)
    picture.fill(QColor("red"))
    icon = QSystemTrayIcon(QIcon(picture))
    icon.show()
    sys.exit(app.exec())


def libraries() -> NoReturn:
    """As much as ours imports, and nothing done with it."""
    import aiohttp  # noqa: F401
    import dbus_fast.aio  # noqa: F401
    import keyring
    import platformdirs  # noqa: F401
    import PySide6.QtNetwork
    import PySide6.QtSvg  # noqa: F401
    import qasync  # noqa: F401
    import socketio  # noqa: F401
    import sqlite_utils  # noqa: F401

    keyring.get_keyring()  # imports the backend
    bare()


def counted() -> None:
    """Ours. On SIGUSR1 it collects its garbage, and writes how many objects are left into a file."""
    file = Path(os.environ["BENCH_OBJECTS"])

    def count(_number: int, _frame: object) -> None:
        import gc

        gc.collect()
        part = file.with_suffix(".part")
        part.write_text(str(len(gc.get_objects())))
        part.replace(file)

    signal.signal(signal.SIGUSR1, count)
    sys.argv = ["crmtray", *sys.argv[2:]]
    from crmtray.__main__ import main

    main()


if __name__ == "__main__":
    {"bare": bare, "libraries": libraries, "counted": counted}[sys.argv[1]]()
