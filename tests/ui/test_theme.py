"""Both sets of colours can be read, and the one the system wants is used."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication

from crmtray.protocol import KINDS
from crmtray.ui.icons import app_icon, kind_icon, pixmap
from crmtray.ui.theme import DARK, LIGHT, Colours, Theme, contrast, mix

READABLE = 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_can_be_read_on_what_it_stands_on(colours: Colours) -> None:
    c = colours
    cards = (c.card, c.card_unread, c.card_hover, c.window)
    pairs = [(text, ground) for text in (c.text, c.muted, c.accent, c.danger, c.warning, c.good) for ground in cards]
    pairs += [(c.on_accent, c.accent), (c.on_accent, c.accent_hover), (c.text, c.button), (c.text, c.button_hover)]
    pairs += [(c.on_danger, c.danger), (c.on_bar, c.bar), (c.bar_link, c.bar), (c.accent, c.button)]
    unreadable = {pair: round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < READABLE}
    assert not unreadable


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
