"""News that come while the center is in use: a sentence in it, unless one sees them there already.

Owns that choice. Which toasts come this way is the affair of `toasts`.
"""

from __future__ import annotations

from PySide6.QtCore import QObject

from .center import Center
from .toast_card import ToastButton


class News(QObject):
    def __init__(self, center: Center) -> None:
        super().__init__(center)
        self._center = center

    def point_out(self, title: str, id: str | None) -> None:
        """`id` None: several."""
        if id is None or not self._center.list.in_view(id):
            self._center.notice(title, ToastButton(self.tr("Ver"), lambda: self._show(id)))

    def _show(self, id: str | None) -> None:
        if id is not None:
            self._center.show_item(id)
            return
        self._center.leave_details()
        self._center.header.show_everything()
        self._center.list.scrollToTop()
