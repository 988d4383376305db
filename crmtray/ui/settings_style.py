"""How the settings window looks, beyond what the theme says for the whole program. The colours are the theme's."""

from __future__ import annotations

from ..paths import resource
from .theme import Colours, scale, scaled


def style_sheet(c: Colours) -> str:
    # A style sheet takes pictures from files only, and a file has one colour.
    arrow = resource("icons/chevron-down.svg").as_posix()
    fields = ("QComboBox", "QTimeEdit", "QSpinBox")

    def each(suffix: str) -> str:
        return ", ".join(f"{field}{suffix}" for field in fields)

    sheet = f"""
    QWidget#settings, QScrollArea, QScrollArea > QWidget > QWidget {{ background: {c.window}; }}
    QFrame[look="card"] {{ background: {c.card}; border: 1px solid {c.border}; border-radius: 10px; }}
    QFrame[look="card"] QLabel, QFrame[look="card"] QWidget#plain {{ background: transparent; border: none; }}
    QFrame[look="card"] QLabel:disabled {{ color: {c.muted}; }}
    QPushButton[look="day"] {{ background: {c.button}; color: {c.text}; border: 2px solid {c.button};
                               border-radius: 8px; padding: 5px 2px; min-width: 2em; }}
    QPushButton[look="day"]:hover {{ background: {c.button_hover}; }}
    QPushButton[look="day"]:checked {{ background: {c.accent}; color: {c.on_accent}; border-color: {c.accent};
                                       font-weight: 600; }}
    QPushButton[look="day"]:focus {{ border-color: {c.text}; }}
    QPushButton[look="day"]:disabled {{ color: {c.muted}; background: {c.window}; border-color: {c.border}; }}
    QPushButton[look="day"]:checked:disabled {{ color: {c.muted}; background: {c.button}; border-color: {c.muted}; }}
    {each("")} {{ background: {c.card}; color: {c.text}; border: 1px solid {c.edge}; border-radius: 8px;
                  padding: 6px 8px; selection-background-color: {c.accent}; selection-color: {c.on_accent}; }}
    {each(":focus")} {{ border: 2px solid {c.accent}; padding: 5px 7px; }}
    {each('[wrong="true"]')} {{ border: 1px solid {c.danger}; }}
    {each('[wrong="true"]:focus')} {{ border: 3px solid {c.danger}; padding: 4px 6px; }}
    {each(":disabled")}, QLineEdit:disabled {{ background: {c.window}; color: {c.muted}; }}
    QComboBox::drop-down {{ border: none; width: 26px; }}
    QComboBox::down-arrow {{ image: url({arrow}); width: 14px; height: 14px; }}
    QComboBox QLineEdit, QComboBox QLineEdit:focus {{ background: transparent; border: none; padding: 0; }}
    QTimeEdit, QSpinBox, QTimeEdit:focus, QSpinBox:focus {{ padding-left: 0; padding-right: 0; }}
    QTimeEdit QLineEdit, QSpinBox QLineEdit, QTimeEdit QLineEdit:focus, QSpinBox QLineEdit:focus {{
        background: transparent; border: none; padding: 0 8px; }}
    QTimeEdit::down-arrow, QTimeEdit::up-arrow, QSpinBox::down-arrow, QSpinBox::up-arrow {{ image: none; width: 0; }}
    QComboBox QAbstractItemView {{ background: {c.card}; color: {c.text}; border: 1px solid {c.border};
        selection-background-color: {c.accent}; selection-color: {c.on_accent}; outline: none; }}
    QTimeEdit::up-button, QTimeEdit::down-button, QSpinBox::up-button, QSpinBox::down-button {{
        width: 0; border: none; }}
    """
    return scaled(sheet, scale())


def list_style_sheet(c: Colours) -> str:
    """Of a list that drops down: it is a window of its own, which inherits nothing."""
    sheet = f"""
    QAbstractItemView {{ background: {c.card}; color: {c.text}; border: 1px solid {c.border}; outline: none; }}
    QAbstractItemView::item {{ padding: 5px 8px; border-radius: 6px; }}
    QAbstractItemView::item:selected {{ background: {c.accent}; color: {c.on_accent}; }}
    """
    return scaled(sheet, scale())
