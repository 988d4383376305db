"""What people install: the bundle of PyInstaller and the Debian package, made as a release makes them and then used."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from PyInstaller.archive.readers import CArchiveReader
from PySide6.QtGui import QImageReader

from tests.e2e import workstation as stations
from tests.e2e.workstation import PASSWORD, Workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux" or shutil.which("dpkg-deb") is None, reason="makes a Debian package"),
]

ROOT = Path(__file__).parents[2]
QUICK = {"DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1"}
"""A release takes its time to compress."""
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}


@dataclass(frozen=True)
class Packages:
    """What `scripts/package linux` made."""

    folder: Path
    deb: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "crmtray"

    @property
    def inside(self) -> Path:
        return self.bundle / "_internal"

    @property
    def program(self) -> Path:
        return self.bundle / "crmtray"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    folder = tmp_path_factory.mktemp("packages")
    command = [str(ROOT / "scripts" / "package"), "linux", str(folder)]
    environment = os.environ | QUICK | EPOCH | {"PYTHON": sys.executable}
    made = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert made.returncode == 0, made.stderr
    [deb] = folder.glob("*.deb")
    return Packages(folder, deb)


@pytest.fixture(scope="session")
def installed(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root folder of a system that has the package, and what else this machine has."""
    root = tmp_path_factory.mktemp("root")
    new_system(root)
    dpkg(root, "--install", str(packages.deb))
    return root


def new_system(root: Path) -> None:
    """dpkg knows there of this machine's packages: what ours depends on must be among them. It changes only `root`."""
    database = root / "var/lib/dpkg"
    for folder in ("info", "updates", "triggers"):
        (database / folder).mkdir(parents=True)
    (database / "info/format").write_text("1\n")
    shutil.copy("/var/lib/dpkg/status", database / "status")


