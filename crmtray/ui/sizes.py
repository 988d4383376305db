"""Windows that grow with the text: measured anew when the person's system asks for larger letters, and never cut.

Owns when something is measured, and scrolling where the screen is too small. How large things are is the theme's.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QFrame, QLayout, QScrollArea, QScrollBar, QWidget

from .theme import px, scale

SHARE_OF_SCREEN = 0.9


class Sized(QObject):
    """Lengths of a widget that are set once, and once more for each new size of text."""

    def __init__(self, owner: QWidget, measure: Callable[[], object]) -> None:
        super().__init__(owner)
        self._measure, self._scale = measure, scale()
        measure()
        owner.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FontChange and scale() != self._scale:
            self._scale = scale()
            self._measure()
        return False


def spaced(owner: QWidget, layout: QLayout, *margins: int, space: int) -> None:
    """Margins (left, top, right, bottom) and space of the design, for the text size in use."""

    def measure() -> None:
        left, top, right, bottom = (px(margin) for margin in margins)
        layout.setContentsMargins(left, top, right, bottom)
        layout.setSpacing(px(space))

    Sized(owner, measure)


class Scrolling(QScrollArea):
    """A page that scrolls up and down, with a bar of its own.

    Qt counts its own bar among what a screen reader may ask for, and when the bar goes between the count and the
    question (a window that closes is enough) it reads beside its list, which can end the program. Ours is not counted.
    """

    def __init__(self, page: QWidget) -> None:
        super().__init__()
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.bar = QScrollBar(Qt.Orientation.Vertical, self)
        inner = self.verticalScrollBar()
        inner.rangeChanged.connect(self._follow)
        inner.valueChanged.connect(self.bar.setValue)
        self.bar.valueChanged.connect(inner.setValue)
        self.setWidget(page)
        self._follow()

    def _follow(self) -> None:
        inner = self.verticalScrollBar()
        self.bar.setRange(inner.minimum(), inner.maximum())
        self.bar.setPageStep(inner.pageStep())
        self.bar.setSingleStep(inner.singleStep())
        self.bar.setValue(inner.value())
        self.bar.setVisible(inner.maximum() > 0)
        self._place()

    def _place(self) -> None:
        width = self.bar.sizeHint().width()
        self.setViewportMargins(0, 0, width if self.scrolls else 0, 0)
        self.bar.setGeometry(QRect(self.width() - width, 0, width, self.height()))

    @property
    def scrolls(self) -> bool:
        return not self.bar.isHidden()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._follow()


class Fitting(Scrolling):
    """As high as its page, or as the screen is; then it scrolls."""

    def sizeHint(self) -> QSize:
        page = self.widget()
        layout = page.layout() if page is not None else None
        if layout is None:
            return super().sizeHint()
        hint = layout.totalSizeHint()
        if layout.hasHeightForWidth():
            hint.setHeight(layout.totalHeightForWidth(hint.width()))
        most = most_room()
        more = self.bar.sizeHint().width() if hint.height() > most.height() else 0
        return QSize(hint.width() + more, hint.height()).boundedTo(most)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        found = super().eventFilter(watched, event)
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return found


def most_room() -> QSize:
    """For a window, on the screen."""
    free = QGuiApplication.primaryScreen().availableSize()
    return QSize(round(free.width() * SHARE_OF_SCREEN), round(free.height() * SHARE_OF_SCREEN))
