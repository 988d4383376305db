"""The container files, as far as they can be looked at without Docker: what they name exists, nothing stands open."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis.exceptions
import yaml

from crmtray_server.__main__ import app
from crmtray_server.config import Settings, check_database_url, check_redis_url
from crmtray_server.redis_server import CHANNEL, RULES
from tests.harness.desktop import wait_until
from tests.harness.nginx import configure, free_port, program

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "packaging" / "docker"
PINNED = re.compile(r"docker\.io/library/[a-z]+:\d+\.\d+(\.\d+)?(-[\w.-]+)?")
COMMANDS = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
SETTINGS = {name.upper() for name in Settings.model_fields}
OURS = ("migrate", "node1", "node2", "worker")


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


# --- the image --------------------------------------------------------------------------------------------------


def sent_to_the_builder(path: str) -> bool:
    """By the rules of .dockerignore: the last that fits counts, for a file or for a folder it is in."""
    kept = True
    parts = [path, *map(str, Path(path).parents)]
    for rule in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.lstrip("!").removeprefix("**/")
            if any(fnmatch.fnmatch(part, pattern) or Path(part).match(pattern) for part in parts):
                kept = rule.startswith("!")
    return kept


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    sources = [
        name for word, rest in instructions() if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]
    ]
    assert len(sources) >= 8
    for name in sources:
        assert (ROOT / name).exists() and sent_to_the_builder(name), name
    for name in (".git/config", ".venv/bin/python", "tests/conftest.py", "packaging/docker/secrets/jwt"):
        assert not sent_to_the_builder(name), name


def test_both_ignore_files_are_the_same() -> None:
    rules = [
        [line for line in file.read_text().splitlines() if not line.startswith("#")]
        for file in (DOCKER / "Dockerfile.dockerignore", ROOT / ".dockerignore")
    ]
    assert rules[0] == rules[1]


def test_the_image_is_small_in_rights() -> None:
    [first, *_], last = ([rest for word, rest in instructions() if word == "FROM"] * 2)[:2], instructions()
    bases = [rest.split()[0] for word, rest in last if word == "FROM"]
    assert len(bases) == 2 and len(set(bases)) == 1 and all(PINNED.fullmatch(base) for base in bases) and first
    running = last[max(index for index, (word, _) in enumerate(last) if word == "FROM") :]
    words = dict(running)
    assert words["USER"] == "10001:10001" and "HEALTHCHECK" in words and words["STOPSIGNAL"] == "SIGTERM"
    assert not any(
        re.search(r"\b(apt-get|pip install|curl|wget|gcc)\b", rest) for word, rest in running if word == "RUN"
    )
    environment = set(re.findall(r"([A-Z_]+)=", words["ENV"])) - {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert environment <= SETTINGS and "JWT_SECRET_KEY" not in environment
    command = yaml.safe_load(words["CMD"].split("\n")[0]) if words["CMD"].startswith("[") else []
    assert yaml.safe_load(words["ENTRYPOINT"]) == ["crmtray-server"] and command[0] in COMMANDS


def test_the_libraries_are_those_of_the_server_at_the_versions_of_the_lock() -> None:
    said = subprocess.run(
        [sys.executable, str(DOCKER / "dependencies.py")], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    wanted = {re.split(r"[\[<>=;~ ]", line)[0].lower().replace("_", "-") for line in said.split("\n") if line}
    assert {"aiohttp", "sqlalchemy", "psycopg", "redis"} <= wanted and not wanted & {"crmtray", "pyside6-essentials"}
    [installed] = [rest for word, rest in instructions() if word == "RUN" and "-r wanted" in rest]
    assert "-c requirements.lock" in installed and "--only-binary=:all:" in installed


# --- compose ----------------------------------------------------------------------------------------------------


def test_images_are_pinned_and_restart() -> None:
    for name, service in services().items():
        assert "build" in service or PINNED.fullmatch(service["image"]), name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        assert service.get("healthcheck") or "build" in service, name
        assert service["logging"]["options"]["max-size"], name


@pytest.mark.parametrize("name", OURS)
def test_ours_run_commands_and_settings_that_exist(name: str) -> None:
    service = services()[name]
    assert service.get("command", ["serve"])[0] in COMMANDS
    for key, value in service["environment"].items():
        assert key.removesuffix("_FILE") in SETTINGS
        if key.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in service["secrets"]
        else:
            assert "password" not in str(value).lower()
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    context = DOCKER / service["build"]["context"]
    assert context.resolve() == ROOT and (context / service["build"]["dockerfile"]).exists()


def test_only_nginx_is_reached_from_outside() -> None:
    assert [name for name, service in services().items() if "ports" in service] == ["nginx"]
    networks = compose()["networks"]
    for name in ("postgres", "redis"):
        assert services()[name]["networks"] == ["inside"]
    assert networks["inside"]["internal"] and networks["front"]["internal"]
    subnet = networks["front"]["ipam"]["config"][0]["subnet"]
    assert services()["node1"]["environment"]["TRUSTED_PROXIES"] == subnet
    assert set(services()["nginx"]["networks"]) & set(services()["node1"]["networks"]) == {"front"}


def test_whoever_is_named_is_there() -> None:
    document = compose()
    for service in services().values():
        for other, condition in service.get("depends_on", {}).items():
            assert condition["condition"] != "service_healthy" or services()[other].get("healthcheck", True)
        for secret in service.get("secrets", []):
            assert (secret if isinstance(secret, str) else secret["source"]) in document["secrets"]
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (DOCKER / source).exists() if source.startswith(".") else source in document["volumes"]
        assert set(service.get("networks", [])) <= set(document["networks"])


# --- the secrets, and what is configured with them --------------------------------------------------------------


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    shutil.copy(DOCKER / "make-secrets", tmp_path)
    environment = {"PATH": "/usr/bin:/bin", "CRM_DATABASE_URL": "postgresql://reader:x@crm.example/crm"}
    for _ in range(2):
        subprocess.run([str(tmp_path / "make-secrets")], env=environment, check=True, capture_output=True)
    return tmp_path / "secrets"


def test_every_secret_is_made_once_and_is_right(secrets: Path) -> None:
    before = {file.name: file.read_text() for file in secrets.iterdir()}
    made = {Path(secret["file"]).name for secret in compose()["secrets"].values()} - {"fullchain.pem", "privkey.pem"}
    assert made <= set(before) and all(before[name] for name in made)
    assert len(before["jwt"]) == 64 and secrets.stat().st_mode & 0o777 == 0o700
    database = urlsplit(check_database_url(before["database_url"]))
    assert (database.hostname, database.password) == ("postgres", before["postgres_password"])
    assert urlsplit(check_redis_url(before["redis_url"])).hostname == "redis"
    assert RULES in before["users.acl"]


@contextmanager
def running_redis(folder: Path) -> Iterator[int]:
    """With the arguments of compose.yaml."""
    port = free_port()
    arguments = [str(part).replace("/run/secrets/redis_acl", str(folder / "users.acl")) for part in command_of("redis")]
    listening = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen([*arguments, *listening], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(15)


def command_of(name: str) -> list[str]:
    found: list[str] = services()[name]["command"]
    return found


def allowed(url: str, *command: str) -> bool:
    with redis.Redis.from_url(url) as client:
        try:
            client.execute_command(*command)
        except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError):
            return False
        return True


def answers(url: str) -> bool:
    try:
        return allowed(url, "PUBLISH", CHANNEL, "x")
    except redis.exceptions.ConnectionError:
        return False


def test_redis_lets_in_our_account_and_nobody_else(secrets: Path) -> None:
    with running_redis(secrets) as port:
        ours = (secrets / "redis_url").read_text().replace("@redis/", f"@127.0.0.1:{port}/")
        wait_until(lambda: answers(ours), "Redis")
        assert allowed(ours, "INCR", "crmtray:x")
        for command in (
            ("PUBLISH", "other", "x"),
            ("GET", "other"),
            ("KEYS", "*"),
            ("CONFIG", "GET", "*"),
            ("FLUSHALL",),
        ):
            assert not allowed(ours, *command), command
        assert not allowed(f"redis://127.0.0.1:{port}/0", "PING")
        assert not allowed(f"redis://crmtray:wrong@127.0.0.1:{port}/0", "PING")


def test_nginx_takes_the_configuration_of_the_containers(tmp_path: Path) -> None:
    """Names of containers are looked up at the start, so here they are addresses."""
    made = configure(tmp_path, ["127.0.0.1:1"])
    text = (DOCKER / "crmtray-upstream.conf").read_text()
    assert re.findall(r"server (\S+)", text) == ["node1:8000", "node2:8000"] * 2
    (tmp_path / "crmtray-upstream.conf").write_text(re.sub(r"node[12]:8000", "127.0.0.1:8000", text))
    command = [program(), "-t", "-p", str(tmp_path), "-c", "nginx.conf", "-e", str(made.folder / "error.log")]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
