"""Where a login is kept: in an encrypted keyring, or in memory; never in the clear."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import pytest
from keyring.backends import fail

from crmtray.credentials import Credentials, KeyringUnavailable, Tokens
from crmtray.protocol import User

SERVER = "https://crm.example.com"
TOKENS = Tokens("access-secret", "refresh-secret", User("7", "t1", "Ana", "ana@example.com", "seller"), 12.5)


class FileKeyring(keyring.backend.KeyringBackend):
    """What must never be used: it writes secrets to a file as they are."""

    priority = 9

    def __init__(self, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = path

    def get_password(self, service: str, username: str) -> str | None:
        return self.path.read_text() if self.path.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.path.write_text(password)


class EncryptedKeyring(keyring.backend.KeyringBackend):
    """Stands where a system keyring stands (its module's name is what is looked at)."""

    __module__ = "keyring.backends.SecretService"
    priority = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.secrets: dict[tuple[str, str], str] = {}
        self.unlocked = threading.Event()
        self.unlocked.set()

    def get_password(self, service: str, username: str) -> str | None:
        self.unlocked.wait()
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.unlocked.wait()
        self.secrets[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.secrets[service, username]


@pytest.fixture
def use() -> Iterator[Any]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


async def test_a_login_comes_back_from_the_keyring(use: Any) -> None:
    use(EncryptedKeyring())
    await Credentials("default").save(SERVER, TOKENS)
    again = Credentials("default")
    assert await again.load(SERVER) == TOKENS and not again.memory_only
    assert await again.load("https://other.example.com") is None
    assert await Credentials("work").load(SERVER) is None
    await again.delete(SERVER)
    assert await Credentials("default").load(SERVER) is None
    await again.delete(SERVER)


async def test_without_a_keyring_the_login_lasts_as_long_as_the_program(use: Any) -> None:
    use(fail.Keyring())  # type: ignore[no-untyped-call]
    credentials = Credentials("default")
    with pytest.raises(KeyringUnavailable) as caught:
        await credentials.check()
    assert caught.value.message.startswith("No hay un llavero del sistema")
    await credentials.save(SERVER, TOKENS)
    assert credentials.memory_only and await credentials.load(SERVER) == TOKENS
    assert await Credentials("default").load(SERVER) is None


async def test_a_keyring_that_keeps_secrets_in_the_clear_is_not_used(use: Any, tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    use(FileKeyring(file))
    credentials = Credentials("default")
    await credentials.save(SERVER, TOKENS)
    assert not file.exists() and credentials.memory_only
    with pytest.raises(KeyringUnavailable, match="llavero"):
        await credentials.check()


async def test_a_locked_keyring_does_not_hold_up_the_program(use: Any) -> None:
    locked = EncryptedKeyring()
    locked.unlocked.clear()
    use(locked)
    try:
        with pytest.raises(KeyringUnavailable, match="desbloquearlo"):
            await Credentials("default", time_limit=0.05).check()
        workers = [thread for thread in threading.enumerate() if thread.name == "keyring"]
        assert workers and all(thread.daemon for thread in workers), "it would keep the process from ending"
    finally:
        locked.unlocked.set()


async def test_what_is_not_ours_in_the_keyring_is_no_login(use: Any, caplog: pytest.LogCaptureFixture) -> None:
    backend = EncryptedKeyring()
    backend.secrets["crmtray", f"default@{SERVER}"] = "not json: access-secret"
    use(backend)
    with caplog.at_level("ERROR"):
        assert await Credentials("default").load(SERVER) is None


def test_tokens_do_not_show_in_logs() -> None:
    assert "secret" not in f"{TOKENS!r} {TOKENS}"


async def test_the_server_of_a_login_is_known_without_the_cache(use: Any) -> None:
    use(EncryptedKeyring())
    credentials = Credentials("test")
    assert await credentials.last_server() is None
    await credentials.save(SERVER, TOKENS)
    assert await Credentials("test").last_server() == SERVER
    assert await Credentials("another").last_server() is None
    await credentials.delete(SERVER)
    assert await credentials.last_server() is None


async def test_looking_for_the_server_does_not_answer_the_question_of_the_keyring(use: Any) -> None:
    """The login window asks whether to go on without one; that must not be decided before."""
    use(fail.Keyring())  # type: ignore[no-untyped-call]
    credentials = Credentials("test")
    assert await credentials.last_server() is None and not credentials.memory_only
