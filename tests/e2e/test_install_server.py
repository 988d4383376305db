"""The installer of the server, into a folder: install, again, upgrade, back; what it put there works."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.desktop import wait_until
from tests.harness.nginx import free_port

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "packaging" / "install-server"

pytestmark = pytest.mark.timeout(300)


@dataclass
class Host:
    """What the installer left below `root`."""

    root: Path
    wheel: Path

    def __call__(self, *arguments: str, code: int = 0) -> str:
        # The libraries of this environment stand in for those that pip would fetch: they are the versions of the lock.
        libraries = {"PIP_NO_DEPS": "1", "PYTHONPATH": sysconfig.get_path("purelib")}
        command = [str(SCRIPT), "--root", str(self.root), "--python", sys.executable, "--wheel", str(self.wheel)]
        done = subprocess.run(
            [*command, *arguments], env=os.environ | libraries, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr

    @property
    def opt(self) -> Path:
        return self.root / "opt/crmtray"

    @property
    def settings(self) -> Path:
        return self.root / "etc/crmtray/server.env"

    def releases(self) -> list[str]:
        return sorted(folder.name for folder in (self.opt / "releases").iterdir())

    def current(self) -> str:
        return Path(os.readlink(self.opt / "venv")).name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [file] = folder.glob("*.whl")
    return file


@pytest.fixture
def host(wheel: Path, tmp_path: Path) -> Host:
    return Host(tmp_path / "host", wheel)


def test_install_upgrade_and_back(host: Host) -> None:
    said = host()
    assert "new JWT_SECRET_KEY" in said and "is in place" in said
    first, kept = host.current(), host.settings.read_text()
    assert stat.S_IMODE(host.settings.stat().st_mode) == 0o600
    assert re.search(r"^JWT_SECRET_KEY=[0-9a-f]{64}$", kept, re.MULTILINE)
    assert {unit.name for unit in (host.root / "etc/systemd/system").iterdir()} == {
        unit.name for unit in (ROOT / "packaging/systemd").iterdir()
    }

    host.settings.write_text(kept + "LOG_LEVEL=DEBUG\n")
    (host.root / "etc/systemd/system/crmtray-worker.service").unlink()
    assert "units and settings only" in host()
    assert host.current() == first and host.settings.read_text() == kept + "LOG_LEVEL=DEBUG\n"
    assert (host.root / "etc/systemd/system/crmtray-worker.service").exists(), "what is missing is put there again"

    host("--upgrade")
    second = host.current()
    assert second != first and host.releases() == sorted([first, second])
    assert host.settings.read_text() == kept + "LOG_LEVEL=DEBUG\n"
    host("--rollback")
    assert host.current() == first
    host("--rollback")
    assert host.current() == second, "and forward again"
    host("--upgrade")
    assert host.releases() == sorted([second, host.current()]), "one former version is kept"


def test_an_upgrade_that_fails_changes_nothing(host: Host, tmp_path: Path) -> None:
    host()
    before = host.current()
    broken = tmp_path / "crmtray-9.9.9-py3-none-any.whl"
    broken.write_bytes(b"no wheel")
    host.wheel = broken
    host("--upgrade", code=1)
    assert host.current() == before and host.releases() == [before]


def test_what_makes_no_sense_is_said(host: Host) -> None:
    assert "nothing is installed" in host("--upgrade", code=1)
    assert "no former version" in host("--rollback", code=1)
    assert "unknown argument --downgrade" in host("--downgrade", code=2)
    assert "takes ports" in host("--nodes", "8001,8002", code=2)


def test_nodes_are_remembered(host: Host) -> None:
    host("--nodes", "8001 8002")
    wanted = ["crmtray-server@8001.service", "crmtray-server@8002.service", "crmtray-worker.service"]
    assert (host.opt / "services").read_text().split() == wanted
    host()
    assert (host.opt / "services").read_text().split() == wanted


def test_what_is_installed_runs_with_its_settings(host: Host, tmp_path: Path) -> None:
    host()
    store = tmp_path / "store.db"
    text = host.settings.read_text().replace("sqlite:////var/lib/crmtray/crmtray.db", f'"sqlite:///{store}"')
    host.settings.write_text(text.rstrip("\n"))
    # The wrapper for administrators names the places of a real host.
    wrapper = tmp_path / "crmtray-server"
    shipped = (host.root / "usr/local/bin/crmtray-server").read_text()
    wrapper.write_text(
        shipped.replace("/opt/crmtray", str(host.opt)).replace("/etc/crmtray", str(host.settings.parent))
    )
    wrapper.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": sysconfig.get_path("purelib"), "HOME": str(tmp_path)}
    migrated = subprocess.run([str(wrapper), "migrate"], env=environment, capture_output=True, text=True, check=True)
    assert "is in place" in migrated.stdout and store.exists()
    port = free_port()
    server = subprocess.Popen(
        [str(wrapper), "serve", "--port", str(port)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.stdout is not None and server.stderr is not None
    with server.stdout, server.stderr:
        try:
            assert b'"ready"' in wait_until(server.stdout.readline, "the server")
        finally:
            server.terminate()
            assert server.wait(15) == 0
