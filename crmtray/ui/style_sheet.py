"""The style sheet of the whole program, for one set of colours and text as large as designed.

Owns the looks of Qt's widgets: whatever can have the focus shows it. The colours are the theme's; what is painted by
hand (rows, marks) is painted where it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..paths import resource

if TYPE_CHECKING:
    from .theme import Colours


def style_sheet(c: Colours) -> str:
    """Selected by object name or by the dynamic property `look`; everything else is plain Fusion."""
    # A style sheet takes pictures from files only, and a file has one colour: this one is readable on both.
    arrow = resource("icons/calendar.svg").as_posix()
    down = resource("icons/chevron-down.svg").as_posix()
    mark = resource(f"icons/checked-{'white' if c.on_accent == '#FFFFFF' else 'navy'}.svg").as_posix()
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
    QPushButton[look="soft"]:checked {{ background: {c.accent}; color: {c.on_accent}; border-color: {c.accent}; }}
    QPushButton[look="soft"]:focus {{ border-color: {c.accent}; }}
    QPushButton[look="soft"]:checked:focus {{ border-color: {c.text}; }}
    QPushButton::menu-indicator {{ image: url({down}); width: 12px; height: 12px; right: 6px;
                                   subcontrol-origin: padding; subcontrol-position: right center; }}
    QPushButton[look="soft"][menu="true"], QPushButton[look="flat"][menu="true"] {{ padding-right: 22px; }}
    QPushButton[look^="toast"] {{ background: {c.button}; color: {c.text}; border: 2px solid {c.button};
                                  border-radius: 7px; padding: 3px 8px; font-size: 12px; font-weight: 600; }}
    QPushButton[look^="toast"]:hover {{ background: {c.button_hover}; border-color: {c.button_hover}; }}
    QPushButton[look="toast-primary"] {{ background: {c.accent}; color: {c.on_accent}; border-color: {c.accent}; }}
    QPushButton[look="toast-primary"]:hover {{ background: {c.accent_hover}; border-color: {c.accent_hover}; }}
    QPushButton[look^="toast"]:focus {{ border-color: {c.text}; }}
    QPushButton[look="flat"] {{ background: transparent; color: {c.accent}; border: 2px solid transparent;
                                border-radius: 8px; padding: 5px 8px; font-weight: 600; }}
    QPushButton[look="flat"]:hover {{ background: {c.button}; }}
    QPushButton[look="flat"]:focus {{ border-color: {c.accent}; }}
    QPushButton[look="flat"]:disabled {{ color: {c.muted}; }}
    QTabBar[look="tab"] {{ font-size: 12px; }}
    QTabBar::tab {{ background: transparent; color: {c.muted}; border: 2px solid transparent; border-radius: 8px; }}
    QTabBar[look="tab"]::tab {{ padding: 3px 10px; }}
    QTabBar[look="page"]::tab {{ padding: 5px 14px; }}
    QTabBar::tab:selected {{ background: {c.button}; color: {c.text}; border-bottom-color: {c.accent}; }}
    QTabBar::tab:hover {{ color: {c.text}; }}
    QTabBar::tab:focus {{ border-color: {c.accent}; }}
    QPushButton[look="chip"], QToolButton[look="chip"] {{ background: {c.card}; color: {c.text};
        border: 2px solid {c.border}; border-radius: 9px; padding: 3px 8px 3px 6px; font-size: 12px; }}
    QPushButton[look="chip"]:hover, QToolButton[look="chip"]:hover {{ background: {c.button}; }}
    QPushButton[look="chip"]:checked, QToolButton[look="chip"][chosen="true"] {{ background: {c.button};
        border-color: {c.accent}; font-weight: 600; }}
    QPushButton[look="chip"]:focus, QToolButton[look="chip"]:focus {{ border-color: {c.accent}; }}
    QPushButton[look="chip"]:checked:focus, QToolButton[look="chip"][chosen="true"]:focus {{
        border-color: {c.text}; }}
    QPushButton[look="chip"]:disabled {{ background: {c.window}; color: {c.muted}; }}
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
        border: 1px solid {c.edge}; border-radius: 8px; padding: 7px 9px; selection-background-color: {c.accent};
        selection-color: {c.on_accent}; placeholder-text-color: {c.muted}; }}
    QLineEdit:focus, QPlainTextEdit:focus, QDateTimeEdit:focus, QListWidget#sellers:focus {{
        border: 2px solid {c.accent}; padding: 6px 8px; }}
    QDateTimeEdit::drop-down {{ border: none; width: 30px; }}
    QDateTimeEdit::down-arrow {{ image: url({arrow}); width: 16px; height: 16px; }}
    QLineEdit[wrong="true"] {{ border: 1px solid {c.danger}; }}
    QLineEdit[wrong="true"]:focus {{ border: 3px solid {c.danger}; padding: 5px 7px; }}
    QListWidget#sellers::item {{ padding: 6px 8px; border-radius: 6px; }}
    QListWidget#sellers::item:selected {{ background: {c.accent}; color: {c.on_accent}; }}
    QCheckBox {{ color: {c.text}; spacing: 10px; border: 2px solid transparent; border-radius: 6px;
                 padding-right: 6px; }}
    QCheckBox:focus {{ border-color: {c.accent}; }}
    QCheckBox:disabled {{ color: {c.muted}; }}
    QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {c.muted}; border-radius: 4px;
                            background: {c.card}; margin-left: 1px; }}
    QCheckBox::indicator:hover {{ border-color: {c.accent}; }}
    QCheckBox::indicator:checked {{ background: {c.accent}; border-color: {c.accent}; image: url({mark}); }}
    QCheckBox::indicator:disabled {{ background: {c.window}; border-color: {c.button_hover}; }}
    QCheckBox::indicator:checked:disabled {{ background: {c.muted}; border-color: {c.muted}; }}
    QListView#list {{ background: {c.window}; border: none; outline: none; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 2px; }}
    QScrollBar::handle:vertical {{ background: {c.edge}; border-radius: 3px; min-height: 32px; }}
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
