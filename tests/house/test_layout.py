"""The house's own rules: who imports whom, what is shipped, what must not be in the tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.fail("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_imports_go_downwards() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [file] = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_two_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"crmtray", "crmtray_server"}


@pytest.mark.parametrize(
    "file",
    [
        "crmtray/resources/icons/",
        "crmtray_server/intent_weights.json.gz",
        "crmtray_server/templates/mail_body.html",
        "crmtray_server/templates/mail_body.txt",
        "crmtray_server/templates/admin.html",
        "crmtray_server/templates/style.css",
        "crmtray_server/store/migrations/versions/0001_first.py",
        "crmtray_server/store/migrations/env.py",
    ],
)
def test_the_wheel_holds_what_the_code_reads(wheel: zipfile.ZipFile, file: str) -> None:
    assert any(name.startswith(file) for name in wheel.namelist())


@pytest.mark.parametrize("module", ["crmtray", "crmtray.protocol", "crmtray_server"])
def test_the_wire_types_need_no_extra(module: str) -> None:
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'server')!r}]; import {module}"
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("folder", ["packaging", "resources"])
def test_no_python_where_it_would_shadow(folder: str) -> None:
    """An `__init__.py` in packaging/ breaks `import packaging.version` for everybody who runs from the checkout."""
    assert not [path for path in tracked() if path.is_relative_to(ROOT / folder) and path.name == "__init__.py"]


def test_no_path_of_a_machine() -> None:
    """Where it was written or built: such a path means nothing to anybody else."""
    marks = [b"/" + name + b"/" for name in (b"root", b"work", b"Users", b"home/runner")]
    marks.append(bytes(ROOT) + b"/")
    found = [path for path in tracked() if any(mark in path.read_bytes() for mark in marks)]
    assert found == []


def test_python_files_stay_readable() -> None:
    long = {path: len(path.read_text().splitlines()) for path in tracked() if path.suffix == ".py"}
    shipped = {path: count for path, count in long.items() if "tests" not in path.parts}
    assert {path: count for path, count in shipped.items() if count > 400} == {}
