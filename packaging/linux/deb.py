"""Makes the Debian package of a bundle that PyInstaller has made: `deb.py BUNDLE FOLDER`; prints the package's path.

Owns where things are in the package, and that two packages of one bundle are the same to the byte (SOURCE_DATE_EPOCH).
Needs dpkg-deb and nothing else of Debian's tools.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESOURCES = ROOT / "resources"
PROGRAM = "usr/lib/crmtray"
DOC = "usr/share/doc/crmtray"


def build(bundle: Path, folder: Path) -> Path:
    """The .deb, in that folder."""
    values = _values(bundle)
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / f"crmtray_{values['VERSION']}_{values['ARCHITECTURE']}.deb"
    with tempfile.TemporaryDirectory() as made:
        tree = Path(made) / "crmtray"
        _program(bundle, tree)
        _desktop(tree, values)
        _documents(tree, values)
        values["SIZE"] = str(sum(_kilobytes(path) for path in tree.rglob("*")))
        _control(tree, values)
        _same_every_time(tree, int(values["EPOCH"]))
        command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)]
        # What Debian and Ubuntu of any age read; dpkg's own default differs between them.
        environment = {"DPKG_DEB_COMPRESSOR_TYPE": "xz"} | os.environ
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
    return package


def _values(bundle: Path) -> dict[str, str]:
    """What stands for the @NAMES@ in the files here."""
    epoch = os.environ["SOURCE_DATE_EPOCH"]
    day = datetime.fromtimestamp(int(epoch), UTC)
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout
    name, address = (
        os.environ.get("DEBFULLNAME", "crmtray"),
        os.environ.get("DEBEMAIL", "crmtray@localhost.localdomain"),
    )
    return {
        "EPOCH": epoch,
        "DATE": day.date().isoformat(),
        "MAILDATE": format_datetime(day),
        "VERSION": debian_version(version()),
        "ARCHITECTURE": architecture.strip(),
        "MAINTAINER": f"{name} <{address}>",
        "GLIBC": newest_glibc(bundle),
    }


def version() -> str:
    text = (ROOT / "crmtray" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "(.+?)"', text)
    assert found is not None
    return found[1]


def debian_version(version: str) -> str:
    """1.0rc1 comes before 1.0: Debian says that with a tilde."""
    return re.sub(r"[-.]?(a|b|rc|dev)(\d+)", r"~\1\2", version)


def newest_glibc(bundle: Path) -> str:
    """The version of the C library that the bundle cannot do without."""
    found = {
        tuple(int(number) for number in match.split(b"."))
        for path in bundle.rglob("*")
        if path.is_file() and not path.is_symlink() and is_elf(path)
        for match in re.findall(rb"GLIBC_(2\.\d+)\b", path.read_bytes())
    }
    return ".".join(str(number) for number in max(found))


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


# --- what is in it ----------------------------------------------------------------------------------------------


def _program(bundle: Path, tree: Path) -> None:
    shutil.copytree(bundle, tree / PROGRAM, symlinks=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/crmtray").symlink_to("../lib/crmtray/crmtray")


def _desktop(tree: Path, values: dict[str, str]) -> None:
    _put(tree, "usr/share/applications/crmtray.desktop", (RESOURCES / "crmtray.desktop").read_bytes())
    icons = "usr/share/icons/hicolor"
    _put(tree, f"{icons}/scalable/apps/crmtray.svg", (RESOURCES / "icons/crmtray.svg").read_bytes())
    for picture in (RESOURCES / "icons").glob("crmtray-*.png"):
        size = picture.stem.partition("-")[2]
        _put(tree, f"{icons}/{size}x{size}/apps/crmtray.png", picture.read_bytes())
    _put(tree, "usr/share/metainfo/app.crmtray.crmtray.metainfo.xml", _filled("crmtray.metainfo.xml", values))


def _documents(tree: Path, values: dict[str, str]) -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8").strip().splitlines()
    expat = "".join(f" {line.strip() or '.'}\n" for line in licence)
    _put(tree, f"{DOC}/copyright", _filled("copyright.head", values) + f"License: Expat\n{expat}".encode())
    _put(tree, f"{DOC}/changelog.gz", _zipped(_filled("changelog", values)))
    _put(tree, f"{DOC}/CHANGELOG.md.gz", _zipped((ROOT / "CHANGELOG.md").read_bytes()))
    _put(tree, f"{DOC}/examples/autostart/crmtray.desktop", (HERE / "autostart.desktop").read_bytes())
    _put(tree, "usr/share/man/man1/crmtray.1.gz", _zipped(_filled("crmtray.1", values)))
    _put(tree, "usr/share/lintian/overrides/crmtray", (HERE / "lintian-overrides").read_bytes())


def _control(tree: Path, values: dict[str, str]) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]
    _put(tree, "DEBIAN/md5sums", "".join(sums).encode())
    _put(tree, "DEBIAN/control", _filled("control", values))
    for script in ("postinst", "postrm"):
        _put(tree, f"DEBIAN/{script}", (HERE / script).read_bytes())


def _filled(name: str, values: dict[str, str]) -> bytes:
    text = (HERE / name).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], text).encode()


def _zipped(content: bytes) -> bytes:
    """Without name and time, which would differ."""
    return gzip.compress(content, 9, mtime=0)


def _put(tree: Path, place: str, content: bytes) -> None:
    file = tree / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _kilobytes(path: Path) -> int:
    """As Debian's policy counts them: files rounded up, everything else as one."""
    return -(-path.stat().st_size // 1024) if path.is_file() and not path.is_symlink() else 1


def _same_every_time(tree: Path, epoch: int) -> None:
    """Modes and times do not come from the machine that builds."""
    programs = {tree / PROGRAM / "crmtray", *(tree / "DEBIAN" / script for script in ("postinst", "postrm"))}
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in programs else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2])))
