"""How crmtray looks: two sets of colours, one style sheet, and which of the two is in use.

Owns every colour of the program. Each text colour has a contrast of at least 4.5 to 1 on what it stands on (a test
holds it to that). It must not know what is shown.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QGuiApplication, QPalette, QWindow
from PySide6.QtWidgets import QApplication

from ..protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED
from .style_sheet import style_sheet

WIDTH = 384
"""Of the center, in logical pixels, with text as large as designed."""
PIXELS, MOST_PIXELS = 13, 30
"""Of ordinary text: as designed, and the largest for which a screen has room."""
SCHEME_VARIABLE = "CRMTRAY_COLOR_SCHEME"


@dataclass(frozen=True, slots=True)
class Colours:
    """Names say what it is for, never what it looks like. `border` is an ornament; `edge` shows where a field is."""

    window: str
    card: str
    card_unread: str
    card_hover: str
    border: str
    edge: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    on_accent: str
    button: str
    button_hover: str
    danger: str
    on_danger: str
    warning: str
    good: str
    bar: str
    on_bar: str
    bar_link: str
    unanswered: str
    hot_lead: str
    follow_up: str
    performance: str
    hit: str
    on_hit: str

    def kind(self, type: str) -> str:
        known: dict[str, str] = {
            UNANSWERED: self.unanswered,
            HOT_LEAD: self.hot_lead,
            FOLLOW_UP: self.follow_up,
            PERFORMANCE: self.performance,
        }
        return known.get(type, self.muted)

    def link(self, state: str) -> str:
        """The colour of the connection mark."""
        return {"real_time": self.good, "polling": self.warning}.get(state, self.danger)


LIGHT = Colours(
    window="#F3F5FA",
    card="#FFFFFF",
    card_unread="#EDF2FF",
    card_hover="#F8FAFF",
    border="#DEE4EF",
    edge="#7F889C",
    text="#141C2E",
    muted="#525D75",
    accent="#2B52D6",
    accent_hover="#2144B8",
    on_accent="#FFFFFF",
    button="#E3E9F8",
    button_hover="#D2DCF5",
    danger="#C22525",
    on_danger="#FFFFFF",
    warning="#8A5600",
    good="#17753A",
    bar="#1E2638",
    on_bar="#F1F4FB",
    bar_link="#9DB8FF",
    unanswered="#BE2A2A",
    hot_lead="#B4440A",
    follow_up="#2B52D6",
    performance="#7335C4",
    hit="#FFE08A",
    on_hit="#141C2E",
)
DARK = Colours(
    window="#10141D",
    card="#191F2B",
    card_unread="#1E2A44",
    card_hover="#202838",
    border="#2A3346",
    edge="#6F7A94",
    text="#E9EDF6",
    muted="#A5B0C6",
    accent="#8DAEFF",
    accent_hover="#A9C2FF",
    on_accent="#0B1430",
    button="#2A3650",
    button_hover="#364566",
    danger="#FF8B84",
    on_danger="#2C0705",
    warning="#FFC56B",
    good="#6FD896",
    bar="#E6EAF4",
    on_bar="#141C2E",
    bar_link="#2144B8",
    unanswered="#FF8F8A",
    hot_lead="#FFA36E",
    follow_up="#8DAEFF",
    performance="#CBA6FF",
    hit="#FFD666",
    on_hit="#1A1405",
)


class _Listener(QWindow):
    """Never shown. Qt tells windows, and nobody else, that the system looks otherwise."""

    heard = Signal()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ThemeChange:
            self.heard.emit()
        return super().event(event)


class Theme(QObject):
    """The colours in use; follows the system unless CRMTRAY_COLOR_SCHEME says `light` or `dark`."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__()
        self._app = app
        app.setStyle("Fusion")
        app.setFont(base_font())
        self.colours = self._wanted()
        self._apply()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.follow)
        # Not at once: the fonts are the old ones until everybody was told.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.follow)
        self._listener = _Listener()
        self._listener.heard.connect(self._soon.start)
        QGuiApplication.primaryScreen().logicalDotsPerInchChanged.connect(self._soon.start)

    def _wanted(self) -> Colours:
        forced = os.environ.get(SCHEME_VARIABLE, "").lower()
        if forced in ("light", "dark"):
            return DARK if forced == "dark" else LIGHT
        return DARK if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT

    def follow(self) -> None:
        """Looks again at what is wanted."""
        wanted, text = self._wanted(), base_font()
        if wanted is not self.colours or _shape(text) != _shape(self._app.font()):
            self._app.setFont(text)
            self.colours = wanted
            self._apply()
            self.changed.emit()

    def _apply(self) -> None:
        self._app.setPalette(palette(self.colours))
        self._app.setStyleSheet(scaled(style_sheet(self.colours), scale()))


def base_font() -> QFont:
    """The system's own, as large as the person has set it, and never smaller than reads well in the center."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPixelSize(min(max(QFontInfo(font).pixelSize(), PIXELS), MOST_PIXELS))
    return font


def _shape(font: QFont) -> tuple[str, int]:
    return font.family(), font.pixelSize()


def scale() -> float:
    """How much larger than designed for text is to be, as the person's system says."""
    return max(1.0, QGuiApplication.font().pixelSize() / PIXELS)


def px(pixels: float) -> int:
    """A length of the design, for the text size in use."""
    return round(pixels * scale())


def center_width() -> int:
    return px(WIDTH)


def scaled(sheet: str, by: float) -> str:
    """The lengths of a style sheet, but for hair lines and frames."""
    return re.sub(r"\b(\d+)px", lambda found: f"{_length(int(found[1]), by)}px", sheet)


def _length(pixels: int, by: float) -> int:
    return pixels if pixels <= 2 else round(pixels * by)


def font(*, pixels: int = PIXELS, bold: bool = False) -> QFont:
    made = QFont(QGuiApplication.font())
    made.setPixelSize(px(pixels))
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return made


def contrast(one: str, other: str) -> float:
    """WCAG 2: 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)

    made = QColor(colour)
    return 0.2126 * linear(made.redF()) + 0.7152 * linear(made.greenF()) + 0.0722 * linear(made.blueF())


def mix(colour: str, over: str, share: float) -> QColor:
    """`share` of the one on the other: the tint of a kind on its card."""
    top, base = QColor(colour), QColor(over)
    return QColor(
        round(top.red() * share + base.red() * (1 - share)),
        round(top.green() * share + base.green() * (1 - share)),
        round(top.blue() * share + base.blue() * (1 - share)),
    )


def palette(colours: Colours) -> QPalette:
    made = QPalette()
    roles = QPalette.ColorRole
    for role, colour in (
        (roles.Window, colours.window),
        (roles.WindowText, colours.text),
        (roles.Base, colours.card),
        (roles.AlternateBase, colours.window),
        (roles.Text, colours.text),
        (roles.PlaceholderText, colours.muted),
        (roles.Button, colours.button),
        (roles.ButtonText, colours.text),
        (roles.ToolTipBase, colours.bar),
        (roles.ToolTipText, colours.on_bar),
        (roles.Highlight, colours.accent),
        (roles.HighlightedText, colours.on_accent),
        (roles.Link, colours.accent),
        (roles.Accent, colours.accent),
    ):
        made.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.muted))
    return made
