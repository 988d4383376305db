"""What goes into the bundle and what stays out, for packaging/crmtray.spec.

PyInstaller follows imports; this owns what it cannot see (parts found by name, files read at run time) and what it
takes along without need. Qt comes from PySide6; the libraries of the system stay the system's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PyInstaller.utils.hooks import collect_data_files, collect_submodules, copy_metadata

Entry = tuple[str, str, str]
"""Place in the bundle, place on this machine, kind: as PyInstaller has it."""

# Found by name at run time: storage drivers, keyrings, notification services, transports, database dialects.
BY_NAME = ["keyring.backends", "desktop_notifier", "alembic.ddl", "alembic.operations", "sqlalchemy.dialects.sqlite"]

# Of Python's library and of what we depend on; everything that crmtray[app] does not need is left out anyway.
LEFT_OUT = [
    "tkinter", "turtle", "curses", "readline", "lib2to3", "pydoc_data", "ensurepip", "idlelib", "test", "pip",
    "alembic.testing", "sqlalchemy.testing", "icalendar.tests",
    "PySide6.QtQml", "PySide6.QtQuick", "PySide6.QtOpenGL", "PySide6.QtTest",
]  # fmt: skip

# Of Qt's plugins: how windows come to the screen, icons, pictures, dead keys (á is two keys on many keyboards), the
# desktop's theme, the network. The rest (QML, printers, databases, OpenGL, embedded screens) nobody asks for.
QT_PLUGINS = re.compile(
    r"(iconengines/\w*svgicon|imageformats/\w*(svg|ico|jpeg|gif)\b|platforms/\w*(xcb|wayland|offscreen|windows|cocoa)\b"
    r"|platformthemes/|platforminputcontexts/\w*(compose|ibus)|styles/|tls/|networkinformation/"
    r"|wayland-(shell-integration/\w*xdg-shell|decoration-client/))"
)
QT_LIBRARIES_OUT = re.compile(
    r"Qt6?(Qml|Quick|Pdf|VirtualKeyboard|Sql|Test|Designer|PrintSupport|ShaderTools|Labs|EglF[sS])"
)
QT_WORDS = re.compile(r"qtbase_(es|en)\.qm$")

# From the system's folders only what Python itself is linked to. X11, GLib, fonts, D-Bus are the system's: two versions
# of one of those in a process do not go well together. The package says what it needs of them.
SYSTEM_FOLDERS = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
PYTHONS_OWN = re.compile(
    r"lib(python3|ssl|crypto|sqlite3|ffi|z|bz2|lzma|expat|uuid|mpdec|crypt|zstd|gdbm)\b[-.\d]*\.so"
)


def excluded() -> list[str]:
    """Whatever else this environment has: PyInstaller would follow every `try: import` of a library to it. So a server
    on PostgreSQL is not in the bundle (its driver is of another extra): that one is installed with pip.
    """
    needed = needed_distributions("crmtray", {"app"})
    others = [
        module
        for module, distributions in metadata.packages_distributions().items()
        if not needed & {canonicalize_name(name) for name in distributions} and module != "crmtray_server"
    ]
    return LEFT_OUT + sorted(others)


def needed_distributions(name: str, extras: set[str]) -> set[str]:
    """Names of the distribution and of all that it needs on this system, as its metadata says."""
    found: dict[str, set[str]] = {}
    waiting = [(canonicalize_name(name), extras)]
    while waiting:
        name, extras = waiting.pop()
        if extras | {""} <= found.setdefault(name, set()):
            continue
        found[name] |= extras | {""}
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if any(
                requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in found[name]
            ):
                waiting.append((canonicalize_name(requirement.name), set(requirement.extras)))
    return set(found)


def hidden_imports() -> list[str]:
    ours = collect_submodules("crmtray") + collect_submodules("crmtray_server")
    theirs = [module for package in BY_NAME for module in collect_submodules(package)]
    # The scripts of the schema are read as files, when they run: what they import must be there.
    return [*ours, *theirs, "engineio.async_drivers.aiohttp", "logging.config"]


def data_files(root: Path) -> list[tuple[str, str]]:
    found = [(str(root / "resources" / name), f"resources/{name}") for name in ("icons", "sounds")]
    if (root / "resources" / "translations").is_dir():
        found += [(str(file), "resources/translations") for file in (root / "resources" / "translations").glob("*.qm")]
    found += _schema(root / "server" / "crmtray_server")
    found += collect_data_files("crmtray_server", excludes=["**/*.py", "**/__pycache__"])
    found += collect_data_files("desktop_notifier")
    return found + _licences_and_versions()


def _licences_and_versions() -> list[tuple[str, str]]:
    """Of everything that is taken along. Libraries and crash reports look their versions up there."""
    theirs = needed_distributions("crmtray", {"app"}) - {"crmtray", "pip"}
    return [entry for name in sorted(theirs) for entry in copy_metadata(name)]


def _schema(server: Path) -> list[tuple[str, str]]:
    """Alembic lists and runs these as files."""
    scripts = (server / "store" / "migrations").rglob("*.py")
    return [(str(file), f"crmtray_server/{file.parent.relative_to(server).as_posix()}") for file in scripts]


def wanted_binaries(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if _wanted(entry) and not _is_the_systems(entry[1])]


def wanted_data(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if _wanted(entry) and "__pycache__" not in entry[0]]


def _wanted(entry: Entry) -> bool:
    place = PurePosixPath(entry[0].replace("\\", "/"))
    if "PySide6" not in place.parts:
        return QT_LIBRARIES_OUT.search(place.name) is None
    inside = place.as_posix().partition("PySide6/")[2]
    if "plugins/" in inside:
        return QT_PLUGINS.match(inside.partition("plugins/")[2]) is not None
    if "translations/" in inside:
        return QT_WORDS.search(inside) is not None
    return "/qml/" not in f"/{inside}" and QT_LIBRARIES_OUT.search(place.name) is None


def _is_the_systems(source: str) -> bool:
    if sys.platform != "linux" or not source.startswith(SYSTEM_FOLDERS):
        return False
    return PYTHONS_OWN.match(Path(source).name) is None and "python3" not in source


def windows_version(name: str, version: str, folder: Path) -> str:
    """The file with what Windows shows under "Details" of a program."""
    numbers = [int(part) for part in re.findall(r"\d+", version)[:4]]
    four = tuple((numbers + [0] * 4)[:4])
    strings = {
        "CompanyName": "crmtray",
        "FileDescription": "crmtray" if name == "crmtray" else "crmtray (terminal)",
        "FileVersion": version,
        "InternalName": name,
        "LegalCopyright": "MIT licence",
        "OriginalFilename": f"{name}.exe",
        "ProductName": "crmtray",
        "ProductVersion": version,
    }
    structs = ", ".join(f"StringStruct({key!r}, {value!r})" for key, value in strings.items())
    text = (
        f"VSVersionInfo(ffi=FixedFileInfo(filevers={four}, prodvers={four}, mask=0x3F, flags=0, OS=0x40004, fileType=1,"
        f" subtype=0, date=(0, 0)), kids=[StringFileInfo([StringTable('040904B0', [{structs}])]),"
        " VarFileInfo([VarStruct('Translation', [1033, 1200])])])"
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-version.txt"
    file.write_text(text, encoding="utf-8")
    return str(file)
