"""The OpenAPI document: what it says is what the running server does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import aiohttp

from tests.harness.server import ServerProcess, sign

EXAMPLES = 15
"""Tries for each route and kind of test; the same every time."""


async def test_the_document_and_its_page_are_served(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        async with aiohttp.ClientSession(server.url) as session:
            async with session.get("/openapi.json") as response:
                served = await response.json()
            async with session.get("/docs") as response:
                page, headers = await response.text(), response.headers
        printed = json.loads(server.run("openapi"))
    assert served == printed and served["openapi"].startswith("3.1")
    assert all(path in page for path in served["paths"])
    assert "<script" not in page and "default-src 'none'" in headers["Content-Security-Policy"]


def test_the_server_does_what_the_document_says(tmp_path: Path) -> None:
    """Schemathesis makes up good and bad requests from the document and compares every answer with it."""
    crm = f"sqlite:///{tmp_path / 'crm.db'}"
    server = ServerProcess(tmp_path, CRM_DATABASE_URL=crm, CRM_ACTIONS="sql")
    server.run("demo-crm", crm)
    with server:
        token = sign("1", role="ceo", scope="notifications:write")
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{server.url}/openapi.json",
            "--header",
            f"Authorization: Bearer {token}",
            "--max-examples",
            str(EXAMPLES),
            "--seed",
            "1",
            "--no-color",
        ]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    said = "\n".join(line[:300] for line in result.stdout.splitlines())
    assert result.returncode == 0, said[-6000:]
    assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)
