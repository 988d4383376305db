"""Sounds: files that are sounds, made by their script, and played by what the machine has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from crmtray.protocol import PRIORITIES
from crmtray.ui.sounds import PLAYERS, play, sound_of

ROOT = Path(__file__).parents[2]
FILES = ("normal.wav", "high.wav", "urgent.wav")


def test_each_priority_but_low_has_a_sound_of_its_own() -> None:
    sounds = {priority: sound_of(priority) for priority in PRIORITIES}
    assert sounds.pop("low") is None
    assert len({sound.file for sound in sounds.values() if sound is not None}) == len(sounds) == 3
    assert sound_of("a priority of tomorrow") == sounds["medium"]


def test_the_files_are_what_the_script_makes_short_and_not_loud(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "sounds"), str(tmp_path)], check=True, capture_output=True)
    for name in FILES:
        shipped = ROOT / "resources" / "sounds" / name
        assert shipped.read_bytes() == (tmp_path / name).read_bytes()
        with wave.open(str(shipped)) as sound:
            frames = memoryview(sound.readframes(sound.getnframes())).cast("h")
            assert sound.getnframes() / sound.getframerate() < 1
        assert 5_000 < max(map(abs, frames)) < 16_000 and frames[0] == 0 and abs(frames[-1]) < 50


def test_the_first_player_there_is_gets_the_file(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    for program, *_ in PLAYERS[1:]:
        player = tmp_path / program
        player.write_text(f'#!/bin/sh\necho "{program} $@" >> {said}\n')
        player.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    sound = sound_of("urgent")
    assert sound is not None and play(sound)
    qtbot.waitUntil(said.exists)
    qtbot.waitUntil(lambda: said.read_text() == f"paplay {sound.file}\n")


def test_a_machine_without_a_player_is_silent(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sound = sound_of("high")
    assert shutil.which("aplay") is None and sound is not None and not play(sound)
