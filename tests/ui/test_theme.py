"""Both sets of colours can be read, and the one the system wants is used."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from crmtray.protocol import KINDS
from crmtray.ui import settings_style
from crmtray.ui.icons import app_icon, kind_icon, pixmap
from crmtray.ui.style_sheet import style_sheet
from crmtray.ui.theme import DARK, LIGHT, Colours, Theme, contrast, mix, palette, scaled

READABLE = 4.5
GRAPHIC = 3
"""WCAG 2.2: of text; of what is drawn, and of the frame that shows the focus."""


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_on_what_it_stands_on(colours: Colours) -> None:
    c = colours
    cards = (c.card, c.card_unread, c.card_hover, c.window)
    pairs = [(text, ground) for text in (c.text, c.muted, c.accent, c.danger, c.warning, c.good) for ground in cards]
    pairs += [(c.on_accent, c.accent), (c.on_accent, c.accent_hover), (c.text, c.button), (c.text, c.button_hover)]
    pairs += [(c.on_hit, c.hit), (c.muted, c.button), (c.on_danger, c.danger), (c.accent, c.button)]
    # The text of a row that the pointer is on, and of a painted button.
    pairs += [(c.accent, c.card_hover), (c.text, c.card_hover), (c.on_accent, c.accent_hover)]
    pairs += [(c.on_danger, c.danger), (c.on_bar, c.bar), (c.bar_link, c.bar), (c.accent, c.button)]
    unreadable = {pair: round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < READABLE}
    assert not unreadable


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_rule_of_the_style_sheet_that_has_both_colours_can_be_read(colours: Colours) -> None:
    rules = re.findall(r"([^{}]+){([^{}]*)}", style_sheet(colours))
    seen, unreadable = 0, []
    for selector, body in rules:
        text = re.search(r"(?<![-\w])color:\s*(#\w{6})", body)
        ground = re.search(r"(?<![-\w])background(?:-color)?:\s*(#\w{6})", body)
        if text and ground:
            seen += 1
            if contrast(text[1], ground[1]) < READABLE:
                unreadable.append(selector.strip())
    assert seen > 12 and not unreadable


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_what_has_the_focus_can_be_seen(colours: Colours) -> None:
    c = colours
    for ground in (c.card, c.window, c.card_unread, c.button):
        assert contrast(c.accent, ground) >= GRAPHIC
        assert contrast(c.danger, ground) >= GRAPHIC, "the frame of a field with an error"
    # The frame of what is filled with the accent stands between its filling and what is around it.
    assert all(contrast(c.text, ground) >= GRAPHIC for ground in (c.card, c.window, c.card_unread))
    assert contrast(c.bar_link, c.bar) >= GRAPHIC


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_drawn_can_be_seen(colours: Colours) -> None:
    c = colours
    for ground in (c.card, c.window):
        assert contrast(c.edge, ground) >= GRAPHIC, "where a field is, and the bar that scrolls"
        for state in ("real_time", "polling", "offline"):
            assert contrast(c.link(state), ground) >= GRAPHIC
    for ground in (c.card, c.card_unread, c.card_hover):
        assert contrast(c.good, ground) >= GRAPHIC, "the check mark of a row"
    for mark, ground in ((c.muted, c.card), (c.muted, c.window), (c.on_accent, c.accent)):
        assert contrast(mark, ground) >= GRAPHIC, "icons, the frame of a check box and its mark"


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_words_that_cannot_be_pressed_can_be_read(colours: Colours) -> None:
    made = palette(colours)
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        words = made.color(QPalette.ColorGroup.Disabled, role).name()
        assert all(contrast(words, ground) >= READABLE for ground in (colours.window, colours.card))
    hint = made.color(QPalette.ColorRole.PlaceholderText).name()
    assert contrast(hint, colours.card) >= READABLE
    assert f"placeholder-text-color: {colours.muted}" in style_sheet(colours), "else Qt thins it"
    assert contrast(made.color(QPalette.ColorRole.ToolTipText).name(), colours.bar) >= READABLE


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_of_the_settings_can_be_read(qapp: QApplication, colours: Colours) -> None:
    for selector, body in re.findall(r"([^{}]+){([^{}]*)}", settings_style.style_sheet(colours)):
        text = re.search(r"(?<![-\w])color:\s*(#\w{6})", body)
        ground = re.search(r"(?<![-\w])background(?:-color)?:\s*(#\w{6})", body)
        if text:
            grounds = [ground[1]] if ground else [colours.card, colours.window]
            assert all(contrast(text[1], one) >= READABLE for one in grounds), selector


def test_lengths_grow_with_the_text_and_hair_lines_do_not() -> None:
    assert scaled("border: 1px solid red; padding: 3px 10px; margin: 0px;", 1.5) == (
        "border: 1px solid red; padding: 4px 15px; margin: 0px;"
    )


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("kind", [*KINDS, "something_else"])
def test_every_kind_can_be_seen_in_its_circle(colours: Colours, kind: str) -> None:
    for ground in (colours.card, colours.card_unread):
        tint = mix(colours.kind(kind), ground, 0.16).name()
        assert contrast(colours.kind(kind), tint) >= 3


def test_kinds_have_different_shapes(qapp: QApplication) -> None:
    names = [kind_icon(kind) for kind in (*KINDS, "team_message", "something_else")]
    drawn = {bytes(pixmap(name, "#000000", 24).toImage().constBits()) for name in names}
    assert len(drawn) == len(names)


def test_the_app_icon_has_every_size_a_desktop_asks_for(qapp: QApplication) -> None:
    assert {size.width() for size in app_icon().availableSizes()} >= {16, 24, 32, 48, 64, 128, 256}


@pytest.mark.parametrize(("wanted", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_the_colours_can_be_forced(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch, wanted: str, colours: Colours
) -> None:
    monkeypatch.setenv("CRMTRAY_COLOR_SCHEME", wanted)
    assert Theme(qapp).colours is colours
    qapp.setStyleSheet("")
