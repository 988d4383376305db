"""The icon in the tray: the number on it, how the connection looks, what it says."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QSystemTrayIcon
from pytestqt.qtbot import QtBot

from crmtray.ui.tray import Tray
from crmtray.ui.tray_icon import GREEN, RED, SIZES, YELLOW, badge_text, picture


@pytest.mark.parametrize(
    ("unread", "text"), [(0, ""), (1, "1"), (5, "5"), (9, "9"), (10, "9+"), (4000, "9+"), (-1, "")]
)
def test_the_badge_counts_to_nine(unread: int, text: str) -> None:
    assert badge_text(unread) == text


def has(image: QImage, colour: str, *, left: bool) -> bool:
    """A pixel of about this colour: at the smallest sizes every pixel is a mixture."""
    half = image.width() // 2
    columns = range(half) if left else range(half, image.width())
    return any(_near(image.pixelColor(x, y), QColor(colour)) for x in columns for y in range(image.height()))


def _near(one: QColor, other: QColor) -> bool:
    return (
        abs(one.red() - other.red()) + abs(one.green() - other.green()) + abs(one.blue() - other.blue()) < 60
        and one.alpha() > 200
    )


@pytest.mark.parametrize("size", SIZES)
def test_the_badge_and_the_connection_are_seen_at_every_size(qapp: QApplication, size: int) -> None:
    plain, marked = picture(size, 0, "real_time").toImage(), picture(size, 3, "real_time").toImage()
    assert has(marked, RED, left=False) and not has(plain, RED, left=False)
    assert has(marked, GREEN, left=True)
    assert has(picture(size, 0, "polling").toImage(), YELLOW, left=True)
    assert has(picture(size, 0, "offline").toImage(), RED, left=True)


def test_states_differ_in_shape_too(qapp: QApplication) -> None:
    def shape(state: str) -> bytes:
        alpha = picture(22, 0, state).toImage().convertToFormat(QImage.Format.Format_Alpha8)
        return bytes(alpha.constBits())

    assert len({shape("real_time"), shape("polling"), shape("offline")}) == 3


def test_the_tooltip_says_how_many_and_how_the_connection_is(qapp: QApplication) -> None:
    tray = Tray()
    assert tray.tooltip == "crmtray — Sesión no iniciada"
    tray.set_user("Ana")
    tray.set_unread(3)
    tray.set_connection("real_time", "En tiempo real")
    assert tray.tooltip == "crmtray — 3 sin leer · En tiempo real"
    tray.set_connection("polling", "Actualizando cada 30s")
    assert tray.tooltip == "crmtray — 3 sin leer · Actualizando cada 30s"
    tray.set_unread(0)
    tray.set_connection("offline", "Sin conexión")
    assert tray.tooltip == "crmtray — nada sin leer · Sin conexión"


def test_the_menu_follows_who_is_signed_in(qapp: QApplication) -> None:
    tray = Tray()

    def visible() -> list[str]:
        return [entry.text() for entry in tray.menu.actions() if entry.isVisible() and not entry.isSeparator()]

    assert visible() == [
        "Entrar…",
        "Marcar todas como leídas",
        "Configuración…",
        "Copiar diagnóstico",
        "Sesión no iniciada",
        "Salir",
    ]
    tray.set_user("Ana & Cía")
    tray.set_connection("real_time", "En tiempo real")
    assert visible() == [
        "Abrir notificaciones",
        "Marcar todas como leídas",
        "No molestar",
        "Configuración…",
        "Copiar diagnóstico",
        "En tiempo real",
        "Ana && Cía",
        "Cerrar sesión",
        "Salir",
    ]


def test_a_double_click_opens_once(qapp: QApplication, qtbot: QtBot) -> None:
    tray = Tray()
    opened: list[None] = []
    tray.opened.connect(lambda: opened.append(None))
    for _ in range(2):
        tray._icon.activated.emit(QSystemTrayIcon.ActivationReason.Trigger)
    assert len(opened) == 1


def test_a_tray_that_comes_later_is_told(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: False))
    tray = Tray()
    told: list[bool] = []
    tray.hosted.connect(told.append)
    tray.look()
    assert told == []
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: True))
    tray.look()
    tray.look()
    assert told == [True] and tray.available


def test_what_is_clicked_before_anything_is_behind_the_icon_is_told_later(qtbot: QtBot) -> None:
    tray = Tray()
    told: list[str] = []
    tray.opened.connect(lambda: told.append("opened"))
    tray.quitted.connect(lambda: told.append("quitted"))
    tray.hold()
    tray._activated(QSystemTrayIcon.ActivationReason.Trigger)
    tray._quit.trigger()
    tray._quit.trigger()
    assert told == []
    assert tray.release() and told == ["quitted"]
    tray._quit.trigger()
    assert told == ["quitted", "quitted"]
    tray.hide()
