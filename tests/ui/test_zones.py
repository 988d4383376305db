"""The time zones of the settings: each place once, and nothing that is set gets lost."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from crmtray.ui.settings_fields import ZoneBox
from crmtray.ui.zones import places


def test_a_place_is_offered_by_its_name_of_today() -> None:
    known = ["America/Argentina/Buenos_Aires", "America/Buenos_Aires", "Brazil/East", "Etc/GMT+3", "UTC", "Europe/Oslo"]
    assert places(known) == ["America/Argentina/Buenos_Aires", "Europe/Oslo", "UTC"]


def test_an_old_name_is_offered_where_the_new_one_is_unknown() -> None:
    assert places(["Europe/Kiev", "Europe/Paris"]) == ["Europe/Kiev", "Europe/Paris", "UTC"]
    assert places(["Europe/Kiev", "Europe/Kyiv"]) == ["Europe/Kyiv", "UTC"]


def test_an_old_name_that_is_set_stays(qtbot: QtBot, qapp: QApplication) -> None:
    box = ZoneBox()
    qtbot.addWidget(box)
    assert box.findData("America/Buenos_Aires") == -1 and box.findData("America/Argentina/Buenos_Aires") > 0
    box.show_zone("America/Buenos_Aires")
    assert box.currentData() == "America/Buenos_Aires" and box.currentText().startswith("America/Buenos Aires (UTC")
