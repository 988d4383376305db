"""How crmtray looks: two sets of colours, one style sheet, and which of the two is in use.

Owns every colour of the program. Each text colour has a contrast of at least 4.5 to 1 on what it stands on (a test
holds it to that). It must not know what is shown.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from ..paths import resource
from ..protocol import FOLLOW_UP, HOT_LEAD, PERFORMANCE, UNANSWERED

WIDTH = 384
"""Of the center, in logical pixels, with text as large as designed."""
PIXELS, MOST_PIXELS = 13, 30
"""Of ordinary text: as designed, and the largest for which a screen has room."""
SCHEME_VARIABLE = "CRMTRAY_COLOR_SCHEME"


@dataclass(frozen=True, slots=True)
class Colours:
    """Names say what it is for, never what it looks like."""

    window: str
    card: str
    card_unread: str
    card_hover: str
    border: str
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
        made.setColor(QPalette.ColorGroup.Disabled, role, mix(colours.muted, colours.window, 0.6))
    return made


def style_sheet(c: Colours) -> str:
    """Selected by object name or by the dynamic property `look`; everything else is plain Fusion."""
    # A style sheet takes pictures from files only, and a file has one colour: this one is readable on both.
    arrow = resource("icons/calendar.svg").as_posix()
    return f"""
    QWidget#center, QWidget#login, QWidget#form {{ background: {c.window}; }}
    QFrame#frame {{ background: {c.window}; border: 1px solid {c.border}; border-radius: 0px; }}
    QFrame#header, QFrame#footer {{ background: {c.card}; border: none; }}
    QFrame#header {{ border-bottom: 1px solid {c.border}; }}
    QFrame#footer {{ border-top: 1px solid {c.border}; }}
    QLabel#heading {{ font-size: 17px; font-weight: 600; color: {c.text}; }}
    QLabel[look="big"] {{ font-size: 20px; font-weight: 600; color: {c.text}; }}
    QLabel[look="strong"] {{ font-weight: 600; color: {c.text}; }}
    QLabel[look="muted"] {{ color: {c.muted}; }}
    QLabel[look="small"] {{ color: {c.muted}; font-size: 12px; }}
    QLabel[look="error"] {{ color: {c.danger}; font-size: 12px; }}
    QLabel[look="kind"] {{ color: {c.muted}; font-size: 12px; font-weight: 600; }}
    QLabel[look="label"] {{ color: {c.muted}; font-size: 12px; }}
    QLabel[look="title"] {{ font-size: 17px; font-weight: 600; color: {c.text}; }}
    QLabel[look="urgent"] {{ background: {c.danger}; color: {c.on_danger}; border-radius: 6px; padding: 1px 8px;
                             font-size: 11px; font-weight: 600; }}
    QLabel[look="high"] {{ color: {c.warning}; border: 1px solid {c.warning}; border-radius: 6px; padding: 0px 7px;
                           font-size: 11px; font-weight: 600; }}
    QLabel#count {{ background: {c.danger}; color: {c.on_danger}; border-radius: 7px; padding: 1px 7px;
                    font-size: 11px; font-weight: 600; }}
    QFrame[look="line"] {{ background: {c.card_unread}; border: none; border-bottom: 1px solid {c.border}; }}
    QFrame[look="line"] QLabel {{ color: {c.text}; font-size: 12px; }}
    QFrame[look="bar"] {{ background: {c.bar}; border-radius: 8px; }}
    QFrame[look="bar"] QLabel {{ color: {c.on_bar}; }}
    QFrame[look="bar"] QPushButton {{ color: {c.bar_link}; background: transparent; border: 1px solid transparent;
                                      border-radius: 6px; padding: 4px 8px; font-weight: 600; }}
    QFrame[look="bar"] QPushButton:focus, QFrame[look="bar"] QPushButton:hover {{ border-color: {c.bar_link}; }}
    QPushButton[look="primary"] {{ background: {c.accent}; color: {c.on_accent}; border: 2px solid {c.accent};
                                   border-radius: 8px; padding: 7px 16px; font-weight: 600; }}
    QPushButton[look="primary"]:hover {{ background: {c.accent_hover}; border-color: {c.accent_hover}; }}
    QPushButton[look="primary"]:focus {{ border-color: {c.text}; }}
    QPushButton[look="primary"]:disabled {{ background: {c.button}; border-color: {c.button}; color: {c.muted}; }}
    QPushButton[look="soft"] {{ background: {c.button}; color: {c.text}; border: 2px solid {c.button};
                                border-radius: 8px; padding: 6px 12px; }}
    QPushButton[look="soft"]:hover {{ background: {c.button_hover}; border-color: {c.button_hover}; }}
    QPushButton[look="soft"]:focus, QPushButton[look="soft"]:checked {{ border-color: {c.accent}; }}
    QPushButton[look^="toast"] {{ background: {c.button}; color: {c.text}; border: none; border-radius: 7px;
                                  padding: 5px 10px; font-size: 12px; font-weight: 600; }}
    QPushButton[look^="toast"]:hover {{ background: {c.button_hover}; }}
    QPushButton[look="toast-primary"] {{ background: {c.accent}; color: {c.on_accent}; }}
    QPushButton[look="toast-primary"]:hover {{ background: {c.accent_hover}; }}
    QPushButton[look="flat"] {{ background: transparent; color: {c.accent}; border: 2px solid transparent;
                                border-radius: 8px; padding: 5px 8px; font-weight: 600; }}
    QPushButton[look="flat"]:hover {{ background: {c.button}; }}
    QPushButton[look="flat"]:focus {{ border-color: {c.accent}; }}
    QPushButton[look="flat"]:disabled {{ color: {c.muted}; }}
    QPushButton[look="tab"] {{ background: transparent; color: {c.muted}; border: 2px solid transparent;
                               border-radius: 8px; padding: 3px 10px; font-size: 12px; }}
    QPushButton[look="tab"]:checked {{ background: {c.button}; color: {c.text}; }}
    QPushButton[look="tab"]:hover {{ color: {c.text}; }}
    QPushButton[look="tab"]:focus {{ border-color: {c.accent}; }}
    QPushButton[look="chip"], QToolButton[look="chip"] {{ background: {c.card}; color: {c.text};
        border: 1px solid {c.border}; border-radius: 10px; padding: 3px 9px 3px 7px; font-size: 12px; }}
    QPushButton[look="chip"]:hover, QToolButton[look="chip"]:hover {{ background: {c.button}; }}
    QPushButton[look="chip"]:checked, QToolButton[look="chip"][chosen="true"] {{ background: {c.button};
        border: 1px solid {c.accent}; font-weight: 600; }}
    QPushButton[look="chip"]:focus, QToolButton[look="chip"]:focus {{ border: 2px solid {c.accent};
        padding: 2px 8px 2px 6px; }}
    QToolButton[look="chip"]::menu-indicator {{ image: none; }}
    QScrollArea#details, QWidget#details {{ background: {c.window}; border: none; }}
    QFrame[look="fields"] {{ background: {c.card}; border: 1px solid {c.border}; border-radius: 10px; }}
    QFrame#details-head, QFrame#details-foot {{ background: {c.card}; border: none; }}
    QFrame#details-head {{ border-bottom: 1px solid {c.border}; }}
    QFrame#details-foot {{ border-top: 1px solid {c.border}; }}
    QToolButton[look="icon"] {{ background: transparent; border: 2px solid transparent; border-radius: 8px;
                                padding: 4px; }}
    QToolButton[look="icon"]:hover {{ background: {c.button}; }}
    QToolButton[look="icon"]:focus {{ border-color: {c.accent}; }}
    QToolButton[look="icon"]::menu-indicator {{ image: none; }}
    QLineEdit, QPlainTextEdit, QDateTimeEdit, QListWidget#sellers {{ background: {c.card}; color: {c.text};
        border: 1px solid {c.border}; border-radius: 8px; padding: 7px 9px; selection-background-color: {c.accent};
        selection-color: {c.on_accent}; }}
    QLineEdit:focus, QPlainTextEdit:focus, QDateTimeEdit:focus, QListWidget#sellers:focus {{
        border: 2px solid {c.accent}; padding: 6px 8px; }}
    QDateTimeEdit::drop-down {{ border: none; width: 30px; }}
    QDateTimeEdit::down-arrow {{ image: url({arrow}); width: 16px; height: 16px; }}
    QLineEdit[wrong="true"] {{ border: 2px solid {c.danger}; padding: 6px 8px; }}
    QListWidget#sellers::item {{ padding: 6px 8px; border-radius: 6px; }}
    QListWidget#sellers::item:selected {{ background: {c.accent}; color: {c.on_accent}; }}
    QListView#list {{ background: {c.window}; border: none; outline: none; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 2px; }}
    QScrollBar::handle:vertical {{ background: {c.button_hover}; border-radius: 3px; min-height: 32px; }}
    QScrollBar::handle:vertical:hover {{ background: {c.muted}; }}
    QScrollBar[idle="true"]::handle:vertical {{ background: transparent; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QFrame#toast {{ background: {c.card}; border: 1px solid {c.border}; border-radius: 12px; }}
    QMenu {{ background: {c.card}; color: {c.text}; border: 1px solid {c.border}; padding: 4px; }}
    QMenu::item {{ padding: 6px 22px; border-radius: 6px; }}
    QMenu::item:selected {{ background: {c.button}; }}
    QMenu::item:disabled {{ color: {c.muted}; }}
    QMenu::separator {{ height: 1px; background: {c.border}; margin: 4px 8px; }}
    QToolTip {{ background: {c.bar}; color: {c.on_bar}; border: none; padding: 4px; }}
    """
