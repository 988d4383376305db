"""The shipped nginx configuration, run as it is but for ports, paths and the nodes' addresses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.harness.desktop import wait_until
from tests.harness.smtp import certificates

SHIPPED = Path(__file__).parents[2] / "packaging" / "nginx"
MAIN = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/crmtray-upstream.conf;
    include {folder}/crmtray.conf;
}}
"""


class Nginx:
    """`url` by https, `plain` by http, `authority` vouches for its certificate."""

    def __init__(self, folder: Path, port: int, plain: int, authority: Path) -> None:
        self.folder, self.authority = folder, authority
        self.url, self.plain = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{plain}"

    @property
    def accesses(self) -> str:
        return (self.folder / "access.log").read_text(encoding="utf-8")


def program() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found is not None, "nginx is not installed: scripts/system-packages test"
    return found


def configure(folder: Path, nodes: Sequence[str]) -> Nginx:
    """Writes everything into `folder`. `nodes`: host:port of each."""
    _, authority = certificates(folder)
    port, plain = free_port(), free_port()
    replaced = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "listen [::]:443 ssl;": "",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen [::]:80;": "",
        "/etc/ssl/crmtray/fullchain.pem": str(folder / "server.pem"),
        "/etc/ssl/crmtray/privkey.pem": str(folder / "server.pem"),
        "/var/log/nginx/crmtray.access.log": str(folder / "access.log"),
        "127.0.0.1:8001": nodes[0],
        "127.0.0.1:8002": nodes[-1],
    }
    for name in ("crmtray-upstream.conf", "crmtray.conf"):
        text = (SHIPPED / name).read_text(encoding="utf-8")
        for shipped, here in replaced.items():
            text = text.replace(shipped, here)
        (folder / name).write_text(text, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user), encoding="utf-8")
    return Nginx(folder, port, plain, authority)


@contextmanager
def running_nginx(folder: Path, nodes: Sequence[str]) -> Iterator[Nginx]:
    made = configure(folder, nodes)
    command = [program(), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            wait_until(lambda: _listens(made.url) or process.poll() is not None, "nginx")
            assert process.poll() is None, (folder / "output").read_text(errors="replace")
            yield made
        finally:
            process.terminate()
            process.wait(15)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _listens(url: str) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 1):
        return True
    return False
