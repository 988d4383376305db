"""What exists is documented, and what is documented exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from crmtray import protocol
from crmtray_server import config
from crmtray_server.__main__ import app, users
from crmtray_server.alerts import conditions
from crmtray_server.api import routes
from crmtray_server.monitor import Monitor

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def rows(file: Path) -> set[str]:
    """The names in the first cells of a document's tables."""
    first_cells = re.findall(r"^\| (.*?) \|", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_setting_is_documented_and_no_other() -> None:
    assert rows(DOCS / "settings.md") == {name.upper() for name in config.Settings.model_fields}


def test_defaults_in_the_document_are_the_programs() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    for name, field in config.Settings.model_fields.items():
        documented = re.search(rf"^\| `{name.upper()}` \| ([\d.]+) \|", text, re.MULTILINE)
        if documented:
            assert float(documented[1]) == float(field.default), name


EVENTS = [
    value
    for name, value in vars(protocol).items()
    if isinstance(value, str) and name.isupper() and ("NOTIFICATION" in name or name in ("JOIN_ROOM", "REFRESH_TOKEN"))
]


@pytest.mark.parametrize("event", [*EVENTS, protocol.PERFORM_ACTION])
def test_every_event_is_documented(event: str) -> None:
    assert event in rows(DOCS / "protocol.md")


def test_every_route_is_documented() -> None:
    text = (DOCS / "protocol.md").read_text(encoding="utf-8")
    documented = re.sub(r"`…/(\w+)`", r"`POST /notifications/{id}/\1`", text)
    for operation in routes.operations():
        assert f"`{operation.method} {operation.path}" in documented, (operation.method, operation.path)


def test_every_action_is_documented() -> None:
    assert rows(DOCS / "protocol.md") >= protocol.LINK_ACTIONS | protocol.CRM_ACTIONS


def test_every_server_command_is_documented() -> None:
    text = (ROOT / "server" / "README.md").read_text(encoding="utf-8")
    commands = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(commands) >= 7 and [name for name in commands if f"`{name}" not in text] == []
    for command in users.registered_commands:
        assert command.name is not None and command.name in text


def test_every_metric_is_documented_and_no_other() -> None:
    described = [metric for metric in Monitor().registry.collect() if metric.name.startswith("crmtray_")]
    names = {f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in described}
    documented = {name for name in rows(DOCS / "operations.md") if name.startswith("crmtray_")}
    assert len(names) > 15 and documented == names


def test_every_alert_about_the_server_is_documented() -> None:
    services = {name: {"status": "ok"} for name in ("socket_io", "database", "redis", "crm", "smtp")}
    settings = config.Settings(jwt_secret_key=SecretStr("x" * 32))
    watched = {condition.type for condition in conditions(settings, Monitor().stats(), {"services": services})}
    assert len(watched) == 8 and watched <= rows(DOCS / "operations.md")


def links(file: Path) -> list[str]:
    found = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith(("http://", "https://", "mailto:"))]


@pytest.mark.parametrize(
    "file", [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), ROOT / "server" / "README.md"], ids=str
)
def test_no_link_of_a_document_is_dead(file: Path) -> None:
    assert [link for link in links(file) if not (file.parent / link).exists()] == []