def dpkg(root: Path, *arguments: str) -> None:
    options = [f"--root={root}", "--force-not-root", "--force-script-chrootless", "--log=/dev/null"]
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    done = subprocess.run(
        ["dpkg", *options, *arguments], env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


def output(command: list[str], home: Path, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTHON", "QT_"))}
    done = subprocess.run(
        command, env=clean | {"HOME": str(home)} | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- it runs ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["bundle", "package"])
def program(request: pytest.FixtureRequest, packages: Packages) -> Path:
    if request.param == "bundle":
        return packages.program
    root: Path = request.getfixturevalue("installed")
    return root / "usr/bin/crmtray"


@pytest.fixture(scope="module")
def office() -> Iterator[Desktop]:
    with desktop() as session:
        yield session


@contextmanager
def station(office: Desktop, program: Path, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Workstation]:
    """A workstation on which this very program is run."""
    patch.setattr(stations, "CRMTRAY", [str(program)])
    with stations.workstation(office, folder) as made:
        yield made


def test_the_demo_shows_an_icon_and_a_toast(
    office: Desktop, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with station(office, program, tmp_path, monkeypatch) as place:
        place.start("demo")
        place.wait_for_tooltip("En tiempo real")
        wait_until(place.toasts, "a toast")
        wait_until(lambda: "Notificaciones" in office.names("crmtray"), "the open center")
        place.stop()
        log = place.log.read_text()
        assert "Traceback" not in log and "CRITICAL" not in log, log


def test_a_seller_signs_in_and_reads_the_alerts_in_a_terminal(
    office: Desktop, server: ServerProcess, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with station(office, installed / "usr/bin/crmtray", tmp_path, monkeypatch) as place:
        place.sign_in(server.url, "juan@demo.example", PASSWORD)  # the keyring of the desktop has it from now on
        place.start("--minimized")
        place.wait_for_tooltip("En tiempo real")
        doctor = place.crmtray("doctor", "--json")
        checks = {check["name"]: check["status"] for check in json.loads(doctor.stdout)["checks"]}
        for name in ("server", "socket_io", "token", "keyring", "cache", "instance", "tray", "notifications"):
            assert checks[name] == "ok", doctor.stdout
        place.stop()
        assert place.crmtray("list").stdout == "No hay notificaciones.\n"
        assert place.crmtray("logout").returncode == 0


def test_the_bundle_is_the_server_too(packages: Packages, tmp_path: Path) -> None:
    version = output([str(packages.program), "--version"], tmp_path).split()[1]
    assert output([str(packages.program), "server", "--version"], tmp_path) == f"crmtray-server {version}\n"
    with subprocess.Popen(
        [str(packages.program), "server", "demo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        for page in ("/docs", "/openapi.json", "/health"):
            with urllib.request.urlopen(url + page, timeout=20) as answer:
                assert answer.status == 200
        server.stdin.close()
        assert server.wait(20) == 0


# --- everything is in it ------------------------------------------------------------------------------------------


MODULE, PACKAGE = 0, 1
"""In PyInstaller's table of contents."""
IMPORT_ALL = Path(__file__).with_name("import_all.py")
OF_OTHER_SYSTEMS = {"winreg", "msvcrt", "winsound"}
OF_OTHER_EXTRAS = {"psycopg", "redis"}


def test_whatever_is_loaded_only_when_needed_is_there(packages: Packages, tmp_path: Path) -> None:
    """Runs Python on nothing but the parts of the bundle, and has it carry out each `import` of our source."""
    tree = tmp_path / "parts"
    shutil.copytree(packages.inside, tree, symlinks=True, copy_function=os.link)
    unpack_modules(packages.program, tree)
    search = [tree, tree / "base_library.zip", next(tree.glob("python3*/lib-dynload"))]
    command = [sys.executable, "-I", "-S", "-B", str(IMPORT_ALL), *(str(ROOT / name) for name in ("crmtray", "server"))]
    found = json.loads(output(command, tmp_path, QT_QPA_PLATFORM="offscreen", BUNDLE=os.pathsep.join(map(str, search))))
    assert found["carried_out"] > 800
    missing = {
        place: name for place, name in found["missing"].items() if name not in OF_OTHER_SYSTEMS | OF_OTHER_EXTRAS
    }
    assert missing == {}


def unpack_modules(program: Path, tree: Path) -> None:
    """As files that any Python of this version can import."""
    whole = CArchiveReader(str(program))
    for name, (*_, kind) in whole.toc.items():
        if kind == "m":  # what PyInstaller needs for its own start
            write_module(tree / f"{name}.pyc", whole.extract(name))
    archive = whole.open_embedded_archive("PYZ.pyz")
    for name, (kind, *_) in archive.toc.items():
        if kind in (MODULE, PACKAGE):
            place = tree.joinpath(*name.split("."))
            file = place / "__init__.pyc" if kind == PACKAGE else place.with_name(f"{place.name}.pyc")
            write_module(file, archive.extract(name, raw=True))


def write_module(file: Path, code: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(importlib.util.MAGIC_NUMBER + bytes(12) + code)


@pytest.mark.parametrize("name", ["keyring.backends.SecretService", "keyring.backends.kwallet", "uvloop", "qasync"])
def test_parts_chosen_by_the_desktop_are_there(packages: Packages, name: str) -> None:
    archive = CArchiveReader(str(packages.program)).open_embedded_archive("PYZ.pyz")
    assert name in archive.toc


def test_files_that_are_read_at_run_time_are_there(packages: Packages) -> None:
    server = ROOT / "server" / "crmtray_server"
    wanted = {path.relative_to(server.parent) for path in (server / "templates").iterdir()}
    wanted |= {path.relative_to(server.parent) for path in (server / "store" / "migrations").rglob("*.py")}
    wanted |= {path.relative_to(ROOT) for path in (ROOT / "resources" / "icons").iterdir()}
    wanted |= {path.relative_to(ROOT) for path in (ROOT / "resources").rglob("*.qm")}
    assert [path for path in wanted if not (packages.inside / path).is_file()] == []
    assert len(list(packages.inside.glob("*.dist-info"))) > 40, "licences of everything that is taken along"
    words = {path.name for path in packages.inside.rglob("*.qm") if "PySide6" in path.parts}
    assert words == {"qtbase_es.qm", "qtbase_en.qm"}


def test_neither_the_workbench_nor_parts_of_the_system_are_in_it(packages: Packages) -> None:
    archive = CArchiveReader(str(packages.program)).open_embedded_archive("PYZ.pyz")
    modules = {name.partition(".")[0] for name in archive.toc}
    assert modules & {"pytest", "hypothesis", "mypy", "pip", "selenium", "tests", "psycopg", "tkinter"} == set()
    libraries = {path.name for path in packages.inside.rglob("*.so*")}
    foreign = re.compile(r"lib(glib|gtk|X11|xcb|dbus|fontconfig|wayland|GL|Qt6(Qml|Quick|Pdf))[-.\d\w]*\.so")
    assert [name for name in libraries if foreign.match(name)] == []


# --- the Debian package -------------------------------------------------------------------------------------------


def test_every_library_of_the_system_is_asked_for(packages: Packages) -> None:
    """Of the library's own package, not of one that happens to bring it."""
    fields = output(["dpkg-deb", "--field", str(packages.deb), "Depends"], packages.folder)
    depends = {part.split()[0] for part in fields.split(",")}
    wanted = {owner(library) for library in system_libraries(packages.bundle)}
    assert len(wanted) > 20 and wanted <= depends, wanted - depends


def system_libraries(bundle: Path) -> set[Path]:
    """Those that a file of the bundle names, and the bundle does not have. GTK's theme is used where GTK is."""
    own = {path.name for path in bundle.rglob("*.so*")}
    programs = [path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink() and is_elf(path)]
    asking = [path for path in programs if path.name != "libqgtk3.so"]
    shown = subprocess.run(["objdump", "-p", *asking], capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"NEEDED\s+(\S+)", shown)) - own
    places = dict(
        re.findall(r"(\S+) => (/\S+)", subprocess.run(["ldd", *asking], capture_output=True, text=True).stdout)
    )
    # ld-linux is named, but has no arrow: it belongs to the C library, as others that have one.
    return {Path(places[name]) for name in named if name in places}


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def owner(library: Path) -> str:
    """Packages of before the merge of /lib and /usr/lib list their files under /lib."""
    real = library.resolve()
    for path in (real, Path(str(real).removeprefix("/usr"))):
        done = subprocess.run(["dpkg-query", "--search", path], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.partition(":")[0]
    raise AssertionError(f"no package has {library}")


def test_the_desktop_finds_program_icon_and_links(installed: Path, office: Desktop, tmp_path: Path) -> None:
    share = installed / "usr/share"
    places = {
        **office.environment,
        "XDG_DATA_DIRS": f"{share}:/usr/share",
        "PATH": f"{installed}/usr/bin:/usr/bin:/bin",
    }
    entry = share / "applications/crmtray.desktop"
    subprocess.run(["desktop-file-validate", entry], check=True)
    asked = subprocess.run(["gio", "mime", "x-scheme-handler/crmtray"], env=places, capture_output=True, text=True)
    assert "crmtray.desktop" in asked.stdout, "the package's script has told the desktop"
    for size in (16, 22, 24, 32, 48, 64, 128, 256):
        icon = QImageReader(str(share / f"icons/hicolor/{size}x{size}/apps/crmtray.png")).read()
        assert (icon.width(), icon.height()) == (size, size)
    assert (share / "icons/hicolor/scalable/apps/crmtray.svg").is_file()

    link = ["gio", "launch", str(entry), "crmtray://notification/0/bad"]
    started = subprocess.Popen(link, env=places, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(
        lambda: "Aceptar" in office.names("crmtray") or "OK" in office.names("crmtray"), "the program's sentence"
    )
    office.press("Aceptar" if "Aceptar" in office.names("crmtray") else "OK", "crmtray")
    started.wait(20)


def test_it_starts_at_login_only_for_whoever_wants_it(installed: Path) -> None:
    assert not (installed / "etc/xdg/autostart").exists()
    example = installed / "usr/share/doc/crmtray/examples/autostart/crmtray.desktop"
    subprocess.run(["desktop-file-validate", example], check=True)
    assert "Exec=/usr/bin/crmtray --minimized\n" in example.read_text()


def test_it_goes_without_a_trace(packages: Packages, tmp_path: Path) -> None:
    new_system(tmp_path)
    before = files(tmp_path)
    dpkg(tmp_path, "--install", str(packages.deb))
    assert "usr/bin/crmtray" in files(tmp_path) - before
    dpkg(tmp_path, "--purge", "crmtray")
    assert files(tmp_path) - before <= {"usr/share/applications/mimeinfo.cache"}


def files(root: Path) -> set[str]:
    """Without dpkg's own."""
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}
    return {name for name in found if not name.startswith("var/")}


def test_two_packages_of_one_bundle_are_the_same(packages: Packages, tmp_path: Path) -> None:
    bundle = tmp_path / "crmtray"
    shutil.copytree(packages.bundle, bundle, symlinks=True, copy_function=shutil.copyfile)  # other times, other modes
    command = [sys.executable, str(ROOT / "packaging/linux/deb.py"), str(bundle), str(tmp_path)]
    subprocess.run(command, env=os.environ | QUICK | EPOCH, check=True, capture_output=True)
    again = tmp_path / packages.deb.name
    assert digest(again) == digest(packages.deb)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# --- what cannot be made here -------------------------------------------------------------------------------------


def packaging_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"crmtray_{Path(name).stem}", ROOT / "packaging" / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("kind", "sizes"), [("ico", {16, 24, 32, 48, 64, 128, 256}), ("icns", {16, 32, 64, 128, 256})])
def test_the_icons_of_other_systems_can_be_read(kind: str, sizes: set[int], tmp_path: Path) -> None:
    make = getattr(packaging_module("app_icons.py"), f"write_{kind}")
    reader = QImageReader(str(make(ROOT / "resources" / "icons", tmp_path / f"crmtray.{kind}")))
    found = set()
    for number in range(reader.imageCount()):
        assert reader.jumpToImage(number)
        found.add(reader.read().width())
    assert found == sizes


@pytest.mark.parametrize(
    ("version", "debian"), [("1.2.0", "1.2.0"), ("1.2.0rc1", "1.2.0~rc1"), ("1.2.0.dev3", "1.2.0~dev3")]
)
def test_a_version_before_the_version_sorts_before_it(version: str, debian: str) -> None:
    assert packaging_module("linux/deb.py").debian_version(version) == debian
    if debian != "1.2.0":
        subprocess.run(["dpkg", "--compare-versions", debian, "lt", "1.2.0"], check=True)


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_a_package_is_made_on_its_own_system_only(system: str, tmp_path: Path) -> None:
    command = [str(ROOT / "scripts" / "package"), system, str(tmp_path / "out")]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1 and f"only be made on {system}" in refused.stderr
    assert not (tmp_path / "out").exists()
