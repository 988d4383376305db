"""A PostgreSQL of the tests' own: started once a run, as a user that is not root, on a socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPTIONS = "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=60"


class Postgres:
    """`new_database()` gives the address of an empty one."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder

    def new_database(self) -> str:
        name = f"t{uuid.uuid4().hex}"
        command = [str(self._binaries / "createdb"), "-h", str(self._folder), "-U", "tests", name]
        subprocess.run(command, check=True, capture_output=True)
        return f"postgresql://tests@/{name}?host={self._folder}"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="crmtray-pg-"))
    as_user = _as_user(folder)
    data = folder / "data"
    try:
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "tests", "-A", "trust", "--no-sync", "-E", "UTF8"]
        _run([*as_user, *initdb, "--locale=C.UTF-8"], folder)
        control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-s"]
        _run([*control, "-o", f"{OPTIONS} -k {folder}", "-l", str(folder / "log"), "start"], folder)
        try:
            yield Postgres(binaries, folder)
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise RuntimeError("PostgreSQL is not installed; run scripts/system-packages test (or `make test`)")
    return found[-1].parent if found else Path(on_path or "").parent


def _as_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root; the folder must belong to whoever runs it."""
    if os.geteuid() != 0:
        return []
    user = next(name for name in ("postgres", "nobody") if _exists(name))
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    folder.chmod(0o755)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--"]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _run(command: list[str], folder: Path) -> None:
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    # pg_ctl's server keeps what it inherits: a pipe would never end.
    with (folder / "output").open("ab") as output:
        result = subprocess.run(command, cwd="/", env=environment, stdout=output, stderr=output, check=False)
    if result.returncode:
        raise RuntimeError(f"{Path(command[-1]).name}: {(folder / 'output').read_text(errors='replace')[-2000:]}")
